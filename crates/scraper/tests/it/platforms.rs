//! Shops on WooCommerce and Magento 2: stand-ins that answer as the real ones do, with their paging,
//! errors, and closed doors.

mod magento;
mod woocommerce;
mod xml;

use serde_json::Value;

use crate::{
    server::{Reply, Request},
    shop::{SETTINGS, Shop},
    support::{png, ran},
};

/// Parameters of a request, decoded.
fn parameter(request: &Request, name: &str) -> Option<String> {
    let url = reqwest::Url::parse(&format!("http://x{}", request.path)).unwrap();
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

fn path(request: &Request) -> &str {
    request.path.split('?').next().unwrap_or_default()
}

/// The picture at "/i/7.png", which no other number has.
fn picture(request: &Request) -> Option<Reply> {
    let number = path(request).strip_prefix("/i/")?.strip_suffix(".png")?.parse().ok()?;
    let etag = format!("\"{number}\"");
    Some(match request.header("if-none-match") {
        Some(known) if known == etag => Reply::status(304),
        _ => Reply::ok(png(number)).header("etag", etag),
    })
}

/// A night with one source of this kind, and its summary.
fn night(shop: &Shop, kind: &str, url: &str, more: &str, code: i32) -> Value {
    let source = format!("[[source]]\nname = \"s\"\nkind = {kind:?}\nurl = {url:?}\n{more}\n");
    shop.write("scraper.toml", format!("{SETTINGS}{source}"));
    let args = ["run", "--store", "s.db", "--summary-json", "summary.json"];
    ran(&mut shop.command(&args)).expect(code);
    serde_json::from_slice(&std::fs::read(shop.path().join("summary.json")).unwrap()).unwrap()
}
