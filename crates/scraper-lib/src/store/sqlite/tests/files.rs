//! Files of other programs, of other versions, and of other shards.

use super::*;

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
