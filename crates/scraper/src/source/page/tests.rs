//! Pages of this project's own making, each with one habit of real shops.

use super::*;
use crate::source::Availability;

fn page(html: &str) -> Found {
    at("https://shop.example/p/1", html)
}

fn at(url: &str, html: &str) -> Found {
    read(html.as_bytes(), None, &Url::parse(url).unwrap())
}

fn read(bytes: &[u8], content_type: Option<&str>, page: &Url) -> Found {
    PageReader::default().read(bytes, content_type, page)
}

#[test]
fn json_ld_wins_and_broken_blocks_are_noted() {
    let found = page(
        r#"<html><head><meta property="og:type" content="product">
        <meta property="og:image" content="/og.jpg">
        <script type="application/ld+json">{"@type": "Product", "name": "cut</script>
        <script type='Application/LD+JSON; charset=utf-8'>
          <!-- {"@type": "Product", "name": "Two
          lines", "image": "/a.jpg"} --></script></head>"#,
    );
    let product = found.product.unwrap();
    assert_eq!(product.title.as_deref(), Some("Two lines"));
    assert_eq!(product.images, ["https://shop.example/a.jpg"]);
    assert_eq!(found.notes.len(), 1, "{:?}", found.notes);
}

#[test]
fn of_several_products_the_pages_own_is_taken() {
    let found = page(
        r#"<script type="application/ld+json">[
        {"@type": "Product", "name": "Other", "url": "/p/2", "image": "2.jpg"},
        {"@type": "Product", "name": "Own", "url": "https://shop.example/p/1?x", "image": "1.jpg"}]
        </script>"#,
    );
    assert_eq!(found.product.unwrap().title.as_deref(), Some("Own"));
}

#[test]
fn json_ld_without_a_picture_borrows_it() {
    let found = page(
        r#"<meta property="og:image" content="https://cdn/x.jpg">
        <script type="application/ld+json">{"@type": "Product", "name": "P"}</script>"#,
    );
    assert_eq!(found.product.unwrap().images, ["https://cdn/x.jpg"]);
}

#[test]
fn open_graph_of_products_only() {
    let html = r#"<meta property="og:type" content="og:product"><meta name="og:title" content="Hat">
        <meta property="og:image" content="/1.jpg">
        <meta property="og:image:secure_url" content="https://shop.example/1.jpg">
        <meta property="og:image" content="/2.jpg">
        <meta property="product:price:amount" content="12.50">
        <meta property="product:price:currency" content="GBP">
        <meta property="product:availability" content="out of stock">"#;
    let product = page(html).product.unwrap();
    assert_eq!(product.images, ["https://shop.example/1.jpg", "https://shop.example/2.jpg"]);
    assert_eq!((product.price, product.currency.as_deref()), (Some(12.5), Some("GBP")));
    assert_eq!(product.availability, Some(Availability::OutOfStock));
    let blog =
        r#"<meta property="og:type" content="article"><meta property="og:image" content="/1.jpg">"#;
    assert!(page(blog).product.is_none());
}

#[test]
fn microdata_with_nested_offers() {
    let product = page(
        r#"<div itemscope itemtype="https://schema.org/Product"><h1 itemprop="name"> Wool <b>scarf</b></h1>
        <img itemprop="image" src="/s.jpg"><div itemprop="brand" itemscope><span itemprop="name">Knit</span></div>
        <div itemprop="offers" itemscope itemtype="https://schema.org/Offer">
          <span itemprop="price" content="35.00">35 €</span><meta itemprop="priceCurrency" content="EUR">
          <link itemprop="availability" href="https://schema.org/InStock"></div></div>
        <div itemscope itemtype="https://schema.org/Product"><span itemprop="name">Another</span></div>"#,
    )
    .product
    .unwrap();
    assert_eq!(product.title.as_deref(), Some("Wool scarf"));
    assert_eq!(product.images, ["https://shop.example/s.jpg"]);
    assert_eq!(product.brand.as_deref(), Some("Knit"));
    assert_eq!((product.price, product.availability), (Some(35.0), Some(Availability::InStock)));
}

#[test]
fn other_character_sets_are_read() {
    let url = Url::parse("https://shop.example/p/1").unwrap();
    let html = b"<meta charset=windows-1252><script type=application/ld+json>{\"@type\":\"Product\",\"name\":\"Caf\xe9\"}</script>";
    let title = |found: Found| found.product.unwrap().title.unwrap();
    assert_eq!(title(read(html, None, &url)), "Café");
    let html =
        b"<script type=application/ld+json>{\"@type\":\"Product\",\"name\":\"Caf\xe9\"}</script>";
    assert_eq!(title(read(html, Some("text/html; charset=\"ISO-8859-1\""), &url)), "Café");
}

#[test]
fn hostile_pages_end() {
    assert!(page(&"<div itemscope itemprop=x>".repeat(20_000)).product.is_none());
    assert!(page(&"<b>".repeat(500_000)).product.is_none());
    let deep = format!("<script type=application/ld+json>{}</script>", "[".repeat(100_000));
    assert_eq!(page(&deep).notes.len(), 1);
}
