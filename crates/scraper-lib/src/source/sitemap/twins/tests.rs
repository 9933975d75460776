use reqwest::Url;

use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn page(text: &str) -> Listed {
    Listed::page(url(text))
}

fn product(title: &str, images: &[&str]) -> Product {
    let images = images.iter().map(|image| (*image).to_owned()).collect();
    Product { title: Some(title.into()), images, ..Product::default() }
}

fn same(page: &str, reason: Reason) -> SameAs {
    SameAs { page: page.to_owned(), key: page_key(&url(page)), reason }
}

/// What went on at once and what was put together, as text, whatever the order of reading.
fn told(pages: &[(&str, Product, Option<SameAs>)]) -> (Vec<String>, Vec<String>) {
    let run = |order: &mut dyn Iterator<Item = &(&str, Product, Option<SameAs>)>| {
        let (mut twins, mut first) = (Twins::default(), Vec::new());
        for (page, product, same_as) in order {
            let product = Product { id: page_key(&url(page)), ..product.clone() };
            let item = twins.sort(&Listed::page(url(page)), Ok(product), same_as.as_ref());
            first.extend(item.map(show));
        }
        let Settled { items, more } = twins.settle(Reading::All);
        let mut last: Vec<String> = items.into_iter().map(show).collect();
        last.extend(more.iter().map(|m| format!("{} + {:?}", m.listed.url, m.images)));
        first.sort();
        (first, last)
    };
    let (forward, backward) = (run(&mut pages.iter()), run(&mut pages.iter().rev()));
    assert_eq!(forward, backward, "the order of reading decides nothing");
    forward
}

fn show(item: SourceItem) -> String {
    match item {
        Ok(Product { id, images, .. }) => format!("{id} {images:?}"),
        Err(e) => e.to_string(),
    }
}

#[test]
fn twins_of_a_listed_page_bring_it_their_images() {
    let by = || Some(same("https://s.example/p/1", Reason::Canonical));
    let (first, last) = told(&[
        ("https://s.example/p/1", product("Dress", &["https://c/1.jpg"]), None),
        ("https://s.example/sale/p/1", product("Dress", &["https://c/1_400x400.jpg"]), by()),
        ("https://s.example/p/1?color=red", product("Red", &["https://c/red.jpg"]), by()),
    ]);
    assert_eq!(first, [r#"s.example/p/1 ["https://c/1.jpg"]"#]);
    assert_eq!(
        last,
        [
            "https://s.example/p/1?color=red: the same product as s.example/p/1",
            "https://s.example/sale/p/1: the same product as s.example/p/1",
            r#"https://s.example/p/1 + ["https://c/red.jpg"]"#,
        ]
    );
}

#[test]
fn twins_of_a_page_that_nobody_lists_are_one_product() {
    let by = || Some(same("https://s.example/p/1", Reason::Variant));
    let (first, last) = told(&[
        ("https://s.example/p/1?color=red", product("Red", &["https://c/red.jpg"]), by()),
        ("https://s.example/p/1?color=blue", product("Blue", &["https://c/blue.jpg"]), by()),
    ]);
    assert!(first.is_empty());
    assert_eq!(
        last,
        [
            "https://s.example/p/1?color=red: the same product as s.example/p/1",
            r#"s.example/p/1 ["https://c/blue.jpg", "https://c/red.jpg"]"#,
        ]
    );
}

#[test]
fn one_canonical_page_for_a_whole_shop_is_not_believed() {
    let by = || Some(same("https://s.example/all", Reason::Canonical));
    let (_, last) = told(&[
        ("https://s.example/p/1", product("Silk dress", &["https://c/1.jpg"]), by()),
        ("https://s.example/p/2", product("Leather boots", &["https://c/2.jpg"]), by()),
        ("https://s.example/p/3", product("Silk dress, long", &["https://c/3.jpg"]), by()),
    ]);
    assert_eq!(
        last,
        [
            r#"s.example/p/2 ["https://c/2.jpg"]"#,
            "https://s.example/p/3: the same product as s.example/p/1",
            r#"s.example/p/1 ["https://c/1.jpg", "https://c/3.jpg"]"#,
        ]
    );
}

#[test]
fn pages_in_a_circle_are_one_product() {
    let (_, last) = told(&[
        (
            "https://s.example/a",
            product("Hat", &[]),
            Some(same("https://s.example/b", Reason::Canonical)),
        ),
        (
            "https://s.example/b",
            product("Hat", &[]),
            Some(same("https://s.example/a", Reason::Canonical)),
        ),
        (
            "https://s.example/c",
            product("Hat", &[]),
            Some(same("https://s.example/a", Reason::Canonical)),
        ),
    ]);
    assert_eq!(last.len(), 3);
    assert!(last.iter().any(|text| text.starts_with("s.example/a [")), "{last:?}");
}

#[test]
fn of_a_product_whose_page_failed_no_part_is_told() {
    let mut twins = Twins::default();
    let failed = SourceError::Page {
        page: "https://s.example/p/1".into(),
        kind: "fetch.status",
        reason: "503".into(),
    };
    assert!(twins.sort(&page("https://s.example/p/1"), Err(failed), None).is_some());
    let by = same("https://s.example/p/1", Reason::Canonical);
    let item = Ok(product("Dress", &["https://c/1.jpg"]));
    assert!(twins.sort(&page("https://s.example/sale/p/1"), item, Some(&by)).is_none());
    let settled = twins.settle(Reading::All);
    assert_eq!(settled.items.len(), 1);
    let e = settled.items[0].as_ref().unwrap_err();
    assert_eq!(e.kind(), SourceError::UNREADABLE);
    assert!(e.to_string().contains("https://s.example/sale/p/1"), "{e}");
}
