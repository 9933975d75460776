//! The fetcher against servers that stall, circle, and count.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use scraper::{
    fetch::{Caps, FetchError, FetchOptions, Fetched, Fetcher, Guard, Retry},
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
    match fetcher.fetch(&location, None).await? {
        Fetched::Bytes { bytes, .. } => Ok(bytes),
        Fetched::NotModified => panic!("nothing was known"),
    }
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
