//! Bodies of the fuzz targets of `tests/fuzz`, so that a plain test can replay what fuzzing found.
//! Each takes any bytes and panics where a promise is broken.

use std::{collections::BTreeMap, io::BufReader};

use reqwest::Url;

use super::{
    FeedFormat, Mapping, PageReader, Product, SourceItem, feed, json, magento,
    settings::FeedSettings, sitemap, woocommerce,
};
use crate::fetch::Robots;

/// What a target runs.
pub type Target = fn(&[u8]);

/// Targets by name.
pub const TARGETS: [(&str, Target); 9] = [
    ("html", html),
    ("sitemap", sitemap),
    ("robots", robots),
    ("csv", csv),
    ("tsv", tsv),
    ("jsonl", jsonl),
    ("merchant", merchant),
    ("xml", xml),
    ("api", api),
];

fn place() -> Url {
    Url::parse("https://shop.example/p/1?color=red").expect("an address")
}

/// What holds of every product, whoever wrote it.
fn sound(product: &Product) {
    assert!(product.price.is_none_or(|price| (0.0..1e12).contains(&price)), "{product:?}");
    assert!(product.images.len() <= 2000, "{} images", product.images.len());
    assert!(product.images.iter().all(|image| !image.trim().is_empty()), "{product:?}");
    let kept = serde_json::to_string(product).expect("a store can hold it");
    let again: Product = serde_json::from_str(&kept).expect("and give it back");
    assert_eq!(again.images, product.images);
}

/// A product page. The first byte chooses what the server says of its character set.
pub fn html(data: &[u8]) {
    let Some((&first, page)) = data.split_first() else { return };
    let kinds = [None, Some("text/html"), Some("text/html; charset=utf-16le"), Some("charset=x")];
    let kind = kinds.get(usize::from(first) % kinds.len()).copied().flatten();
    if let Some(product) = PageReader::default().read(page, kind, &place()).product {
        sound(&product);
    }
}

/// A sitemap, an index of them, RSS, or a list of addresses.
pub fn sitemap(data: &[u8]) {
    sitemap::fuzz(data, &place());
}

/// A `robots.txt`: what it forbids it forbids each time.
pub fn robots(data: &[u8]) {
    let robots = Robots::parse(data, "clip-scraper");
    for path in ["/", "/products/a?b=c", "/%7Ea/*$"] {
        assert_eq!(robots.allows(path), robots.allows(path));
    }
}

pub fn csv(data: &[u8]) {
    feed(FeedFormat::Csv, data);
}

pub fn tsv(data: &[u8]) {
    feed(FeedFormat::Tsv, data);
}

pub fn jsonl(data: &[u8]) {
    feed(FeedFormat::Jsonl, data);
    if let Ok(value) = json::read(data) {
        json::read(value.to_string().as_bytes()).expect("what we write we read");
    }
}

pub fn merchant(data: &[u8]) {
    feed(FeedFormat::Merchant, data);
}

/// A list of products in XML of any shape. The first byte chooses what the settings say of it.
pub fn xml(data: &[u8]) {
    let Some((&first, list)) = data.split_first() else { return };
    let columns = BTreeMap::from(
        [("id", "@id"), ("title", "name"), ("image", "pictures/picture"), ("price", "offer/price")]
            .map(|(field, path)| (field.to_owned(), path.to_owned())),
    );
    let mapping = match first % 3 {
        0 => Mapping::default(),
        1 => Mapping::new(Some("shop/offers/offer"), &BTreeMap::new()),
        _ => Mapping::new(Some("item"), &columns),
    };
    let settings = FeedSettings { mapping, ..FeedSettings::default() };
    let mut send = |item: SourceItem| {
        if let Ok(product) = &item {
            sound(product);
        }
        true
    };
    let _ = feed::read("fuzz", FeedFormat::Merchant, &settings, BufReader::new(list), &mut send);
}

/// What the programming interfaces of WooCommerce and Magento answer.
pub fn api(data: &[u8]) {
    let products = [woocommerce::fuzz(data, &place()), magento::fuzz(data, &place())];
    products.iter().flatten().for_each(sound);
}

/// Products are sound, and the same however the bytes come in.
fn feed(format: FeedFormat, data: &[u8]) {
    let read = |capacity: usize| {
        let mut items = Vec::new();
        let mut send = |item: SourceItem| {
            if let Ok(product) = &item {
                sound(product);
            }
            items.push(item.map_err(|e| e.to_string()));
            true
        };
        let reader = BufReader::with_capacity(capacity, data);
        let end = feed::read("fuzz", format, &Default::default(), reader, &mut send);
        (items, end.map_err(|e| e.to_string()))
    };
    let whole = read(data.len().max(1));
    if data.len() < 4096 && format != FeedFormat::Merchant {
        assert_eq!(read(3), whole);
    }
}
