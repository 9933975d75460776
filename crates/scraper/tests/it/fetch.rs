//! The fetcher against servers that stall, circle, and count.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use scraper_lib::{
    fetch::{Caps, FetchError, FetchOptions, Fetcher, Guard, Retry},
    source::{Base, Location},
};

use crate::server::{Reply, Server};

fn fetcher(caps: Caps) -> Fetcher {
    let retry = Retry { attempts: 2, base: Duration::from_millis(1), ..Retry::default() };
    let guard = Guard::with(vec!["127.0.0.1/32".parse().unwrap()]);
    Fetcher::with(FetchOptions { caps, retry, guard, ..FetchOptions::default() }).unwrap()
}

async fn get(fetcher: &Fetcher, url: &str) -> Result<Vec<u8>, FetchError> {
    let location = Location::parse(url, &Base::user()).unwrap();
    Ok(fetcher.fetch(&location).await?.bytes)
}

#[tokio::test]
async fn a_stalling_server_is_given_up() {
    let server = Server::start(|_| Reply::ok("late").delay(Duration::from_secs(30)));
    let idle = Duration::from_millis(100);
    let started = Instant::now();
    let error = get(&fetcher(Caps { idle, ..Caps::default() }), &server.url).await.unwrap_err();
    assert_eq!(error.kind(), "fetch.timeout", "{error}");
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(server.requests().len(), 2, "worth a second attempt");
}

#[tokio::test]
async fn circles_end() {
    let server = Server::start(|_| Reply::status(302).header("location", "/again"));
    let error = get(&fetcher(Caps::default()), &server.url).await.unwrap_err();
    assert_eq!(error.kind(), "fetch.redirects", "{error}");
    assert!(server.requests().len() <= Caps::default().redirects + 1);
}

#[tokio::test]
async fn nobody_listens() {
    // Bound and dropped: the port is free now.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/a.jpg");
    let error = get(&fetcher(Caps::default()), &url).await.unwrap_err();
    assert_eq!(error.kind(), "fetch.connect");
    assert!(error.to_string().contains(&url), "{error}");
}

#[tokio::test]
async fn a_host_is_not_asked_for_more_at_once_than_allowed() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let seen = most.clone();
    let server = Server::start(move |_| {
        seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(30));
        now.fetch_sub(1, Ordering::SeqCst);
        Reply::ok("x")
    });
    let fetcher = fetcher(Caps { per_host: 3, connections: 16, ..Caps::default() });
    let tasks: Vec<_> = (0..12)
        .map(|i| {
            let (fetcher, url) = (fetcher.clone(), format!("{}/{i}", server.url));
            tokio::spawn(async move { get(&fetcher, &url).await.unwrap() })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), b"x");
    }
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_read_to_its_end() {
    let server = Server::start(|_| Reply::ok(vec![0; 3000]));
    let fetcher = fetcher(Caps { bytes: 2999, ..Caps::default() });
    let error = get(&fetcher, &server.url).await.unwrap_err();
    assert_eq!(error.kind(), "fetch.too_large");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("big.png");
    std::fs::write(&path, [0; 3000]).unwrap();
    let error = get(&fetcher, path.to_str().unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("big.png"), "{error}");
    assert_eq!(error.kind(), "fetch.too_large");
}

/// Answers each request with a head and then drips `each` every 50 ms, `times` times.
fn dripping(each: &'static [u8], times: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let seen = count.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let seen = seen.clone();
            thread::spawn(move || {
                let mut lines = BufReader::new(&stream).lines();
                let first = lines.next()?.ok()?;
                lines.find(|line| line.as_ref().is_ok_and(|line| line.is_empty()))?.ok()?;
                let mut stream = &stream;
                if first.contains("/robots.txt") {
                    let none = b"HTTP/1.1 404 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
                    return stream.write_all(none).ok();
                }
                seen.fetch_add(1, Ordering::SeqCst);
                let length = each.len() * times;
                let head = format!(
                    "HTTP/1.1 200 X\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).ok()?;
                for _ in 0..times {
                    stream.write_all(each).ok()?;
                    thread::sleep(Duration::from_millis(50));
                }
                Some(())
            });
        }
    });
    (url, count)
}

#[tokio::test]
async fn a_drip_is_given_up_and_a_slow_feed_is_not() {
    let (grace, total) = (Duration::from_millis(500), Duration::from_millis(800));
    let caps = Caps { grace, total, min_speed: 1000, ..Caps::default() };
    let (url, count) = dripping(b"a", 100_000);
    let started = Instant::now();
    let error = get(&fetcher(caps), &url).await.unwrap_err();
    assert_eq!(error.kind(), "fetch.slow", "{error}");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(count.load(Ordering::SeqCst), 1, "it would be as slow again");

    // 400 bytes per second, for longer than a picture may take.
    let (url, _) = dripping(b"id,image.png,some,20\n", 40);
    let url = url.parse().unwrap();
    let feed = fetcher(caps).document(&url, "*/*", 512 << 20).await.unwrap();
    assert_eq!(feed.bytes.len(), 21 * 40);
}

#[tokio::test]
async fn more_answers_are_worth_another_try() {
    for status in [430, 520, 523, 526, 529, 530, 599] {
        let asked = Arc::new(AtomicUsize::new(0));
        let server = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
            0 => Reply::status(status),
            _ => Reply::ok("x"),
        });
        let got = get(&fetcher(Caps::default()), &server.url).await;
        assert_eq!(got.unwrap(), b"x", "{status}");
    }
    let server = Server::start(|_| Reply::status(404));
    get(&fetcher(Caps::default()), &server.url).await.unwrap_err();
    assert_eq!(server.requests().len(), 1, "404 is for good");
}

#[tokio::test]
async fn a_location_in_utf8_is_followed() {
    let server = Server::start(|request| match request.path.as_str() {
        "/a" => Reply::status(301).header("location", "/kleid-grün.png"),
        "/kleid-gr%C3%BCn.png" => Reply::ok("green"),
        _ => Reply::status(404),
    });
    let got = get(&fetcher(Caps::default()), &format!("{}/a", server.url)).await;
    assert_eq!(got.unwrap(), b"green");
}

#[tokio::test]
async fn a_cookie_wall_is_called_so() {
    let server = Server::start(|request| match request.path.as_str() {
        "/self" => Reply::status(302).header("location", "/self").header("set-cookie", "seen=1"),
        "/shop" => Reply::status(302).header("location", "/consent").header("set-cookie", "seen=1"),
        "/consent" => Reply::status(302).header("location", "/shop#agreed"),
        _ => Reply::status(302).header("location", "/plain"),
    });
    for (path, kind) in
        [("self", "fetch.cookie_wall"), ("shop", "fetch.cookie_wall"), ("plain", "fetch.redirects")]
    {
        let url = format!("{}/{path}", server.url);
        let error = get(&fetcher(Caps::default()), &url).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(error.to_string().contains("cookie"), kind == "fetch.cookie_wall", "{error}");
    }
}

#[tokio::test]
async fn metadata_services_are_refused_in_redirects_too() {
    let server = Server::start(|request| match request.path.as_str() {
        "/address" => Reply::status(302).header("location", "http://169.254.169.254/latest"),
        _ => Reply::status(302).header("location", "http://metadata.google.internal/v1"),
    });
    let fetcher = Fetcher::unguarded(Caps::default()).unwrap();
    for path in ["address", "name"] {
        let error = get(&fetcher, &format!("{}/{path}", server.url)).await.unwrap_err();
        assert_eq!(error.kind(), "fetch.private", "{error}");
        assert!(error.to_string().contains("metadata"), "{error}");
    }
}
