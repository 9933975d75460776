//! `scraper retry --failed`, exit codes and what people are told.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use serde_json::Value;

use crate::{
    server::{Reply, Server},
    shop::{Shop, feed, number},
    support::{png, ran},
};

#[test]
fn only_what_failed_is_fetched_again() {
    let shop = Shop::new();
    let healed = Arc::new(AtomicBool::new(false));
    let state = healed.clone();
    let server = Server::start(move |request| match number(request) {
        n if n % 4 == 1 && !state.load(Ordering::SeqCst) => Reply::status(404),
        2 => Reply::ok("no image"),
        n => Reply::ok(png(n)),
    });
    shop.write("feed.jsonl", feed(&server, 12));
    assert_eq!(shop.run("feed.jsonl", 2)["failed"], 4);
    let before = server.requests().len();

    let retry = |args: &[&str]| {
        let mut all = vec!["retry", "--store", "s.db"];
        all.extend(args);
        shop.command(&all)
    };
    let listed = ran(&mut retry(&["--list"])).expect(0).lines();
    let kinds: Vec<&str> = listed.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds.iter().filter(|&&kind| kind == "fetch.status").count(), 3);
    assert_eq!(listed[1]["id"], "p002");
    assert!(listed[1]["message"].as_str().unwrap().len() > 10);
    assert_eq!(server.requests().len(), before, "a list fetches nothing");

    healed.store(true, Ordering::SeqCst);
    let told = ran(&mut retry(&["--failed", "--kind", "fetch.status"])).expect(0).text();
    assert!(told.contains("embedded        3"), "{told}");
    let asked: Vec<String> = server.requests()[before..].iter().map(|r| r.path.clone()).collect();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert!(asked.iter().all(|path| ["/1.png", "/5.png", "/9.png"].contains(&path.as_str())));
    let told = ran(&mut retry(&["--failed"])).expect(2).text();
    assert!(told.contains("failed          1"), "{told}");
    assert_eq!(shop.export("s.db").lines().count(), 11);
}

#[test]
fn a_retry_finds_files_relative_to_their_feed() {
    let shop = Shop::new();
    shop.write("data/feed.csv", "id,image\n1,images/a.png\n");
    assert_eq!(shop.run("data/feed.csv", 2)["failures_by_kind"]["file.missing"], 1);
    shop.write("data/images/a.png", png(1));
    ran(&mut shop.command(&["retry", "--failed", "--store", "s.db"])).expect(0);
    assert_eq!(shop.export("s.db").lines().count(), 1);
}

#[test]
fn failures_up_to_a_limit_are_fine_and_github_is_told() {
    let shop = Shop::new();
    shop.folder(0..19);
    shop.write("shop/bad|name.jpg", "not an image");
    let run = |allowed: &str, code| {
        let mut command = shop.command(&["run", "shop", "--store", "s.db"]);
        command.args(["--summary-markdown", "run.md", "--max-failures", allowed]);
        command.env("GITHUB_STEP_SUMMARY", shop.path().join("steps.md"));
        ran(&mut command).expect(code);
        fs::read_to_string(shop.path().join("run.md")).unwrap()
    };
    let slip = ran(&mut shop.command(&["run", "shop", "--max-failures", "lots"])).expect(1);
    assert!(slip.stderr.contains("such as 2%"), "{}", slip.stderr);
    run("0", 2);
    run("4%", 2);
    run("5%", 0);
    let text = run("1", 0);
    assert!(text.contains("| 20 | 20 | 0 | 19 | 1 |"), "{text}");
    assert!(text.contains("bad&#124;name.jpg"), "{text}");
    let steps = fs::read_to_string(shop.path().join("steps.md")).unwrap();
    assert_eq!(steps.matches("### scraper run").count(), 4, "appended each time");
}

#[test]
fn a_source_that_ends_early_or_is_empty_hides_nothing() {
    let shop = Shop::new();
    let line = |n: u32| format!("{{\"id\":\"p{n}\",\"image\":\"shop/{n:02}.png\"}}\n");
    shop.folder(0..7);
    let all: String = (0..7).map(line).collect();
    shop.write("feed.jsonl", &all);
    shop.run("feed.jsonl", 0);
    let rows = || shop.export("s.db").lines().count();
    // A line that is too long is a record that cannot be read: it may be any of the others.
    let broken = format!("{}{}\n", line(0), "x".repeat(5 << 20));
    shop.write("feed.jsonl", broken);
    let summary = shop.run("feed.jsonl", 2);
    assert_eq!((&summary["bad_records"], &summary["vanished"]), (&1.into(), &0.into()));
    assert_eq!(rows(), 7);
    shop.write("feed.jsonl", "");
    assert_eq!(shop.run("feed.jsonl", 2)["vanished"], 0);
    assert_eq!(rows(), 7);

    shop.write("feed.jsonl", (0..5).map(line).collect::<String>());
    let summary = shop.run("feed.jsonl", 0);
    assert_eq!(summary["vanished"], 2, "{summary}");
    assert_eq!(rows(), 5, "hidden");
    let args = ["export", "--store", "s.db", "--vanished"];
    let with = ran(crate::support::scraper(shop.path()).args(args)).expect(0).lines();
    assert_eq!(with.len(), 7, "but kept");
    assert_eq!(with[6]["missed"], 1);
    for _ in 0..2 {
        assert_eq!(shop.run("feed.jsonl", 0)["removed"], 0);
    }
    assert_eq!(shop.run("feed.jsonl", 0)["removed"], 2);
    shop.write("feed.jsonl", all);
    assert_eq!(shop.run("feed.jsonl", 0)["embedded"], 2, "they had been removed");
}

#[test]
fn logs_are_json_on_request_and_shells_get_completions() {
    let shop = Shop::new();
    let server = Server::start(|_| Reply::ok(png(1)));
    shop.write("list.txt", format!("{}/a.png\n", server.url));
    // A folder cannot keep pages, which is worth a warning.
    let list = ["run", "list.txt", "--pages", "tiny", "--store", "s.db"];
    let args = [&list[..], &["--log-format", "json", "-q"]].concat();
    let stderr = ran(&mut shop.command(&args)).expect(0).stderr;
    let line: Value = serde_json::from_str(stderr.lines().next().unwrap()).unwrap();
    assert_eq!(line["level"], "WARN", "{line}");
    let mut command = crate::support::scraper(shop.path());
    let script = ran(command.args(["completions", "bash"])).expect(0).text();
    assert!(script.contains("--max-failures"), "not a word of it");
}
