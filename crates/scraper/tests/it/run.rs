//! `scraper run`, `export` and `search`: stored once, resumed always.

use std::{
    fs,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    server::{Reply, Server},
    shop::{Shop, feed, number},
    support::{DIM, finished, png, ran, scraper},
};

#[test]
fn a_folder_is_embedded_once_and_failures_are_kept() {
    let shop = Shop::new();
    for i in 0..20 {
        shop.write(&format!("shop/{i:02}.png"), png(i));
    }
    shop.write("shop/copy.png", png(3));
    shop.write("shop/broken.jpg", "not an image");
    let first = shop.run("shop", 2);
    assert_eq!(first["products"], 22);
    assert_eq!(first["embedded"], 20, "the copy shares its vector: {first}");
    assert_eq!(first["reused"], 1);
    assert_eq!(first["failed"], 1);
    assert_eq!(first["failures_by_kind"]["image.not_an_image"], 1);
    let export = shop.export("s.db");
    assert_eq!(export.lines().count(), 21);

    let second = shop.run("shop", 2);
    assert_eq!(second["embedded"], 0, "{second}");
    assert_eq!(second["reused"], 21);
    assert_eq!(shop.export("s.db"), export);

    shop.write("shop/05.png", png(500));
    shop.write("shop/broken.jpg", png(501));
    let third = shop.run("shop", 0);
    assert_eq!(third["embedded"], 2, "only what changed: {third}");
    assert_eq!(third["failed"], 0);
}

#[test]
fn a_csv_feed_with_addresses_files_and_bad_records() {
    let shop = Shop::new();
    let server = Server::start(|request| match request.path.as_str() {
        "/gone.png" => Reply::status(404),
        _ => Reply::ok(png(number(request))),
    });
    shop.write("images/local.png", png(77));
    let url = &server.url;
    shop.write(
        "feed.csv",
        format!(
            "id,title,url,image\n1,Both,https://shop/1,{url}/1.png|images/local.png\n\
             2,Gone,,{url}/gone.png\n3,Nothing,,\n4,Odd,,ftp://shop/a.png\n"
        ),
    );
    let summary = shop.run("feed.csv", 2);
    assert_eq!(summary["products"], 4, "{summary}");
    assert_eq!(summary["embedded"], 2);
    assert_eq!(summary["failed"], 2);
    assert_eq!(summary["without_image"], 1);
    assert_eq!(summary["failures_by_kind"]["fetch.status"], 1);
    assert_eq!(summary["failures_by_kind"]["fetch.address"], 1);
    let export = shop.export("s.db");
    let lines: Vec<Value> = export.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["image"], "images/local.png");
    assert_eq!(lines[1]["position"], 1);
    assert_eq!(lines[0]["url"], "https://shop/1");
    assert_eq!(lines[0]["embedding"].as_array().unwrap().len(), DIM);
    let gone = server.requests().iter().filter(|r| r.path == "/gone.png").count();
    assert_eq!(gone, 1, "404 is not worth a retry");
}

#[test]
fn the_second_run_asks_with_the_etag_and_downloads_nothing() {
    let shop = Shop::new();
    let server = Server::start(|request| match request.header("if-none-match") {
        Some("\"v1\"") => Reply::status(304),
        _ => Reply::ok(png(number(request))).header("etag", "\"v1\""),
    });
    shop.write("feed.jsonl", feed(&server, 12));
    assert_eq!(shop.run("feed.jsonl", 0)["embedded"], 12);
    let second = shop.run("feed.jsonl", 0);
    assert_eq!(second["not_modified"], 12, "{second}");
    assert_eq!(second["bytes"], 0);
    let requests = server.requests();
    assert_eq!(requests.len(), 24);
    assert!(requests[12..].iter().all(|r| r.header("if-none-match").is_some()));
}

#[test]
fn what_may_pass_is_tried_again_and_what_is_too_large_is_not() {
    let shop = Shop::new();
    let calls = Arc::new([const { AtomicUsize::new(0) }; 4]);
    let server = Server::start(move |request| {
        let n = number(request);
        match (n, calls[n as usize].fetch_add(1, Ordering::SeqCst)) {
            (0, 0) => Reply::status(503),
            (1, 0) => Reply::status(429).header("retry-after", "1"),
            (2, 0) => Reply::ok(png(2)).cut(100),
            (3, _) => Reply::ok("x").header("content-length", 100 << 20).cut(1),
            _ => Reply::ok(png(n)),
        }
    });
    shop.write("feed.jsonl", feed(&server, 4));
    let started = Instant::now();
    let summary = shop.run("feed.jsonl", 2);
    assert_eq!(summary["embedded"], 3, "{summary}");
    assert_eq!(summary["failures_by_kind"]["fetch.too_large"], 1);
    assert!(started.elapsed() >= Duration::from_secs(1), "Retry-After is honoured");
    assert_eq!(server.requests().len(), 7);
}

#[test]
fn another_model_is_refused_until_reembed() {
    let shop = Shop::new();
    shop.write("shop/a.png", png(1));
    shop.run("shop", 0);
    let run = |extra: &[&str]| {
        let mut args = vec!["run", "shop", "--store", "s.db", "--profile", "transformers5"];
        args.extend(extra);
        ran(&mut shop.command(&args))
    };
    let refused = run(&[]).expect(1).stderr;
    assert!(
        refused.contains("preprocessing hf-endpoint in the store, transformers5 now"),
        "{refused}"
    );
    assert!(refused.contains("--reembed"), "{refused}");
    assert!(run(&["--reembed"]).expect(0).text().contains("embedded        1"));
    let export = shop.export("s.db");
    assert!(export.contains("\"preprocessing\":\"transformers5\""), "{export}");
    assert_eq!(export.lines().count(), 1);
}

/// Slow enough to be caught in the middle.
fn slow_server() -> Server {
    Server::start(|request| Reply::ok(png(number(request))).delay(Duration::from_millis(25)))
}

fn spawn(shop: &Shop) -> Child {
    let args = ["run", "feed.jsonl", "--store", "s.db", "--batch", "2"];
    let mut command = shop.command(&args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until the store holds at least `n` vectors, committed.
fn wait_for(shop: &Shop, n: i64) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let store = shop.path().join("s.db");
        let count = rusqlite::Connection::open(&store)
            .and_then(|c| c.query_row("SELECT count(*) FROM vectors", [], |r| r.get::<_, i64>(0)));
        if count.is_ok_and(|count| count >= n) {
            return;
        }
        assert!(Instant::now() < deadline, "nothing is stored");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn killed_at_any_moment_it_resumes_and_ends_as_if_undisturbed() {
    const N: u32 = 90;
    let shop = Shop::new();
    let server = slow_server();
    shop.write("feed.jsonl", feed(&server, N));
    let mut committed = 0;
    for stop_at in [1, 20, 40, 60] {
        let mut child = spawn(&shop);
        wait_for(&shop, stop_at);
        child.kill().unwrap(); // SIGKILL
        assert!(!child.wait().unwrap().success(), "it was still at work");
        let kept = shop.export("s.db").lines().count();
        assert!(kept >= committed, "{kept} of {committed} committed vectors are left");
        committed = kept;
    }
    assert!(committed < N as usize);
    let last = shop.run("feed.jsonl", 0);
    assert_eq!(last["reused"], committed, "nothing committed is done again: {last}");
    assert_eq!(last["embedded"], N as usize - committed);

    let args = ["run", "feed.jsonl", "--store", "undisturbed.db"];
    ran(&mut shop.command(&args)).expect(0);
    assert_eq!(shop.export("s.db"), shop.export("undisturbed.db"));
}

#[test]
#[cfg(unix)]
fn ctrl_c_stores_what_is_at_hand_and_says_how_to_go_on() {
    let shop = Shop::new();
    let server = slow_server();
    shop.write("feed.jsonl", feed(&server, 200));
    let child = spawn(&shop);
    wait_for(&shop, 4);
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let ran = finished(child.wait_with_output().unwrap()).expect(130);
    assert!(ran.text().contains("run the same command again"), "{}", ran.text());
    let kept = shop.export("s.db").lines().count();
    assert!((4..200).contains(&kept), "{kept}");
}

#[test]
fn two_runs_do_not_share_a_store() {
    let shop = Shop::new();
    let server = slow_server();
    shop.write("feed.jsonl", feed(&server, 100));
    let mut child = spawn(&shop);
    wait_for(&shop, 1);
    let second = ran(&mut shop.command(&["run", "feed.jsonl", "--store", "s.db"])).expect(1);
    assert!(second.stderr.contains("another run is using the store"), "{}", second.stderr);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn search_finds_the_image_itself_first() {
    let shop = Shop::new();
    for i in 0..15 {
        shop.write(&format!("shop/{i:02}.png"), png(i));
    }
    shop.run("shop", 0);
    let search = |args: &[&str]| {
        let mut all = vec!["search", "--store", "s.db"];
        all.extend(args);
        ran(&mut shop.command(&all)).expect(0).text()
    };
    let hits: Vec<Value> = serde_json::from_str(&search(&[
        "--image",
        "shop/07.png",
        "--top",
        "3",
        "--format",
        "json",
    ]))
    .unwrap();
    assert_eq!(hits.len(), 3);
    assert_eq!(hits[0]["id"], "07.png");
    assert!((hits[0]["score"].as_f64().unwrap() - 1.0).abs() < 1e-5);
    assert!(hits[0]["score"].as_f64() >= hits[1]["score"].as_f64());
    let table = search(&["red floral dress", "--no-floor"]);
    assert_eq!(table.lines().count(), 13, "a head and 12 products:\n{table}");
    assert!(table.starts_with("  #  cosine  product"), "{table}");
}

#[test]
fn numpy_export_has_its_rows_beside_it() {
    let shop = Shop::new();
    for i in 0..5 {
        shop.write(&format!("shop/{i}.png"), png(i));
    }
    shop.run("shop", 0);
    let args = ["export", "--store", "s.db", "--format", "npy", "--output", "v.npy"];
    ran(scraper(shop.path()).args(args)).expect(0);
    let bytes = fs::read(shop.path().join("v.npy")).unwrap();
    assert_eq!(bytes.len(), 128 + 5 * DIM * 4);
    let rows = fs::read_to_string(shop.path().join("v.rows.jsonl")).unwrap();
    let rows: Vec<Value> = rows.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let json: Vec<Value> =
        shop.export("s.db").lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    for (i, (row, json)) in rows.iter().zip(&json).enumerate() {
        assert_eq!(row["id"], json["id"]);
        let values: Vec<f32> = serde_json::from_value(json["embedding"].clone()).unwrap();
        let from = 128 + i * DIM * 4;
        let expected: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(bytes[from..from + DIM * 4], expected, "JSON reads back to the same bits");
    }
}

#[test]
fn an_image_that_recovers_leaves_the_quarantine() {
    let shop = Shop::new();
    let calls = AtomicUsize::new(0);
    let server = Server::start(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::ok(png(1)).header("etag", "\"v1\""),
        1 => Reply::status(410),
        _ => Reply::status(304),
    });
    shop.write("feed.jsonl", feed(&server, 1));
    let quarantine = || {
        let store = rusqlite::Connection::open(shop.path().join("s.db")).unwrap();
        let sql = "SELECT count(*) FROM quarantine";
        store.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(shop.run("feed.jsonl", 0)["embedded"], 1);
    assert_eq!(shop.run("feed.jsonl", 2)["failed"], 1);
    assert_eq!(quarantine(), 1);
    assert_eq!(shop.export("s.db").lines().count(), 1, "the known vector stays");
    assert_eq!(shop.run("feed.jsonl", 0)["not_modified"], 1);
    assert_eq!(quarantine(), 0);
}
