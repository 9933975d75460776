//! Products that a source does not list any more.

use super::*;

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
