use rusqlite::Connection;

use super::*;
use crate::{
    fetch::Validators,
    report::{KeptSource, MaxFailures},
    source::Product,
    store::{Filter, ImageKey},
};

fn provenance(weights: &str) -> Provenance {
    Provenance {
        model: "m".into(),
        revision: None,
        weights: weights.into(),
        tokenizer: None,
        preprocessing: "hf-endpoint".into(),
        numerics: 1,
        device: "exact".into(),
        adapter: None,
    }
}

fn product(id: &str, images: &[&str]) -> Write {
    Write::Product(Product {
        id: id.into(),
        title: Some(format!("Title {id}")),
        images: images.iter().map(|&i| i.into()).collect(),
        ..Product::default()
    })
}

fn key(product: &str, position: u32, address: &str) -> ImageKey {
    ImageKey { source: String::new(), product: product.into(), position, address: address.into() }
}

fn image(product: &str, position: u32, address: &str, hash: u8) -> Write {
    let etag = Some(&*format!("etag {hash}"));
    let validators = Validators { etag: etag.map(str::to_owned), last_modified: None };
    Write::Image { key: key(product, position, address), hash: [hash; 32], bytes: 10, validators }
}

fn vector(hash: u8, values: &[f32]) -> Write {
    Write::Vector { hash: [hash; 32], values: values.to_vec(), damaged: false }
}

fn rows(store: &SqliteStore) -> Vec<(String, String, Vec<f32>)> {
    let mut rows = Vec::new();
    store
        .rows(&View::default(), &mut |row| {
            rows.push((row.product.id, row.image, row.values));
            true
        })
        .unwrap();
    rows
}

/// Products may vanish, however many.
fn any(keep: u32) -> Vanishing {
    Vanishing { keep, most: MaxFailures::Percent(100.0) }
}

#[test]
fn vectors_come_back_to_the_bit_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let values = [f32::MIN_POSITIVE / 2.0, -0.0, 1.0 / 3.0];
    {
        let mut store = SqliteStore::open(&path).unwrap();
        store.begin(&provenance("w"), 1, false).unwrap();
        store
            .apply(&[
                product("b", &["b0"]),
                product("a", &["a0", "a1"]),
                image("b", 0, "b0", 1),
                image("a", 1, "a1", 1),
                vector(1, &values),
                vector(1, &[9.0; 3]), // the same bytes again: the first stays
            ])
            .unwrap();
    }
    let store = SqliteStore::open_existing(&path).unwrap();
    let rows = rows(&store);
    let names: Vec<_> = rows.iter().map(|r| (r.0.as_str(), r.1.as_str())).collect();
    assert_eq!(names, [("a", "a1"), ("b", "b0")]);
    assert!(rows.iter().all(|r| r.2.iter().zip(values).all(|(a, b)| a.to_bits() == b.to_bits())));
    assert_eq!(store.provenance().unwrap(), Some(provenance("w")));
}

#[test]
fn damaged_files_are_remembered_until_no_image_has_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let mut store = SqliteStore::open(&path).unwrap();
    store.begin(&provenance("w"), 1, false).unwrap();
    let broken = Write::Vector { hash: [1; 32], values: vec![1.0], damaged: true };
    store
        .apply(&[
            product("a", &["a0", "a1"]),
            image("a", 0, "a0", 1),
            image("a", 1, "a1", 2),
            broken,
            vector(2, &[2.0]),
        ])
        .unwrap();
    let damaged = |store: &SqliteStore| {
        let mut flags = Vec::new();
        store
            .rows(&View::default(), &mut |row| {
                flags.push(row.damaged);
                true
            })
            .unwrap();
        flags
    };
    assert_eq!(damaged(&store), [true, false]);
    drop(store);
    let mut store = SqliteStore::open(&path).unwrap();
    assert_eq!(damaged(&store), [true, false], "after closing");
    // The shop replaces the broken file.
    store.begin(&provenance("w"), 1, false).unwrap();
    store.apply(&[image("a", 0, "a0", 3), vector(3, &[3.0])]).unwrap();
    assert_eq!(damaged(&store), [false, false]);
}

#[test]
fn another_provenance_is_refused_and_reembed_changes_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&dir.path().join("s.db")).unwrap();
    store.begin(&provenance("old"), 1, false).unwrap();
    store.apply(&[product("a", &["a0"]), image("a", 0, "a0", 1), vector(1, &[1.0])]).unwrap();

    let error = store.begin(&provenance("new"), 1, false).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("weights old in the store, new now"), "{text}");
    assert!(text.contains("another store") && text.contains("anew"), "{text}");
    assert_eq!(rows(&store).len(), 1);

    store.begin(&provenance("new"), 1, true).unwrap();
    assert!(rows(&store).is_empty(), "old vectors are not mixed in");
    assert!(!store.lookup().unwrap().has_vector(&[1; 32]).unwrap());
    store.apply(&[vector(1, &[2.0])]).unwrap();
    assert_eq!(rows(&store)[0].2, [2.0]);
}

#[test]
fn an_old_store_learns_its_tokenizer_and_keeps_its_vectors() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&dir.path().join("s.db")).unwrap();
    let with = |digest: &str| Provenance { tokenizer: Some(digest.into()), ..provenance("w") };
    store.begin(&provenance("w"), 1, false).unwrap();
    store.apply(&[product("a", &["a0"]), image("a", 0, "a0", 1), vector(1, &[1.0])]).unwrap();
    for run in [with("t"), provenance("w"), with("t")] {
        store.begin(&run, 1, false).unwrap();
        assert_eq!(store.provenance().unwrap(), Some(with("t")));
        assert_eq!(rows(&store).len(), 1);
    }
    let error = store.begin(&with("u"), 1, false).unwrap_err().to_string();
    assert!(error.contains("tokenizer t in the store, u now"), "{error}");
}

#[test]
fn an_image_at_a_new_address_is_forgotten_and_a_failure_clears_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&dir.path().join("s.db")).unwrap();
    store.begin(&provenance("w"), 1, false).unwrap();
    let fail = |position, address| Write::Failure {
        key: key("a", position, address),
        kind: "k".into(),
        message: "m".into(),
    };
    store
        .apply(&[
            product("a", &["x", "y", "z"]),
            image("a", 0, "x", 1),
            image("a", 1, "y", 2),
            vector(1, &[1.0]),
            vector(2, &[2.0]),
            fail(0, "x"),
            fail(2, "z"),
        ])
        .unwrap();
    let mut lookup = store.lookup().unwrap();
    let mut etag = |key| lookup.validators(&key).unwrap().and_then(|v| v.etag);
    let known = etag(key("a", 0, "x"));
    assert_eq!(known.as_deref(), Some("etag 1"), "a failure keeps what is known");
    assert_eq!(etag(key("a", 0, "other")), None);
    assert_eq!(store.failures().unwrap().len(), 2);

    store
        .apply(&[Write::Unchanged { key: key("a", 0, "x") }, product("a", &["x", "new"])])
        .unwrap();
    store.apply(&[image("a", 1, "y", 2)]).unwrap(); // late, of the old address: dropped
    assert_eq!(etag(key("a", 1, "new")), None);
    assert_eq!(rows(&store), [("a".into(), "x".into(), vec![1.0])]);
    assert!(store.failures().unwrap().is_empty(), "cleared by success, and with the image");
}

#[test]
fn foreign_newer_and_damaged_files_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("other.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    assert!(matches!(SqliteStore::open(&path), Err(StoreError::Foreign(_))));

    let path = dir.path().join("newer.db");
    drop(SqliteStore::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(SqliteStore::open(&path), Err(StoreError::Newer { found: 99, .. })));

    let path = dir.path().join("text.db");
    std::fs::write(&path, "not a database, but long enough to look at ".repeat(50)).unwrap();
    assert!(matches!(SqliteStore::open(&path), Err(StoreError::Damaged(_))));

    let path = dir.path().join("none.db");
    assert!(matches!(SqliteStore::open_existing(&path), Err(StoreError::Missing(_))));
}

fn ids(store: &SqliteStore, view: &View) -> Vec<String> {
    let mut ids = Vec::new();
    store
        .rows(view, &mut |row| {
            ids.push(format!("{}/{}", row.product.source, row.product.id));
            true
        })
        .unwrap();
    ids
}

fn of(source: &str, id: &str) -> Write {
    let images = vec![format!("{source}{id}")];
    Write::Product(Product { source: source.into(), id: id.into(), images, ..Product::default() })
}

/// A product with a vector.
fn stored(source: &str, id: &str, hash: u8) -> [Write; 3] {
    let (source_, address) = (source.to_owned(), format!("{source}{id}"));
    let key = ImageKey { source: source_, product: id.into(), position: 0, address };
    let validators = Validators::default();
    let image = Write::Image { key, hash: [hash; 32], bytes: 1, validators };
    [of(source, id), image, vector(hash, &[f32::from(hash)])]
}

#[test]
fn what_vanished_is_hidden_kept_for_some_runs_and_removed_with_its_vectors() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&dir.path().join("s.db")).unwrap();
    let begin = |store: &mut SqliteStore| store.begin(&provenance("w"), 1, false).unwrap();
    let sources = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    begin(&mut store);
    for write in [stored("a", "1", 1), stored("a", "2", 2), stored("b", "1", 3)] {
        store.apply(&write).unwrap();
    }
    assert_eq!(store.sweep(&sources(&["a", "b"]), &any(2)).unwrap(), Swept::default());
    assert_eq!(ids(&store, &View::default()), ["a/1", "a/2", "b/1"], "ids are per source");

    let all = View { vanished: true, ..View::default() };
    for run in 1..=3 {
        begin(&mut store);
        store.apply(&[of("a", "1")]).unwrap();
        // b was not read to its end: nothing of it is marked.
        let swept = store.sweep(&sources(&["a"]), &any(2)).unwrap();
        assert_eq!(ids(&store, &View::default()), ["a/1", "b/1"]);
        assert_eq!(swept.marked, u64::from(run == 1));
        assert_eq!(swept.removed, u64::from(run == 3));
        assert_eq!(ids(&store, &all).len(), if run == 3 { 2 } else { 3 });
    }
    let vectors = || store.connection.query_row("SELECT count(*) FROM vectors", [], |r| r.get(0));
    assert_eq!(vectors(), Ok(2), "the vector went with its last product");
    assert!(store.lookup().unwrap().has_vector(&[3; 32]).unwrap());
}

#[test]
fn a_result_without_its_product_is_an_error_and_an_image_without_a_result_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&dir.path().join("s.db")).unwrap();
    store.begin(&provenance("w"), 1, false).unwrap();
    let early = store.apply(&[vector(1, &[1.0]), image("a", 0, "x", 1)]).unwrap_err();
    assert!(matches!(early, StoreError::NoRow { .. }), "{early}");
    let fail = |address| Write::Failure {
        key: key("a", 0, address),
        kind: "k".into(),
        message: "m".into(),
    };
    assert!(matches!(store.apply(&[fail("x")]), Err(StoreError::NoRow { .. })));

    store.apply(&[product("a", &["x", "y"])]).unwrap();
    assert_eq!(store.unsettled().unwrap(), 2);
    store.apply(&[vector(1, &[1.0]), image("a", 0, "x", 1)]).unwrap();
    assert_eq!(store.unsettled().unwrap(), 1, "a vector settles");
    let failure = Write::Failure { key: key("a", 1, "y"), kind: "k".into(), message: "m".into() };
    store.apply(&[failure]).unwrap();
    assert_eq!(store.unsettled().unwrap(), 0, "a failure settles");
    store.begin(&provenance("w"), 1, false).unwrap();
    assert_eq!(store.unsettled().unwrap(), 0, "products of other runs are not this run's");
    store.begin(&provenance("w2"), 1, true).unwrap();
    store.apply(&[product("a", &["x", "y"])]).unwrap();
    assert_eq!(store.unsettled().unwrap(), 1, "a vector of another model settles nothing");
}

#[test]
fn of_a_source_that_lost_too_much_nothing_vanishes() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&dir.path().join("s.db")).unwrap();
    let sources = [String::new()];
    let products =
        |range: std::ops::Range<u8>| range.map(|n| of("", &n.to_string())).collect::<Vec<_>>();
    let careful = Vanishing { keep: 0, most: MaxFailures::Percent(30.0) };
    store.begin(&provenance("w"), 1, false).unwrap();
    store.apply(&products(0..10)).unwrap();
    assert_eq!(store.sweep(&sources, &careful).unwrap(), Swept::default());

    // 4 of 10 are missing; that 20 others are new does not make it less.
    store.begin(&provenance("w"), 1, false).unwrap();
    store.apply(&products(4..30)).unwrap();
    let kept = KeptSource { source: String::new(), missing: 4, of: 10 };
    let swept = store.sweep(&sources, &careful).unwrap();
    assert_eq!(swept, Swept { kept: vec![kept], ..Swept::default() });
    let visible = |store: &SqliteStore| -> i64 {
        let sql = "SELECT count(*) FROM products WHERE missed = 0";
        store.connection.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(visible(&store), 30);
    // 4 of 30 are fine; who accepts it has it for more.
    store.begin(&provenance("w"), 1, false).unwrap();
    store.apply(&products(4..30)).unwrap();
    assert_eq!(store.sweep(&sources, &careful).unwrap().removed, 4);
    store.begin(&provenance("w"), 1, false).unwrap();
    store.apply(&products(4..5)).unwrap();
    assert_eq!(store.sweep(&sources, &any(0)).unwrap().removed, 25);
    assert_eq!(visible(&store), 1);
}

#[test]
fn a_product_whose_page_cannot_be_read_counts_as_seen() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&dir.path().join("s.db")).unwrap();
    let paged = |id: &str, page: Option<&str>| {
        let (id, page) = (id.to_owned(), page.map(str::to_owned));
        Write::Product(Product { id, page, ..Product::default() })
    };
    let unread = |page: &str, id: &str| Write::Unread {
        source: String::new(),
        page: page.into(),
        id: id.into(),
    };
    store.begin(&provenance("w"), 1, false).unwrap();
    store
        .apply(&[
            paged("a", Some("https://x/p/a")),
            paged("p/b", None), // of an older store
            paged("c", Some("https://x/p/c")),
        ])
        .unwrap();
    store.begin(&provenance("w"), 1, false).unwrap();
    store.apply(&[unread("https://x/p/a", "p/a"), unread("https://x/p/b", "p/b")]).unwrap();
    assert_eq!(store.sweep(&[String::new()], &any(0)).unwrap().removed, 1, "c alone");
    let left: i64 =
        store.connection.query_row("SELECT count(*) FROM products", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 2);
}

#[test]
fn failures_besides_images_last_until_the_product_or_the_next_reading_comes() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&dir.path().join("s.db")).unwrap();
    store.begin(&provenance("w"), 1, false).unwrap();
    let failure = |place: &str| Write::SourceFailure {
        source: String::new(),
        place: place.into(),
        kind: "k".into(),
        message: "m".into(),
    };
    let places = |store: &SqliteStore| {
        let failures = store.source_failures().unwrap();
        failures.into_iter().map(|failure| failure.place).collect::<Vec<_>>()
    };
    store.apply(&[failure("https://x/1"), failure("f.csv, record 3"), failure("7")]).unwrap();
    assert_eq!(places(&store), ["7", "f.csv, record 3", "https://x/1"]);
    let (id, page) = ("7".to_owned(), Some("https://x/1".to_owned()));
    store.apply(&[Write::Product(Product { id, page, ..Product::default() })]).unwrap();
    assert_eq!(places(&store), ["f.csv, record 3"]);
    store.apply(&[Write::Source { name: String::new(), base: Base::Web }]).unwrap();
    assert_eq!(places(&store), [""; 0]);
}

#[test]
fn a_product_that_comes_back_is_as_before() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&dir.path().join("s.db")).unwrap();
    let sources = [String::new()];
    store.begin(&provenance("w"), 1, false).unwrap();
    store.apply(&stored("", "1", 1)).unwrap();
    store.apply(&stored("", "2", 2)).unwrap();
    store.begin(&provenance("w"), 1, false).unwrap();
    store.apply(&[of("", "1")]).unwrap();
    assert_eq!(store.sweep(&sources, &any(3)).unwrap().marked, 1);
    store.begin(&provenance("w"), 1, false).unwrap();
    store.apply(&[of("", "1"), of("", "2")]).unwrap();
    assert_eq!(store.sweep(&sources, &any(3)).unwrap(), Swept::default());
    assert_eq!(ids(&store, &View::default()), ["/1", "/2"]);
}

#[test]
fn facts_come_back_and_filters_choose() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&dir.path().join("s.db")).unwrap();
    store.begin(&provenance("w"), 1, false).unwrap();
    let dress = Product {
        id: "1".into(),
        title: Some("Dress".into()),
        description: Some("Long.".into()),
        url: Some("https://shop/1".into()),
        brand: Some("Acme".into()),
        category: Some("dresses".into()),
        price: Some(0.1 + 0.2),
        currency: Some("EUR".into()),
        availability: Some(crate::source::Availability::Preorder),
        attributes: [("color".into(), "red \"deep\"".into())].into(),
        images: vec!["1".into()],
        ..Product::default()
    };
    let mut writes = vec![Write::Product(dress.clone()), image("1", 0, "1", 1), vector(1, &[1.0])];
    writes.extend(stored("", "2", 2));
    store.apply(&writes).unwrap();
    let filter = Filter::parse(&["color~deep", "availability=preorder"]).unwrap();
    let mut found = Vec::new();
    let view = View { filter, ..View::default() };
    store
        .rows(&view, &mut |row| {
            found.push(row.product);
            true
        })
        .unwrap();
    assert_eq!(found, [Product { images: Vec::new(), ..dress }]);
}

#[test]
fn who_may_name_files_is_kept_and_guessed_for_older_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    schema::old_version(&path, 2);
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("INSERT INTO sources VALUES ('a', '/x'), ('b', '')").unwrap();
    drop(connection);
    let mut store = SqliteStore::open(&path).unwrap();
    let base = |store: &SqliteStore, name: &str| {
        let sources = store.sources().unwrap();
        sources.into_iter().find(|(found, _)| found == name).map(|(_, base)| base)
    };
    assert_eq!(base(&store, "a"), Some(Base::Local("/x".into())));
    assert_eq!(base(&store, "b"), Some(Base::Web));
    store.begin(&provenance("w"), 1, false).unwrap();
    for new in [Base::Tree("/y".into()), Base::Web, Base::Local("/z".into())] {
        store.apply(&[Write::Source { name: "a".into(), base: new.clone() }]).unwrap();
        assert_eq!(base(&store, "a"), Some(new));
    }
}

#[test]
fn a_file_of_the_first_version_is_migrated() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    schema::old_version(&path, 1);
    let connection = Connection::open(&path).unwrap();
    let json = serde_json::to_string(&provenance("w")).unwrap();
    connection.execute("INSERT INTO provenances VALUES (7, ?1)", [&json]).unwrap();
    connection
        .execute_batch(
            "INSERT INTO current VALUES (1, 7);
             INSERT INTO products VALUES ('p', 'T', 'https://shop/p'), ('q', NULL, NULL);
             INSERT INTO images VALUES ('p', 0, 'a.png', zeroblob(32), 9, 'e', NULL),
                                       ('q', 0, 'b.png', NULL, NULL, NULL, NULL);
             INSERT INTO vectors VALUES (zeroblob(32), 7, x'0000803f');
             INSERT INTO quarantine VALUES ('q', 0, 'fetch.status', '404');",
        )
        .unwrap();
    drop(connection);
    let mut store = SqliteStore::open(&path).unwrap();
    assert_eq!(rows(&store), [("p".into(), "a.png".into(), vec![1.0])]);
    assert_eq!(store.failures().unwrap()[0].key, key("q", 0, "b.png"));
    store.begin(&provenance("w"), 1, false).unwrap();
    let validators = store.lookup().unwrap().validators(&key("p", 0, "a.png")).unwrap();
    assert_eq!(validators.and_then(|v| v.etag).as_deref(), Some("e"));
    // References still hold: the images go with their product.
    store.connection.execute("DELETE FROM products WHERE id = 'q'", []).unwrap();
    assert!(store.failures().unwrap().is_empty());
}

#[test]
fn shards_are_merged_and_only_their_own_products_count() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let shard = |text: &str| text.parse::<Shard>().unwrap();
    let names: Vec<String> = (0..20).map(|i| format!("p{i:02}")).collect();
    // Last night's store, of which each shard starts with a copy.
    {
        let mut store = SqliteStore::open(&path("old.db")).unwrap();
        store.begin(&provenance("w"), 1, false).unwrap();
        for (i, name) in (1..).zip(&names) {
            store.apply(&stored("", name, i)).unwrap();
        }
    }
    let gone = &names[3];
    for i in 1..=2 {
        std::fs::copy(path("old.db"), path(&format!("{i}.db"))).unwrap();
        let share = shard(&format!("{i}/2"));
        let mut store =
            SqliteStore::open(&path(&format!("{i}.db"))).unwrap().with_shard(Some(share));
        store.begin(&provenance("w"), 1, false).unwrap();
        for (n, name) in (101..).zip(&names) {
            if name != gone && share.holds("", name) {
                store.apply(&stored("", name, n)).unwrap();
            }
        }
        let swept = store.sweep(&[String::new()], &any(0)).unwrap();
        assert_eq!(swept.removed, u64::from(share.holds("", gone)), "of the other shard nothing");
    }
    let parts = [path("1.db"), path("2.db")];
    let merged = merge(&parts, &path("new.db")).unwrap();
    assert_eq!(merged, Merged { products: 19, vectors: 19 });
    let store = SqliteStore::open(&path("new.db")).unwrap();
    let rows = rows(&store);
    assert_eq!(rows.len(), 19);
    assert!(rows.iter().all(|(id, _, values)| id != gone && values[0] > 100.0), "{rows:?}");
    assert_eq!(store.provenance().unwrap(), Some(provenance("w")));

    assert!(matches!(merge(&parts, &path("new.db")), Err(StoreError::Exists(_))));
    let twice = merge(&[path("old.db"), path("old.db")], &path("x.db")).unwrap_err();
    assert!(twice.to_string().contains("the product p00 is in another"), "{twice}");
    let mut other = SqliteStore::open(&path("other.db")).unwrap();
    other.begin(&provenance("v"), 1, false).unwrap();
    let error = merge(&[path("old.db"), path("other.db")], &path("y.db")).unwrap_err();
    assert!(error.to_string().contains("weights w in the store, v now"), "{error}");
}
