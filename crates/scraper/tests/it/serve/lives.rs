//! Starts, ends, and stores that change meanwhile.

use std::{
    net::TcpStream,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{Serving, client::Ask};
use crate::{
    shop::Shop,
    support::{png, ran},
};

#[test]
fn sigterm_answers_what_was_accepted_and_ends() {
    for signal in ["-TERM", "-INT"] {
        let shop = Shop::new();
        let serving = Serving::start(&shop, &[]);
        // One without a body yet, one in the middle of it, and a connection that asks nothing.
        let begun: Vec<_> = [0, 100]
            .map(|bytes| serving.post("/", "image/png", png(1)).begin(bytes))
            .into_iter()
            .collect();
        let _idle = TcpStream::connect(&serving.address).unwrap();
        serving.in_progress(begun.len());
        let address = serving.address.clone();
        serving.signal(signal);
        let closed = |address: &str| TcpStream::connect(address).is_err();
        let deadline = Instant::now() + Duration::from_secs(20);
        while !closed(&address) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        assert!(closed(&address), "it still accepts connections");
        for mut half in begun {
            half.rest();
            half.answer().expect(200);
        }
        assert_eq!(serving.wait().code(), Some(0), "{signal}");
    }
}

#[test]
fn who_is_too_slow_does_not_keep_it() {
    let shop = Shop::new();
    let serving = Serving::start(&shop, &["--grace", "1"]);
    let _slow = serving.post("/", "image/png", png(1)).begin(100);
    serving.in_progress(1);
    serving.signal("-TERM");
    assert_eq!(serving.wait().code(), Some(0));
}

#[test]
fn a_run_is_found_from_its_end_on_and_no_request_is_lost() {
    let shop = Shop::new();
    shop.folder(0..3);
    shop.run("shop", 0);
    let serving = Serving::start(&shop, &["--store", "s.db"]);
    let found = |top: usize| {
        let target = format!("/search?text=shirt&mode=vector&floor=false&top={top}");
        let answer = serving.get(&target).send().expect(200).json();
        answer["found"].as_array().unwrap().len()
    };
    assert_eq!(found(100), 3);
    let (done, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    assert!((3..=8).contains(&found(100)));
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        shop.folder(3..8);
        shop.run("shop", 0);
        done.store(true, Ordering::Relaxed);
    });
    assert!(asked.load(Ordering::Relaxed) > 0);
    assert_eq!(found(100), 8);
}

#[test]
fn it_is_killed_and_starts_again_at_the_same_address() {
    let shop = Shop::new();
    let serving = Serving::start(&shop, &[]);
    let address = serving.address.clone();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // Lost connections are what a kill is about; only crashes of this client are not.
                    if let Ok(stream) = TcpStream::connect(&address) {
                        drop(stream);
                    }
                    thread::sleep(Duration::from_millis(1));
                }
            });
        }
        let half = serving.post("/", "image/png", png(1)).begin(100);
        serving.in_progress(1);
        serving.signal("-KILL");
        drop(half);
        serving.wait();
        let again = Serving::spawn(shop.command(&["serve", "--listen", &address]));
        assert_eq!(again.address, address);
        again.json("/", &json!({"inputs": "a"})).send().expect(200);
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn connections_carry_many_requests_of_both_versions() {
    let shop = Shop::new();
    let serving = Serving::start(&shop, &[]);
    let url = serving.url();
    let curl = |version: &str, target: &str| {
        let write = "%{http_version} %{num_connects} %{response_code}\n";
        let args = ["--silent", "--output", "/dev/null", version, "--write-out", write];
        let mut command = std::process::Command::new("curl");
        let said = ran(command.args(args).arg(format!("{url}{target}"))).expect(0).text();
        said.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    // All over one connection.
    let lines = curl("--http1.1", "/healthz?[1-20]");
    assert_eq!(lines.len(), 20);
    assert_eq!(lines[0], "1.1 1 200");
    assert!(lines[1..].iter().all(|line| line == "1.1 0 200"), "{lines:?}");
    assert_eq!(curl("--http2-prior-knowledge", "/healthz"), ["2 1 200"]);
    // Not asked to close, it is idle; the next one is served all the same.
    let _idle = TcpStream::connect(&serving.address).unwrap();
    Ask::new(&serving.address, "GET", "/healthz").send().expect(200);
}
