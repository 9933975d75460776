use super::*;

fn provenance(weights: &str) -> Provenance {
    Provenance {
        model: "m".into(),
        revision: None,
        weights: weights.into(),
        preprocessing: "hf-endpoint".into(),
        numerics: 1,
        device: "exact".into(),
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
    ImageKey { product: product.into(), position, address: address.into() }
}

fn image(product: &str, position: u32, address: &str, hash: u8) -> Write {
    let etag = Some(&*format!("etag {hash}"));
    let validators = Validators { etag: etag.map(str::to_owned), last_modified: None };
    Write::Image { key: key(product, position, address), hash: [hash; 32], bytes: 10, validators }
}

fn vector(hash: u8, values: &[f32]) -> Write {
    Write::Vector { hash: [hash; 32], values: values.to_vec() }
}

fn rows(store: &SqliteStore) -> Vec<(String, String, Vec<f32>)> {
    let mut rows = Vec::new();
    store
        .rows(&mut |row| {
            rows.push((row.product, row.image, row.values));
            true
        })
        .unwrap();
    rows
}

#[test]
fn vectors_come_back_to_the_bit_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.db");
    let values = [f32::MIN_POSITIVE / 2.0, -0.0, 1.0 / 3.0];
    {
        let mut store = SqliteStore::open(&path).unwrap();
        store.begin(&provenance("w"), false).unwrap();
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
fn another_provenance_is_refused_and_reembed_changes_over() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&dir.path().join("s.db")).unwrap();
    store.begin(&provenance("old"), false).unwrap();
    store.apply(&[product("a", &["a0"]), image("a", 0, "a0", 1), vector(1, &[1.0])]).unwrap();

    let error = store.begin(&provenance("new"), false).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("weights old in the store, new now"), "{text}");
    assert!(text.contains("--store") && text.contains("--reembed"), "{text}");
    assert_eq!(rows(&store).len(), 1);

    store.begin(&provenance("new"), true).unwrap();
    assert!(rows(&store).is_empty(), "old vectors are not mixed in");
    assert!(!store.lookup().unwrap().has_vector(&[1; 32]).unwrap());
    store.apply(&[vector(1, &[2.0])]).unwrap();
    assert_eq!(rows(&store)[0].2, [2.0]);
}

#[test]
fn an_image_at_a_new_address_is_forgotten_and_a_failure_clears_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(&dir.path().join("s.db")).unwrap();
    store.begin(&provenance("w"), false).unwrap();
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
    let lookup = store.lookup().unwrap();
    let etag = |key| lookup.validators(&key).unwrap().and_then(|v| v.etag);
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
