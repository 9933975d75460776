//! Every image ends in a vector or in a failure, however the stages race.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{
    shop::Shop,
    support::{png, ran},
};

/// Pages; each has two images, and all images are the same bytes.
const PAGES: usize = 150;

/// Answers on `127.0.0.N`, so that no page waits for another's host.
fn serve(listener: TcpListener) {
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(&stream));
        }
    });
}

fn answer(mut stream: &TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut host = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? <= 2 {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("host:") {
            host = value.trim().to_owned();
        }
    }
    let path = first.split(' ').nth(1)?.to_owned();
    let (status, kind, body) = if let Some(page) = path.strip_prefix("/p/") {
        let page = format!(
            "<html><script type='application/ld+json'>{{\"@context\": \"https://schema.org\", \
             \"@type\": \"Product\", \"name\": \"Shirt {page}\", \"image\": \
             [\"http://{host}/i/{page}-0.png\", \"http://{host}/i/{page}-1.png\"]}}</script></html>"
        );
        ("200 OK", "text/html", page.into_bytes())
    } else if path.starts_with("/i/") {
        ("200 OK", "image/png", png(1))
    } else {
        ("404 Not Found", "text/plain", Vec::new())
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(&body).ok()
}

/// Holds the store's write lock again and again, as a slow disk does.
fn slow_store(path: &Path, stop: &AtomicBool) {
    while !path.exists() && !stop.load(Ordering::SeqCst) {
        thread::sleep(Duration::from_millis(5));
    }
    let Ok(store) = rusqlite::Connection::open(path) else { return };
    while !stop.load(Ordering::SeqCst) {
        if store.execute_batch("BEGIN IMMEDIATE").is_ok() {
            thread::sleep(Duration::from_millis(30));
            store.execute_batch("COMMIT").unwrap();
        }
        thread::sleep(Duration::from_millis(30));
    }
}

/// `LOST_RUNS` says how often; each run was enough to lose ten images and more when waiting images
/// were handed over past the channel that holds their products.
#[test]
fn images_that_wait_for_the_same_bytes_all_have_a_vector() {
    let first = TcpListener::bind("127.0.0.2:0").unwrap();
    let port = first.local_addr().unwrap().port();
    serve(first);
    for host in 3..152_u8 {
        serve(TcpListener::bind((std::net::Ipv4Addr::new(127, 0, 0, host), port)).unwrap());
    }
    let runs = std::env::var("LOST_RUNS").map_or(2, |runs| runs.parse().unwrap());
    for _ in 0..runs {
        let shop = Shop::new();
        let list: String = (0..PAGES)
            .map(|page| format!("http://127.0.0.{}:{port}/p/{page}\n", page % 150 + 2))
            .collect();
        shop.write("list.txt", list);
        let store = shop.path().join("s.db");
        let stop = Arc::new(AtomicBool::new(false));
        let slow = thread::spawn({
            let (store, stop) = (store.clone(), stop.clone());
            move || slow_store(&store, &stop)
        });
        let summary = shop.run("list.txt", 0);
        stop.store(true, Ordering::SeqCst);
        slow.join().unwrap();
        assert_eq!((&summary["images"], &summary["failed"]), (&300.into(), &0.into()), "{summary}");
        assert_eq!(shop.export("s.db").lines().count(), 300);
    }
}

/// A store that somebody else cut down while the run was at it: the run does not claim success.
#[test]
fn a_run_whose_images_have_no_result_in_the_store_says_so() {
    let shop = Shop::new();
    shop.folder(0..3);
    shop.run("shop", 0);
    let store = rusqlite::Connection::open(shop.path().join("s.db")).unwrap();
    store
        .execute_batch(
            "CREATE TRIGGER loses AFTER UPDATE OF sha256 ON images WHEN new.product LIKE '%02%'
             BEGIN UPDATE images SET sha256 = NULL WHERE source = new.source
                   AND product = new.product AND position = new.position; END;
             UPDATE images SET sha256 = NULL",
        )
        .unwrap();
    drop(store);
    let args = ["run", "shop", "--store", "s.db"];
    let told = ran(shop.command(&args).stdin(Stdio::null())).expect(1).stderr;
    assert!(told.contains("1 images of this run have neither a vector nor a failure"), "{told}");
}
