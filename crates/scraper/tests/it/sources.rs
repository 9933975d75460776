//! Sources on the web, one by one, against hand-made answers.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use scraper_lib::{
    fetch::{Caps, FetchOptions, Fetcher, Guard, Retry},
    source::{Availability, Kind, Pages, Product, SourceSpec, Web},
};
use serde_json::{Value, json};

use crate::server::{Reply, Request, Server};

pub(crate) fn web() -> Web {
    let options = FetchOptions {
        caps: Caps { rate: 0.0, ..Caps::default() },
        retry: Retry { attempts: 2, base: std::time::Duration::from_millis(1), ..Retry::default() },
        guard: Guard::any(),
        ..FetchOptions::default()
    };
    let pages = Arc::new(Pages::in_memory().unwrap());
    Web::new(Fetcher::with(options).unwrap(), Some(pages))
}

/// Everything that a source sends, and how it ends.
pub(crate) async fn read(
    spec: &SourceSpec,
    web: &Web,
) -> (Vec<Product>, Vec<String>, Result<(), String>) {
    let source = match spec.open(Path::new(""), web) {
        Ok(source) => source,
        Err(e) => return (Vec::new(), Vec::new(), Err(e.to_string())),
    };
    let (out, mut items) = tokio::sync::mpsc::channel(16);
    let running = tokio::spawn(source.run(out));
    let (mut products, mut notes) = (Vec::new(), Vec::new());
    while let Some(item) = items.recv().await {
        match item {
            Ok(product) => products.push(product),
            Err(e) => notes.push(e.to_string()),
        }
    }
    (products, notes, running.await.unwrap().map_err(|e| e.to_string()))
}

fn query(request: &Request, name: &str) -> usize {
    let (_, query) = request.path.split_once('?').unwrap_or_default();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.filter(|(n, _)| *n == name).find_map(|(_, v)| v.parse().ok()).unwrap_or(0)
}

fn list(ids: std::ops::Range<usize>) -> Reply {
    let products: Vec<Value> = ids
        .map(|id| json!({ "id": id, "handle": format!("p{id}"), "images": [{ "src": format!("/{id}.jpg") }] }))
        .collect();
    Reply::ok(json!({ "products": products }).to_string())
}

#[tokio::test]
async fn a_shopify_product_in_full() {
    let server = Server::start(|request| {
        match request.path.split('?').next().unwrap() {
        "/meta.json" => Reply::ok(r#"{"currency": "SEK"}"#),
        "/products.json" => Reply::ok(
            json!({ "products": [
                { "id": 7, "title": "Kofta", "handle": "kofta", "body_html": "<p>Ull &amp; siden</p>",
                  "vendor": "Stickat", "product_type": "Tröjor", "tags": "ny, ull",
                  "options": [{ "name": "Färg", "values": ["röd", "blå"] }],
                  "variants": [
                      { "price": "499.00", "available": false },
                      { "price": "399.50", "available": true,
                        "featured_image": { "src": "https://cdn.example/v.jpg" } }],
                  "images": [{ "src": "//cdn.example/1.jpg?v=1" }] },
                { "title": "no id" },
                { "id": 8, "title": "Presentkort", "images": [], "variants": [] },
            ]})
            .to_string(),
        ),
        _ => Reply::status(404),
    }
    });
    let (products, notes, end) =
        read(&SourceSpec::of(&server.url, Some(Kind::Shopify)), &web()).await;
    assert_eq!((products.len(), notes.len(), end), (2, 1, Ok(())));
    let p = &products[0];
    assert_eq!((p.id.as_str(), p.title.as_deref()), ("7", Some("Kofta")));
    assert_eq!(p.description.as_deref(), Some("Ull & siden"));
    assert_eq!(p.url, Some(format!("{}/products/kofta", server.url)));
    assert_eq!((p.price, p.currency.as_deref()), (Some(399.5), Some("SEK")));
    assert_eq!(p.availability, Some(Availability::InStock));
    assert_eq!(p.images, ["http://cdn.example/1.jpg?v=1", "https://cdn.example/v.jpg"]);
    assert_eq!(
        (p.attributes["tags"].as_str(), p.attributes["färg"].as_str()),
        ("ny, ull", "röd, blå")
    );
    assert!(products[1].images.is_empty(), "nothing to embed is no failure");
}

#[tokio::test]
async fn a_web_page_is_not_a_catalogue() {
    let server = Server::start(|_| Reply::ok("<!doctype html><title>Password</title>"));
    let (products, _, end) = read(&SourceSpec::of(&server.url, Some(Kind::Shopify)), &web()).await;
    assert!(products.is_empty());
    let error = end.unwrap_err();
    assert!(error.contains("web page") && error.contains("sitemap"), "{error}");
}

#[tokio::test]
async fn beyond_25_000_products_the_collections_are_read() {
    let server = Server::start(|request| {
        let (path, page) = (request.path.split('?').next().unwrap(), query(request, "page"));
        match path {
            "/products.json" if page <= 100 => list(250 * (page - 1)..250 * page),
            "/products.json" => Reply::status(400),
            "/collections.json" => Reply::ok(
                json!({ "collections": [{ "handle": "old" }, { "handle": "new" }] }).to_string(),
            ),
            "/collections/old/products.json" => list(24_990..25_010),
            "/collections/new/products.json" => list(25_005..25_020),
            _ => Reply::status(404),
        }
    });
    let (products, notes, end) =
        read(&SourceSpec::of(&server.url, Some(Kind::Shopify)), &web()).await;
    assert_eq!((products.len(), notes, end), (25_020, Vec::new(), Ok(())), "each of them once");
}

#[tokio::test]
async fn without_collections_the_sitemap_names_the_rest() {
    let server = Server::start(|request| {
        let (path, page) = (request.path.split('?').next().unwrap(), query(request, "page"));
        match path {
            "/products.json" => list(250 * (page - 1)..250 * page),
            "/sitemap.xml" => Reply::ok(
                "<urlset><url><loc>/products/p25001</loc></url><url><loc>/blogs/x</loc></url>\
                 <url><loc>/products/p3</loc></url></urlset>",
            ),
            "/products/p25001.json" => Reply::ok(r#"{"product": {"id": 25001, "images": []}}"#),
            "/products/p3.json" => Reply::ok(r#"{"product": {"id": 3, "images": []}}"#),
            _ => Reply::status(404),
        }
    });
    let (products, notes, end) =
        read(&SourceSpec::of(&server.url, Some(Kind::Shopify)), &web()).await;
    assert_eq!((products.len(), notes, end), (25_001, Vec::new(), Ok(())));
}

const PAGE: &str = r#"<script type="application/ld+json">
    {"@type": "Product", "name": "Coat", "image": "/c.jpg"}</script>"#;

#[tokio::test]
async fn pages_that_did_not_change_are_not_asked_for() {
    let changed = Arc::new(AtomicBool::new(false));
    let server = Server::start({
        let changed = changed.clone();
        move |request| match request.path.as_str() {
            "/sitemap.xml" => {
                let date = if changed.load(Ordering::SeqCst) { "2026-02-01" } else { "2026-01-01" };
                Reply::ok(format!(
                    "<urlset><url><loc>/p/dated</loc><lastmod>{date}</lastmod></url>\
                     <url><loc>/p/tagged</loc></url><url><loc>/p/gone</loc></url>\
                     <url><loc>/p/blog</loc></url></urlset>"
                ))
            }
            "/p/dated" => Reply::ok(PAGE),
            "/p/tagged" if request.header("if-none-match") == Some("\"1\"") => Reply::status(304),
            "/p/tagged" => Reply::ok(PAGE).header("etag", "\"1\""),
            "/p/blog" => Reply::ok("<p>no product</p>"),
            _ => Reply::status(404),
        }
    });
    let (web, spec) = (web(), SourceSpec::of(&format!("{}/sitemap.xml", server.url), None));
    let asked = |path: &str| server.requests().iter().filter(|r| r.path == path).count();
    for _ in 0..2 {
        let (products, mut notes, end) = read(&spec, &web).await;
        let mut ids: Vec<_> = products.iter().map(|p| p.id.rsplit('/').next()).collect();
        ids.sort_unstable();
        assert_eq!((ids, end), (vec![Some("dated"), Some("tagged")], Ok(())));
        notes.sort();
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes[0].contains("shows no product") && notes[1].contains("404"), "{notes:?}");
    }
    assert_eq!((asked("/p/dated"), asked("/p/tagged")), (1, 2));
    changed.store(true, Ordering::SeqCst);
    assert_eq!(read(&spec, &web).await.0.len(), 2);
    assert_eq!(asked("/p/dated"), 2, "its date changed");
}

/// A page that is being repaired, or that takes us for a robot, is not what its address stands for.
#[tokio::test]
async fn a_page_that_showed_no_product_is_asked_for_again() {
    for (first, reason) in [
        (Reply::ok("<h1>We are back soon</h1>"), "shows no product"),
        (Reply::status(202), "answered 202"),
    ] {
        let night = Arc::new(AtomicBool::new(false));
        let server = Server::start({
            let night = night.clone();
            move |request| match request.path.as_str() {
                "/robots.txt" => Reply::status(404),
                "/sitemap.xml" => Reply::ok(
                    "<urlset><url><loc>/p/1</loc><lastmod>2026-01-01</lastmod></url></urlset>",
                ),
                _ if night.load(Ordering::SeqCst) => Reply::ok(PAGE),
                _ => first.clone(),
            }
        });
        let (web, spec) = (web(), SourceSpec::of(&format!("{}/sitemap.xml", server.url), None));
        let (products, notes, end) = read(&spec, &web).await;
        assert_eq!((products.len(), notes.len(), end), (0, 1, Ok(())));
        assert!(notes[0].contains(reason), "{notes:?}");
        night.store(true, Ordering::SeqCst);
        assert_eq!(read(&spec, &web).await.0.len(), 1, "after {reason}");
    }
}

/// Where a redirect leads elsewhere tonight, yesterday's date says nothing of what is there.
#[tokio::test]
async fn what_is_known_of_a_redirects_end_is_not_said_to_another() {
    let night = Arc::new(AtomicBool::new(false));
    let server = Server::start({
        let night = night.clone();
        move |request| match request.path.as_str() {
            "/robots.txt" => Reply::status(404),
            "/sitemap.xml" => Reply::ok("<urlset><url><loc>/p/1</loc></url></urlset>"),
            "/p/1" => {
                let target = if night.load(Ordering::SeqCst) { "/b" } else { "/a" };
                Reply::status(302).header("location", target)
            }
            _ if request.header("if-modified-since").is_some() => Reply::status(304),
            path => Reply::ok(PAGE.replace("Coat", path))
                .header("last-modified", "Tue, 06 Jan 2026 00:00:00 GMT"),
        }
    });
    let (web, spec) = (web(), SourceSpec::of(&format!("{}/sitemap.xml", server.url), None));
    for (is_second, title) in [(false, "/a"), (true, "/b")] {
        night.store(is_second, Ordering::SeqCst);
        let (products, notes, end) = read(&spec, &web).await;
        assert_eq!((notes, end), (Vec::new(), Ok(())));
        assert_eq!(products[0].title.as_deref(), Some(title));
    }
}

/// Two sitemaps list the same page, and only the second one its variant.
#[tokio::test]
async fn a_variant_that_only_another_sitemap_lists_is_read() {
    let server = Server::start(|request| match request.path.as_str() {
        "/robots.txt" => Reply::status(404),
        "/sitemap.xml" => Reply::ok(
            "<sitemapindex><sitemap><loc>/a.xml</loc></sitemap><sitemap><loc>/b.xml</loc></sitemap>\
             </sitemapindex>",
        ),
        "/a.xml" => Reply::ok("<urlset><url><loc>/p/1</loc></url></urlset>"),
        "/b.xml" => Reply::ok(
            "<urlset><url><loc>/p/1</loc></url><url><loc>/p/1?color=red</loc></url></urlset>",
        ),
        "/p/1?color=red" => Reply::ok(PAGE.replace("/c.jpg", "/red.jpg")),
        _ => Reply::ok(PAGE),
    });
    let spec = SourceSpec::of(&format!("{}/sitemap.xml", server.url), None);
    let (products, _, end) = read(&spec, &web()).await;
    assert_eq!(end, Ok(()));
    let images: Vec<_> = products.iter().flat_map(|product| &product.images).collect();
    assert!(images.iter().any(|image| image.ends_with("/red.jpg")), "{images:?}");
    let asked = |path: &str| server.requests().iter().filter(|r| r.path == path).count();
    assert_eq!((asked("/p/1"), asked("/p/1?color=red")), (1, 1));
}

#[tokio::test]
async fn broken_sitemaps_and_pages_are_told_of_and_the_rest_goes_on() {
    let server = Server::start(|request| match request.path.as_str() {
        "/sitemap.xml" => Reply::ok(
            "<sitemapindex><sitemap><loc>/a.xml</loc></sitemap><sitemap><loc>/b.xml</loc></sitemap>\
             <sitemap><loc>/sitemap.xml</loc></sitemap></sitemapindex>",
        ),
        "/a.xml" => Reply::ok("<html>maintenance</html>"),
        "/b.xml" => Reply::ok("<urlset><url><loc>/1</loc></url><url><loc>/2</loc></url></urlset>"),
        "/1" => Reply::ok(PAGE),
        "/2" => Reply::ok(r#"<script type="application/ld+json">{"@type": "Product", </script>"#),
        _ => Reply::status(404),
    });
    let spec = SourceSpec::of(&server.url, Some(Kind::Sitemap));
    let (products, notes, end) = read(&spec, &web()).await;
    assert_eq!((products.len(), end), (1, Ok(())));
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes.iter().any(|n| n.contains("/a.xml") && n.contains("<html>")), "{notes:?}");
    assert!(notes.iter().any(|n| n.contains("/2") && n.contains("JSON-LD")), "{notes:?}");
    let nowhere = SourceSpec::of(&format!("{}/none/sitemap.xml", server.url), None);
    assert!(read(&nowhere, &web()).await.2.unwrap_err().contains("404"));
}

#[tokio::test]
async fn a_list_of_pictures_and_pages() {
    let server = Server::start(|request| match request.path.as_str() {
        "/coat" => Reply::ok(PAGE),
        _ => Reply::status(404),
    });
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("list.txt");
    let url = &server.url;
    std::fs::write(&path, format!("# mine\n{url}/a.jpg\n\n{url}/coat\nnonsense\n")).unwrap();
    let spec = SourceSpec::of(path.to_str().unwrap(), None);
    let (mut products, notes, end) = read(&spec, &web()).await;
    products.sort_by(|a, b| a.images.cmp(&b.images));
    let images: Vec<_> = products.iter().flat_map(|p| &p.images).collect();
    assert_eq!(images, [&format!("{url}/a.jpg"), &format!("{url}/c.jpg")]);
    assert_eq!(end, Ok(()));
    assert!(notes.len() == 1 && notes[0].contains("record 5"), "{notes:?}");
}

#[tokio::test]
async fn feeds_of_the_web_may_be_gzip_and_name_relative_pictures() {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(b"id,image\n1,pictures/a.jpg\n").unwrap();
    let packed = packed.finish().unwrap();
    let server = Server::start(move |_| Reply::ok(packed.clone()));
    let (products, _, end) =
        read(&SourceSpec::of(&format!("{}/f/feed.csv.gz", server.url), None), &web()).await;
    assert_eq!(end, Ok(()));
    assert_eq!(products[0].images, [format!("{}/f/pictures/a.jpg", server.url)]);
}
