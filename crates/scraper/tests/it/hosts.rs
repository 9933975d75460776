//! Hosts that refuse or answer nothing but errors: set aside in time, and nobody waits for them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{
    server::{Reply, Server},
    shop::{SETTINGS, Shop, feed, number},
    support::{png, ran},
};

/// Two seconds are enough for anybody.
fn impatient() -> Shop {
    let shop = Shop::new();
    shop.write("scraper.toml", format!("{SETTINGS}host_patience = 2.0\n"));
    shop
}

fn aside(summary: &Value) -> u64 {
    summary["failures_by_kind"]["fetch.aside"].as_u64().unwrap_or(0)
}

#[test]
fn a_host_that_refuses_is_set_aside_and_its_images_are_retried_another_night() {
    let shop = impatient();
    let open = Arc::new(AtomicBool::new(false));
    let busy = Server::start({
        let open = open.clone();
        move |request| match open.load(Ordering::SeqCst) {
            true => Reply::ok(png(number(request))),
            false => Reply::status(429).header("retry-after", 1),
        }
    });
    let good = Server::start(|request| Reply::ok(png(100 + number(request))));
    let good_feed = feed(&good, 6).replace("\"p0", "\"q0");
    shop.write("feed.jsonl", feed(&busy, 40) + &good_feed);
    let started = Instant::now();
    let summary = shop.run("feed.jsonl", 2);
    // 40 images with 4 attempts a second apart would be more than a minute.
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert_eq!(summary["embedded"], 6, "{summary}");
    assert!(aside(&summary) > 0, "{summary}");
    let failures =
        ran(&mut shop.command(&["retry", "--list", "--store", "s.db"])).expect(0).lines();
    assert_eq!(failures.len(), 40, "each of them stays to be retried");
    let aside = failures.iter().find(|f| f["kind"] == "fetch.aside").expect("some were set aside");
    let message = aside["message"].as_str().expect("a message");
    assert!(message.contains("set aside") && message.contains("429"), "{message}");

    open.store(true, Ordering::SeqCst);
    assert_eq!(shop.run("feed.jsonl", 0)["embedded"], 40, "the next night");
}

#[test]
fn a_host_that_asks_for_an_hour_is_set_aside_at_once() {
    let shop = impatient();
    let busy = Server::start(|_| Reply::status(503).header("retry-after", 3600));
    shop.write("feed.jsonl", feed(&busy, 8));
    let started = Instant::now();
    let summary = shop.run("feed.jsonl", 2);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    assert!(aside(&summary) > 0, "{summary}");
}

#[test]
fn a_robots_txt_that_is_refused_for_ever_holds_nothing_up() {
    let shop = impatient();
    let robots = Reply::status(429).header("retry-after", 1);
    let busy = Server::with_robots(robots, |_| Reply::ok(png(1)));
    let good = Server::start(|request| Reply::ok(png(number(request))));
    let good_feed = feed(&good, 3).replace("\"p0", "\"q0");
    shop.write("feed.jsonl", feed(&busy, 20) + &good_feed);
    let started = Instant::now();
    let summary = shop.run("feed.jsonl", 2);
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
    assert_eq!(summary["embedded"], 3, "{summary}");
    assert!(busy.requests().is_empty(), "what it may forbid was not fetched");
}

#[test]
fn a_short_wish_for_patience_is_granted() {
    let shop = Shop::new();
    let first = AtomicBool::new(true);
    let server = Server::start(move |request| match first.swap(false, Ordering::SeqCst) {
        true => Reply::status(429).header("retry-after", "1.0"),
        false => Reply::ok(png(number(request))),
    });
    shop.write("feed.jsonl", feed(&server, 4));
    assert_eq!(shop.run("feed.jsonl", 0)["embedded"], 4);
}
