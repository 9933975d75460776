//! A password that is planted everywhere is seen nowhere.

use std::{fs, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};

use crate::{
    server::{Reply, Server},
    shop::Shop,
    support::{Ran, png, ran, scraper},
};

const CANARY: &str = "CANARY7391";

fn is_clean(ran: &Ran, what: &str) {
    let stdout = String::from_utf8_lossy(&ran.stdout);
    for text in [&ran.stderr, stdout.as_ref()] {
        assert!(!text.contains(CANARY), "{what}: {text}");
    }
}

/// Files below `folder` that hold the password, but for those that `may`.
fn found_in(folder: &Path, may: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            found.extend(found_in(&path, may));
        } else if !may.contains(&name.as_str()) {
            let bytes = fs::read(&path).unwrap();
            if bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

/// Lets in who has the password.
fn server(password: &'static str) -> Server {
    let expected = format!("Basic {}", BASE64_STANDARD.encode(format!("me:{password}")));
    Server::start(move |request| {
        if request.header("authorization") != Some(&expected) {
            return Reply::status(401);
        }
        match request.path.as_str() {
            "/feed.jsonl" => Reply::ok(
                "{\"id\":\"1\",\"image\":\"/1.png\",\"url\":\"/p/1\"}\n\
                 {\"id\":\"2\",\"image\":\"/missing.png?sig=CANARY7391\"}\n",
            )
            .header("etag", "\"1\""),
            "/1.png" => Reply::ok(png(1)).header("etag", "\"1\""),
            _ => Reply::status(404),
        }
    })
}

#[test]
fn a_source_with_a_password_works_and_is_shown_without() {
    let shop = Shop::new();
    let server = server(CANARY);
    let host = server.url.trim_start_matches("http://");
    let feed = format!("http://me:{CANARY}@{host}/feed.jsonl");
    let run = |args: &[&str]| {
        let mut command = shop.command(&[&["run"], args].concat());
        command.args(["--store", "s.db", "--summary-json", "s.json", "--summary-markdown", "s.md"]);
        command.env("GITHUB_STEP_SUMMARY", shop.path().join("steps.md")).env("RUST_LOG", "trace");
        ran(&mut command)
    };
    for again in [false, true] {
        let ran = run(&[&feed]).expect(2);
        is_clean(&ran, "run");
        assert!(ran.stderr.contains(&format!("http://{host}/feed.jsonl")), "{}", ran.stderr);
        assert!(ran.text().contains(if again { "reused          1" } else { "embedded        1" }));
    }
    is_clean(&ran(scraper(shop.path()).args(["run", &feed, "--dry-run"])).expect(0), "dry run");
    let export = |format: &str| {
        let args = ["export", "--store", "s.db", "--format", format, "--output", format];
        is_clean(&ran(scraper(shop.path()).args(args)).expect(0), "export");
    };
    ["jsonl", "npy", "parquet", "web"].into_iter().for_each(export);
    for args in
        [&["search", "x", "--no-floor"][..], &["search", "x", "--no-floor", "--format", "json"]]
    {
        is_clean(&ran(shop.command(args).args(["--store", "s.db"])).expect(0), "search");
    }
    is_clean(&ran(scraper(shop.path()).args(["retry", "--list", "--store", "s.db"])), "retry");
    // The signature of an address is part of it, and stays in the store.
    assert_eq!(found_in(shop.path(), &["s.db", "s.db-wal"]), [""; 0]);
    let store = rusqlite::Connection::open(shop.path().join("s.db")).unwrap();
    let addresses: String = store
        .query_row(
            "SELECT group_concat(address || coalesce(message, '')) FROM images
                    LEFT JOIN quarantine USING (source, product, position)",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert!(!addresses.contains("me:"), "{addresses}");
    assert_eq!(addresses.matches(CANARY).count(), 1, "not in the message: {addresses}");

    // A retry knows the password from the settings.
    let settings = fs::read_to_string(shop.path().join("scraper.toml")).unwrap();
    let with = format!("{settings}[[source]]\nname = \"a\"\nkind = \"jsonl\"\nurl = \"{feed}\"\n");
    shop.write("scraper.toml", with);
    let before = server.requests().len();
    is_clean(&ran(&mut shop.command(&["retry", "--failed", "--store", "s.db"])).expect(2), "retry");
    assert!(server.requests()[before..].iter().all(|r| r.header("authorization").is_some()));
    is_clean(&run(&[]).expect(2), "settings");
}

#[test]
fn addresses_of_images_are_shown_without_a_password() {
    let shop = Shop::new();
    let server = server(CANARY);
    let host = server.url.trim_start_matches("http://");
    let with = |path: &str| format!("http://me:{CANARY}@{host}{path}");
    shop.write(
        "feed.jsonl",
        format!(
            "{{\"id\":\"1\",\"image\":\"{}\",\"url\":\"{}\"}}\n{{\"id\":\"2\",\"image\":\"{}\"}}\n\
             {{\"id\":\"3\",\"image\":\"ftp://me:{CANARY}@{host}/a.png\"}}\n\
             {{\"id\":\"4\",\"image\":\"http://me:{CANARY}@127.0.0.1:9/a.png\"}}\n",
            with("/1.png"),
            with("/p/1"),
            with("/gone.png?access_token=CANARY7391")
        ),
    );
    let mut command = shop.command(&["run", "feed.jsonl", "--store", "s.db", "-vv"]);
    command.args(["--summary-json", "s.json", "--summary-markdown", "s.md"]);
    command.env("GITHUB_STEP_SUMMARY", shop.path().join("steps.md")).env("RUST_LOG", "trace");
    let run = ran(&mut command).expect(2);
    is_clean(&run, "run");
    assert!(run.text().contains("embedded        1"), "{}", run.stderr);
    for format in ["jsonl", "npy", "parquet", "web"] {
        let args = ["export", "--store", "s.db", "--format", format, "--output", format];
        is_clean(&ran(scraper(shop.path()).args(args)).expect(0), "export");
    }
    let list = ran(scraper(shop.path()).args(["retry", "--list", "--store", "s.db"])).expect(0);
    is_clean(&list, "list");
    assert_eq!(list.lines().len(), 3);
    assert_eq!(found_in(shop.path(), &["feed.jsonl", "s.db", "s.db-wal"]), [""; 0]);
    let store = rusqlite::Connection::open(shop.path().join("s.db")).unwrap();
    let count = |sql: &str| store.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM quarantine WHERE message LIKE '%CANARY%'"), 0);
    assert_eq!(count("SELECT count(*) FROM products WHERE url LIKE '%CANARY%'"), 0);
}

#[test]
fn whatever_is_mistyped_is_not_echoed() {
    let shop = Shop::new();
    shop.folder(0..1);
    let stores = [
        "postgres://me:CANARY7391@127.0.0.1:9/shop?connect_timeout=1",
        "postgres://me:CANARY7391@127.0.0.1:port/shop",
        "postgres://me:CANARY7391@h/shop?nothing=1",
        "postgres://me:p?CANARY7391=x@127.0.0.1:9/shop?connect_timeout=1",
        "postgres//me:CANARY7391@h/shop",
        "postgres:/me:CANARY7391@h/shop",
        "postgres:me:CANARY7391@h/shop",
        "postgresql//me:CANARY7391@h",
        "postgres/me:CANARY7391@h/shop",
        "Postgres://me:CANARY7391@h/shop",
        "mysql://me:CANARY7391@h/shop",
        "host=h user=me password=CANARY7391 dbname=shop",
        "password='CANARY7391 CANARY7391' host=h",
    ];
    for store in stores {
        for first in [&["run", "shop"][..], &["search", "x"], &["retry", "--failed"]] {
            let mut command = shop.command(&[first, &["--store", store]].concat());
            let failed = ran(command.env("RUST_LOG", "trace")).expect(1);
            is_clean(&failed, store);
            assert!(failed.stderr.contains("ostgres"), "{store}: {}", failed.stderr);
        }
        shop.write("set.toml", format!("store = {store:?}\n"));
        let failed = ran(&mut shop.command(&["search", "x", "--config", "set.toml"])).expect(1);
        is_clean(&failed, store);
    }
    // Answers that are no reason to ask again.
    let server = Server::start(|_| Reply::status(404));
    let host = server.url.trim_start_matches("http://");
    let address = format!("http://me:CANARY7391@{host}/a.png?x=1&sig=CANARY7391");
    let address = address.as_str();
    for args in [
        &["run", "http//me:CANARY7391@h/feed.csv"][..],
        &["run", "http://me:CANARY7391@h:port/feed.csv"],
        &["run", address],
        &["run", address, "--kind", "csv"],
        &["run", "http://me:CANARY7391@127.0.0.1:9/feed.csv"],
        &["search", "--image", address, "--store", "s.db"],
        &["embed", address],
        &["embed", address, "--format", "json"],
        &["inspect", address],
        &["verify", "shop", "--endpoint", address],
        &["verify", "shop", "--endpoint", "http//me:CANARY7391@127.0.0.1:9/"],
        &["run", "shop", "--nothing", "http://me:CANARY7391@h/"],
    ] {
        let mut command = shop.command(args);
        let failed = ran(command.env("RUST_LOG", "trace"));
        assert_ne!(failed.code, 0, "{args:?}");
        is_clean(&failed, &args.join(" "));
    }
    shop.write(
        "bad.toml",
        "[[source]]\nname = \"a\"\nkind = \"no\"\nurl = \"http://me:CANARY7391@h/\"\n",
    );
    is_clean(&ran(&mut shop.command(&["run", "--config", "bad.toml"])).expect(1), "settings");
    // Proxies and mirrors.
    let proxy = format!("http://me:CANARY7391@{host}");
    for (name, value) in [
        ("HTTP_PROXY", proxy.as_str()),
        ("http_proxy", "//me:CANARY7391@proxy"),
        ("HF_ENDPOINT", &proxy),
    ] {
        let mut command = scraper(shop.path());
        command.args(["run", "http://127.0.0.1:9/feed.csv", "--dry-run", "-vv", "--allow-private"]);
        command.env(name, value).env("RUST_LOG", "trace").env("HF_HUB_OFFLINE", "0");
        is_clean(&ran(&mut command), name);
        let mut command = scraper(shop.path());
        command.args(["model", "pull", "a/b"]).env(name, value).env("HF_HUB_OFFLINE", "0");
        if name == "HF_ENDPOINT" {
            is_clean(&ran(&mut command).expect(1), name);
        }
    }
    assert_eq!(found_in(shop.path(), &["set.toml", "bad.toml"]), [""; 0]);
}
