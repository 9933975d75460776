//! A product page: JSON-LD, else OpenGraph, else microdata.

use std::collections::HashSet;

use encoding_rs::{Encoding, UTF_8};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Product,
    page::{
        budget::{Blown, Meter, PageBudget},
        dom::{Dom, Node},
    },
    schema,
    schema::Offers,
    text,
};

/// Names what this reading makes of a page; changed whenever it makes something else.
pub(super) const VERSION: &str = "page-2";
/// How deep microdata items lie in each other.
const DEPTH: usize = 8;
/// A page has its character set within so many bytes (HTML, 13.2.3.2).
const PRESCAN: usize = 1024;

/// What a page told.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Found {
    /// Its id is yet to be given.
    pub(super) product: Option<Product>,
    /// What could not be read.
    pub(super) notes: Vec<String>,
}

/// Reads the product of a page. Where it names several, the one with the page's own address, else
/// the first.
pub(super) fn read(bytes: &[u8], content_type: Option<&str>, page: &Url) -> Found {
    read_within(PageBudget::default(), bytes, content_type, page)
}

fn read_within(budget: PageBudget, bytes: &[u8], content_type: Option<&str>, page: &Url) -> Found {
    let html = decode(bytes, content_type);
    let mut notes = Vec::new();
    match product(&html, page, &Meter::new(budget), &mut notes) {
        Ok(product) => Found { product, notes },
        Err(blown) => Found { product: None, notes: vec![blown.to_string()] },
    }
}

fn product(
    html: &str,
    page: &Url,
    meter: &Meter,
    notes: &mut Vec<String>,
) -> Result<Option<Product>, Blown> {
    let document = Dom::parse(html, meter)?;
    let mut blocks = Vec::new();
    for script in document.elements().filter(|node| node.name() == "script") {
        let kind = script.attribute("type").unwrap_or_default();
        if kind
            .split(';')
            .next()
            .is_some_and(|k| k.trim().eq_ignore_ascii_case("application/ld+json"))
        {
            match json_ld(&script.text(meter)?) {
                Ok(block) => blocks.push(block),
                Err(e) => notes.push(format!("a JSON-LD block cannot be read: {e}")),
            }
        }
    }
    let linked = schema::products(&blocks, page, meter)?;
    let own = linked.iter().position(|product| {
        let url = product.url.as_deref().and_then(|url| Url::parse(url).ok());
        // Without an address of its own, a product has the page's.
        let same = url.is_some_and(|url| url.host() == page.host() && url.path() == page.path());
        same && !product.images.is_empty()
    });
    let with_image = || linked.iter().position(|product| !product.images.is_empty());
    let chosen = own.or_else(with_image).unwrap_or(0);
    if let Some(mut product) = linked.into_iter().nth(chosen) {
        // JSON-LD that forgot its picture has it in OpenGraph, as a rule.
        if product.images.is_empty() {
            product.images = Meta::of(&document).images(page, meter)?;
        }
        return Ok(Some(product));
    }
    match open_graph(&document, page, meter)? {
        Some(product) => Ok(Some(product)),
        None => microdata(&document, page, meter),
    }
}

/// Bytes as text: by the byte order mark, the header, or what the page says of itself, else UTF-8.
fn decode(bytes: &[u8], content_type: Option<&str>) -> String {
    let label = |text: &str| {
        let text = text.to_ascii_lowercase();
        let (_, rest) = text.split_once("charset=")?;
        let end = |c: char| matches!(c, '"' | '\'' | ';' | '>' | '/') || c.is_whitespace();
        let name = rest.trim_start_matches(['"', '\'']).split(end).next()?;
        Encoding::for_label(name.as_bytes())
    };
    let head = String::from_utf8_lossy(bytes.get(..PRESCAN).unwrap_or(bytes));
    let encoding = content_type.and_then(label).or_else(|| label(&head)).unwrap_or(UTF_8);
    encoding.decode(bytes).0.into_owned()
}

/// Strict JSON, but for what templates often leave in it: comments around it, and line ends in
/// strings.
fn json_ld(text: &str) -> Result<Value, serde_json::Error> {
    let text = text.trim().trim_start_matches("<!--").trim_start_matches("//<![CDATA[");
    let text = text.trim_end_matches("-->").trim_end_matches("//]]>").trim();
    serde_json::from_str(text).or_else(|e| {
        let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        serde_json::from_str(&spaced).map_err(|_| e)
    })
}

/// `<meta property|name content>` in their order.
struct Meta(Vec<(String, String)>);

impl Meta {
    fn of(document: &Dom) -> Self {
        let metas = document.elements().filter(|node| node.name() == "meta");
        Meta(
            metas
                .filter_map(|meta| {
                    let key = meta.attribute("property").or_else(|| meta.attribute("name"))?;
                    Some((key.trim().to_ascii_lowercase(), text::some(meta.attribute("content")?)?))
                })
                .collect(),
        )
    }

    fn first(&self, keys: &[&str]) -> Option<&str> {
        keys.iter().find_map(|key| {
            self.0.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
        })
    }

    fn images(&self, page: &Url, meter: &Meter) -> Result<Vec<String>, Blown> {
        let mut images = Vec::new();
        let mut seen = HashSet::new();
        for (key, value) in &self.0 {
            // `og:image:secure_url` repeats the image before it.
            if matches!(key.as_str(), "og:image" | "og:image:url") {
                let address = page.join(value).map_or_else(|_| value.clone(), String::from);
                if seen.insert(address.clone()) {
                    images.push(address);
                    meter.images(images.len())?;
                }
            }
        }
        Ok(images)
    }
}

/// OpenGraph (<https://ogp.me>) of a page that says it is a product's.
fn open_graph(document: &Dom, page: &Url, meter: &Meter) -> Result<Option<Product>, Blown> {
    let meta = Meta::of(document);
    let price =
        meta.first(&["product:price:amount", "og:price:amount", "product:sale_price:amount"]);
    let kind = meta.first(&["og:type"]).unwrap_or_default().to_ascii_lowercase();
    if price.is_none() && !kind.contains("product") {
        return Ok(None);
    }
    let images = meta.images(page, meter)?;
    if images.is_empty() {
        return Ok(None);
    }
    let mut offers = Offers::default();
    if let Some(price) = price {
        offers.price(price, meta.first(&["product:price:currency", "og:price:currency"]));
    }
    let availability = meta.first(&["product:availability", "og:availability"]);
    offers.availability(availability.and_then(text::availability));
    let owned = |keys: &[&str]| meta.first(keys).map(str::to_owned);
    let attributes = ["color", "material", "pattern", "size", "condition", "retailer_item_id"];
    let attributes = attributes
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), owned(&[&format!("product:{name}")])?)));
    Ok(Some(Product {
        title: owned(&["og:title"]),
        description: meta.first(&["og:description"]).and_then(text::plain),
        url: Some(
            meta.first(&["og:url"])
                .and_then(|url| page.join(url).ok())
                .unwrap_or_else(|| page.clone())
                .into(),
        ),
        brand: owned(&["product:brand", "og:brand"]),
        category: owned(&["product:category"]),
        price: offers.price,
        currency: offers.currency,
        availability: offers.availability,
        images,
        attributes: attributes.collect(),
        ..Product::default()
    }))
}

/// The first microdata item that is a product (<https://html.spec.whatwg.org/#microdata>), as the
/// JSON-LD that says the same.
fn microdata(document: &Dom, page: &Url, meter: &Meter) -> Result<Option<Product>, Blown> {
    let is_product = |kind: &str| kind.contains("schema.org/Product");
    let first = document
        .elements()
        .find(|node| node.has("itemscope") && node.attribute("itemtype").is_some_and(is_product));
    let Some(node) = first else { return Ok(None) };
    let (item, _) = item(node, DEPTH, meter)?;
    Ok(schema::products(&[item], page, meter)?.into_iter().next())
}

/// An item and about how many bytes it takes: under each of its names it is copied.
fn item(scope: Node<'_>, depth: usize, meter: &Meter) -> Result<(Value, usize), Blown> {
    let (mut properties, mut size) = (Map::new(), 0);
    if let Some(kind) = scope.attribute("itemtype") {
        let kinds: Vec<&str> = kind.split_whitespace().collect();
        properties.insert("@type".into(), json!(kinds));
    }
    let mut nodes = scope.descendants();
    while let Some(node) = nodes.next() {
        let nested = node.has("itemscope");
        if nested {
            nodes.leave();
        }
        let Some(names) = node.attribute("itemprop") else { continue };
        let (value, bytes) = match (nested, depth.checked_sub(1)) {
            (true, Some(depth)) => item(node, depth, meter)?,
            (true, None) => (Value::Null, 0),
            (false, _) => {
                let text = value(node, meter)?;
                let bytes = text.len();
                (json!(text), bytes)
            }
        };
        for name in names.split_whitespace() {
            let more = bytes + name.len() + size_of::<Value>();
            meter.bytes(more)?;
            size += more;
            let values = properties.entry(name).or_insert_with(|| json!([]));
            if let Value::Array(values) = values {
                values.push(value.clone());
            }
        }
    }
    Ok((Value::Object(properties), size))
}

fn value(node: Node<'_>, meter: &Meter) -> Result<String, Blown> {
    let attribute = match node.name() {
        "img" | "audio" | "embed" | "iframe" | "source" | "video" => "src",
        "a" | "area" | "link" => "href",
        "data" | "meter" => "value",
        "time" => "datetime",
        "object" => "data",
        _ => "content",
    };
    let found = node.attribute("content").or_else(|| node.attribute(attribute));
    Ok(match found {
        Some(text) => text.trim().to_owned(),
        None => node.text(meter)?.trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Availability;

    fn page(html: &str) -> Found {
        read(html.as_bytes(), None, &Url::parse("https://shop.example/p/1").unwrap())
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
        let blog = r#"<meta property="og:type" content="article"><meta property="og:image" content="/1.jpg">"#;
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
        assert_eq!(
            (product.price, product.availability),
            (Some(35.0), Some(Availability::InStock))
        );
    }

    #[test]
    fn other_character_sets_are_read() {
        let url = Url::parse("https://shop.example/p/1").unwrap();
        let html = b"<meta charset=windows-1252><script type=application/ld+json>{\"@type\":\"Product\",\"name\":\"Caf\xe9\"}</script>";
        let title = |found: Found| found.product.unwrap().title.unwrap();
        assert_eq!(title(read(html, None, &url)), "Café");
        let html = b"<script type=application/ld+json>{\"@type\":\"Product\",\"name\":\"Caf\xe9\"}</script>";
        assert_eq!(title(read(html, Some("text/html; charset=\"ISO-8859-1\""), &url)), "Café");
    }

    #[test]
    fn hostile_pages_end() {
        assert!(page(&"<div itemscope itemprop=x>".repeat(20_000)).product.is_none());
        assert!(page(&"<b>".repeat(500_000)).product.is_none());
        let deep = format!("<script type=application/ld+json>{}</script>", "[".repeat(100_000));
        assert_eq!(page(&deep).notes.len(), 1);
    }
}
