use rusqlite::Connection;

use super::*;
use crate::{
    fetch::Validators,
    report::{KeptSource, MaxFailures},
    source::Product,
    store::{Filter, ImageKey},
};

mod files;
mod vanishing;

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
