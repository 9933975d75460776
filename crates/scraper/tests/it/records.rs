//! Postgres holds what SQLite does, and a record that a store cannot hold stops nothing.

use std::fs;

use serde_json::{Value, json};

use crate::{
    python::{UNWATCH, database, psql},
    shop::Shop,
    support::{png, ran, scraper},
};

fn run(shop: &Shop, store: &str, code: i32) -> Value {
    shop.run_into("feed.jsonl", store, code)
}

/// Texts that do not repeat, so that no compression makes them short.
fn noise(seed: u64, length: usize) -> String {
    let mut state = seed;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(
            b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
                [(state >> 58) as usize],
        )
    };
    (0..length).map(|_| next()).collect()
}

/// A shop with ids that are long, that differ in one character at their end, that hold NUL.
fn shop() -> Shop {
    let shop = Shop::new();
    let mut feed = String::new();
    let mut add = |id: &str, title: &str, image: &str| {
        feed += &format!("{}\n", json!({ "id": id, "title": title, "image": image }));
    };
    let long = noise(1, 2800);
    let longer = noise(2, 300_000);
    for (n, id) in [
        "a\0b",
        "a\u{fffd}b",
        "ab",
        "a\u{1}b",
        "a\u{1}\u{1}b",
        "a\u{2}b",
        "a",
        "a\0",
        "\0",
        "ok",
        &format!("{long}1"),
        &format!("{long}2"),
        &long,
        &longer,
        &format!("{longer}x"),
    ]
    .into_iter()
    .enumerate()
    {
        shop.write(&format!("{n}.png"), png(n as u32));
        add(id, &format!("title\0{n}\u{1}"), &format!("{n}.png"));
        add(&format!("{id}-fails"), "", &format!("none\0{n}.png"));
    }
    shop.write("feed.jsonl", feed);
    shop
}

#[test]
fn postgres_takes_what_sqlite_takes() {
    let shop = shop();
    let postgres = database();
    for again in [false, true] {
        let (here, there) = (run(&shop, &postgres, 2), run(&shop, "s.db", 2));
        for field in ["products", "images", "embedded", "reused", "failed", "vanished"] {
            assert_eq!(here[field], there[field], "{field}: {here}");
        }
        assert_eq!(here["products"], 30);
        assert_eq!(here["embedded"], if again { 0 } else { 15 });
        let export = shop.export(&postgres);
        assert_eq!(export, shop.export("s.db"));
        assert_eq!(export.lines().count(), 15);
    }
    let list = |store: &str| {
        ran(scraper(shop.path()).args(["retry", "--list", "--store", store])).expect(0).text()
    };
    assert_eq!(list(&postgres), list("s.db"));
    assert_eq!(list(&postgres).lines().count(), 15);
    let search = |store: &str, filter: &str| {
        let args = ["search", "x", "--no-floor", "--store", store, "--filter", filter];
        ran(shop.command(&args).args(["--format", "json"])).expect(0).text()
    };
    for filter in ["title~title", "id!=ok", "price!=1"] {
        assert_eq!(search(&postgres, filter), search("s.db", filter));
    }
    // What vanishes is swept in both.
    let text = fs::read_to_string(shop.path().join("feed.jsonl")).unwrap();
    let kept: String = text.lines().skip(2).take(24).map(|line| format!("{line}\n")).collect();
    shop.write("feed.jsonl", kept);
    assert_eq!(run(&shop, &postgres, 2)["vanished"], run(&shop, "s.db", 2)["vanished"]);
    assert_eq!(shop.export(&postgres), shop.export("s.db"));
}

/// A database as the version before this one left it.
#[test]
fn an_older_database_is_migrated_and_nothing_is_embedded_again() {
    let shop = Shop::new();
    let postgres = database();
    shop.folder(0..5);
    shop.write(
        "feed.jsonl",
        (0..5)
            .map(|i| {
                format!(
                    "{}\n",
                    json!({ "id": format!("p\u{1}{i}"), "image": format!("shop/{i:02}.png") })
                )
            })
            .collect::<String>()
            + &format!("{}\n", json!({ "id": "gone", "image": "none.png" })),
    );
    run(&shop, &postgres, 2);
    let export = shop.export(&postgres);
    // Back to the tables of version 1.
    psql(&postgres, UNWATCH);
    psql(
        &postgres,
        r#"
        SET search_path = clip_scraper, public;
        ALTER TABLE quarantine DROP COLUMN key CASCADE;
        ALTER TABLE images DROP COLUMN key CASCADE;
        ALTER TABLE products DROP COLUMN key CASCADE;
        ALTER TABLE queue DROP COLUMN key CASCADE;
        DROP INDEX IF EXISTS queue_open;
        DROP FUNCTION key(text, text);
        UPDATE products SET id = replace(id, E'\x01\x02', E'\x01');
        UPDATE images SET product = replace(product, E'\x01\x02', E'\x01');
        UPDATE quarantine SET product = replace(product, E'\x01\x02', E'\x01');
        ALTER TABLE products ADD PRIMARY KEY (source, id);
        ALTER TABLE images ADD PRIMARY KEY (source, product, position),
            ADD FOREIGN KEY (source, product) REFERENCES products ON DELETE CASCADE;
        ALTER TABLE quarantine ADD PRIMARY KEY (source, product, position),
            ADD FOREIGN KEY (source, product, position) REFERENCES images ON DELETE CASCADE;
        ALTER TABLE queue ADD PRIMARY KEY (source, product, position);
        CREATE INDEX queue_open ON queue (lease, source, product, position) WHERE NOT done;
        ALTER TABLE products DROP COLUMN page, DROP COLUMN born, DROP COLUMN unread;
        DROP TABLE source_failures;
        ALTER TABLE sources DROP COLUMN zone;
        DROP TABLE damaged;
        UPDATE version SET number = 1;
    "#,
    );
    assert_eq!(shop.export(&postgres), export);
    let again = run(&shop, &postgres, 2);
    assert_eq!(
        (&again["embedded"], &again["reused"], &again["failed"]),
        (&0.into(), &5.into(), &1.into())
    );
    assert_eq!(shop.export(&postgres), export);
}

#[test]
fn a_record_that_the_store_cannot_hold_is_a_failure_of_that_record() {
    let shop = Shop::new();
    let postgres = database();
    let line = |i: u32| {
        shop.write(&format!("{i}.png"), png(i));
        format!(
            "{}\n",
            json!({ "id": format!("p{i:02}"), "title": format!("T{i}"), "image": format!("{i}.png") })
        )
    };
    let feed: String = (0..20).map(line).collect();
    shop.write("feed.jsonl", feed.lines().take(1).collect::<String>());
    for store in [&postgres, "s.db"] {
        run(&shop, store, 0);
    }
    // A rule of the database's owner, which the product 7 breaks.
    psql(&postgres, "ALTER TABLE clip_scraper.products ADD CHECK (title <> 'T7')");
    rusqlite::Connection::open(shop.path().join("s.db"))
        .unwrap()
        .execute_batch(
            "CREATE TRIGGER rule BEFORE UPDATE ON products WHEN new.title = 'T7'
             BEGIN SELECT raise(ABORT, 'T7 is against the rule'); END",
        )
        .unwrap();
    shop.write("feed.jsonl", &feed);
    for store in [&postgres, "s.db"] {
        let summary = run(&shop, store, 2);
        let kinds = &summary["failures_by_kind"]["store.record"];
        assert!(kinds.as_u64().is_some_and(|n| n >= 1), "{summary}");
        let told = summary["first_failures"].as_array().unwrap();
        assert!(told.iter().any(|note| note["product"] == "p07"), "{told:?}");
        let rows = shop.export(store);
        assert_eq!(rows.lines().count(), 19, "the others are stored");
        assert!(!rows.contains("\"p07\""));
    }
}
