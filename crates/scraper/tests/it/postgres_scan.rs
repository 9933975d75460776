//! The scan that a machine keeps of a Postgres store.

use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use scraper_lib::store::{PostgresStore, Stamp, Store, View};
use serde_json::Value;

use crate::{
    python::{UNWATCH, database, psql},
    serve::Serving,
    shop::Shop,
    support::{png, ran, scraper},
};

/// Folders of scans in the cache of the shop's user.
fn scans(shop: &Shop) -> Vec<PathBuf> {
    let entries = fs::read_dir(shop.path().join(".cache/clip-scraper")).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect()
}

fn manifest(shop: &Shop) -> Option<Vec<u8>> {
    fs::read(scans(shop).first()?.join("manifest.json")).ok()
}

fn stamp(postgres: &str) -> Stamp {
    PostgresStore::open(&postgres.parse().unwrap()).unwrap().stamp().unwrap().expect("a stamp")
}

fn shop_of(count: u32) -> Shop {
    let shop = Shop::new();
    let mut csv = "id,title,brand,image\n".to_owned();
    for i in 0..count {
        shop.write(&format!("images/{i}.png"), png(i));
        csv += &format!(
            "p{i},Title {},Brand,images/{i}.png|images/{}.png\n",
            i % 3,
            (i * 7 + 1) % count
        );
    }
    shop.write("feed.csv", &csv);
    shop
}

#[test]
fn it_finds_what_the_database_finds() {
    let shop = shop_of(40);
    let postgres = database();
    shop.run_into("feed.csv", &postgres, 0);
    assert!(scans(&shop).is_empty(), "a run makes none where nobody asked for one");
    let search = |args: &[&str]| {
        let mut command = shop.command(&["search", "--store", &postgres, "--format", "json"]);
        ran(command.args(args)).expect(0).text()
    };
    let questions = [
        &["title 1", "--no-floor", "--top", "1000"][..],
        &["title 1", "--mode", "words", "--filter", "id!=p4"],
        &["titel"],
        &["red floral dress", "--mode", "vector", "--no-floor", "--top", "1000"],
        &["red floral dress", "--mode", "vector", "--filter", "title=title 1"],
        &["--image", "images/7.png", "--top", "3"],
    ];
    let ask = || questions.map(search);
    let before = ask();
    let index = ["index", "--scan", "--store", &postgres];
    let said = ran(scraper(shop.path()).args(index)).expect(0).text();
    assert!(said.contains("The scan of 80 vectors is ready."), "{said}");
    let said = ran(scraper(shop.path()).args(index)).expect(0).text();
    assert!(said.contains("as it is"), "{said}");
    assert_eq!(ask(), before);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&scans(&shop)[0]).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "nobody else may read what the database gave to this user");
    }

    // The database is not asked for vectors any more: without telling anybody, they are gone.
    psql(&postgres, "SET session_replication_role = replica; DELETE FROM clip_scraper.vectors_1");
    assert_eq!(ask(), before);
    psql(&postgres, "DELETE FROM clip_scraper.images WHERE position = 0");
    assert_ne!(ask(), before, "what is told of the products is the database's");
}

/// Every change that search sees gives another name, whoever makes it, and nothing else does.
#[test]
fn a_change_has_another_stamp_and_a_second_night_has_not() {
    let shop = shop_of(9);
    let postgres = database();
    let empty = stamp(&postgres);
    shop.run_into("feed.csv", &postgres, 0);
    let mut known = vec![empty, stamp(&postgres)];
    assert_ne!(known[0], known[1]);
    shop.run_into("feed.csv", &postgres, 0);
    assert_eq!(stamp(&postgres), known[1], "nothing has changed");
    for sql in [
        "UPDATE products SET seen = seen + 1, description = 'x', url = 'u' WHERE id = 'p1'",
        "UPDATE images SET etag = 'x' WHERE product = 'p1'",
        "UPDATE products SET title = 'title 1' WHERE id = 'none'",
        "BEGIN; DELETE FROM products; ROLLBACK",
        "INSERT INTO changes SELECT false, number FROM generate_series(-700, 700) number",
    ] {
        psql(&postgres, &format!("SET search_path = clip_scraper; {sql}"));
        assert_eq!(stamp(&postgres), known[1], "{sql}");
    }
    shop.run_into("feed.csv", &postgres, 0);
    assert_eq!(stamp(&postgres), known[1], "nothing has changed");
    let changes = psql(&postgres, "SELECT count(*) FROM clip_scraper.changes");
    assert_eq!(changes, "2", "their sums are kept");

    for sql in [
        "UPDATE products SET title = 'y' WHERE id = 'p1'",
        "UPDATE products SET attributes = '{\"size\":\"m\"}' WHERE id = 'p1'",
        "UPDATE products SET price = 3 WHERE id = 'p1'",
        "UPDATE products SET availability = 'in stock' WHERE id = 'p1'",
        "UPDATE products SET missed = 1 WHERE id = 'p1'",
        "INSERT INTO products (source, id, attributes, seen) VALUES ('s', 'i', '{}', 1)",
        "DELETE FROM products WHERE id = 'i'",
        "UPDATE images SET address = 'z' WHERE product = 'p2' AND position = 0",
        "UPDATE images SET sha256 = NULL WHERE product = 'p2' AND position = 0",
        "DELETE FROM images WHERE product = 'p3' AND position = 0",
        "UPDATE vectors_1 SET embedding = embedding * embedding",
        "SAVEPOINT a; DELETE FROM images; ROLLBACK TO a; DELETE FROM vectors_1 WHERE sha256 = (SELECT sha256 FROM vectors_1 LIMIT 1)",
        "UPDATE provenances SET json = json || ' '",
        "TRUNCATE images CASCADE",
        "TRUNCATE vectors_1",
    ] {
        psql(&postgres, &format!("SET search_path = clip_scraper, public; BEGIN; {sql}; COMMIT"));
        let now = stamp(&postgres);
        assert!(!known.contains(&now), "{sql}");
        known.push(now);
    }
    let other =
        ["run", "feed.csv", "--store", &postgres, "--profile", "transformers5", "--reembed"];
    ran(&mut shop.command(&other)).expect(0);
    let now = stamp(&postgres);
    psql(&postgres, "DELETE FROM clip_scraper.vectors_2 WHERE ctid = '(0,1)'");
    assert_ne!(stamp(&postgres), now, "a table of vectors that is newer than the triggers");
}

#[test]
fn a_store_of_an_older_version_is_watched_too() {
    let shop = shop_of(3);
    let postgres = database();
    shop.run_into("feed.csv", &postgres, 0);
    // As version 5 left it.
    psql(&postgres, &format!("{UNWATCH} UPDATE clip_scraper.version SET number = 5"));
    let before = stamp(&postgres);
    assert_eq!(stamp(&postgres), before);
    psql(&postgres, "DELETE FROM clip_scraper.vectors_1 WHERE ctid = '(0,1)'");
    assert_ne!(stamp(&postgres), before);
}

/// A role that was let read the tables of an older version.
#[test]
fn who_may_not_read_the_changes_finds_all_the_same() {
    let shop = shop_of(3);
    let postgres = database();
    shop.run_into("feed.csv", &postgres, 0);
    psql(
        &postgres,
        "CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA clip_scraper TO reader;
         GRANT SELECT ON ALL TABLES IN SCHEMA clip_scraper TO reader;
         REVOKE SELECT ON clip_scraper.changes FROM reader",
    );
    let reader = postgres.replace("postgres:@", "reader:@");
    assert_ne!(reader, postgres);
    let search = |store: &str| {
        let mut command = shop.command(&["search", "title 1", "--store", store, "--no-floor"]);
        ran(command.args(["--format", "json"])).expect(0).text()
    };
    assert_eq!(search(&reader), search(&postgres));
    let index = ["index", "--scan", "--store", &reader];
    let said = ran(scraper(shop.path()).args(index)).expect(0).text();
    assert!(said.contains("does not say when it changes"), "{said}");
}

/// A server that has opened the store before the first run.
#[test]
fn a_connection_sees_what_others_have_begun() {
    let shop = shop_of(3);
    let postgres = database();
    let store = PostgresStore::open(&postgres.parse().unwrap()).unwrap();
    shop.run_into("feed.csv", &postgres, 0);
    let mut rows = 0;
    let mut count = |_| {
        rows += 1;
        true
    };
    store.rows(&View::default(), &mut count).unwrap();
    assert_eq!(rows, 6);
}

/// Products with vectors, without images to read.
fn many(postgres: &str, count: usize) {
    psql(
        postgres,
        &format!(
            "SET search_path = clip_scraper, public;
             INSERT INTO products (source, id, title, attributes, seen)
                 SELECT 'many', 'm' || n, 'Thing ' || n % 7, '{{}}', 1 FROM generate_series(1, {count}) n;
             INSERT INTO images (source, product, position, address, sha256)
                 SELECT 'many', 'm' || n, 0, 'https://shop.example/' || n, sha256(n::text::bytea)
                 FROM generate_series(1, {count}) n;
             INSERT INTO vectors_1
                 SELECT sha256(n::text::bytea),
                     (SELECT array_agg(sin(n * (k + 1))) FROM generate_series(1, 16) k)::vector
                 FROM generate_series(1, {count}) n"
        ),
    );
}

#[test]
fn a_server_keeps_its_scan_like_the_store() {
    let shop = shop_of(3);
    let postgres = database();
    shop.run_into("feed.csv", &postgres, 0);
    many(&postgres, 2500);
    let serving = Serving::start(&shop, &["--store", &postgres]);
    let until = |what: &str, done: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(60);
        while !done() {
            assert!(Instant::now() < deadline, "{what}");
            thread::sleep(Duration::from_millis(50));
        }
    };
    let found = |target: &str| -> Vec<String> {
        let answer: Value = serving.get(target).send().expect(200).json();
        let ids = answer["found"].as_array().unwrap().iter().map(|hit| hit["id"].as_str().unwrap());
        ids.map(str::to_owned).collect()
    };
    let words = "/search?text=thing%203&mode=words&top=5";
    let before = found(words);
    assert_eq!(before.len(), 5);
    until("the first scan", &|| manifest(&shop).is_some());
    assert_eq!(found(words), before);
    let first = manifest(&shop);

    // A change by others is made a scan of when it is over.
    psql(&postgres, &format!("DELETE FROM clip_scraper.products WHERE id = '{}'", before[0]));
    until("the next scan", &|| manifest(&shop) != first);
    let after = found(words);
    assert_eq!(after[..4], before[1..]);
    // The database is not asked for words any more.
    psql(&postgres, "SET session_replication_role = replica; TRUNCATE clip_scraper.vectors_1");
    assert_eq!(found(words), after);
}
