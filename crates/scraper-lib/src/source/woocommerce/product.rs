//! One product of the Store API.

use std::collections::{BTreeMap, HashMap, HashSet};

use reqwest::Url;
use serde_json::Value;

use crate::source::{Availability, Product, price, text};

/// What shops call the attribute that holds the brand, where they have no brands.
const BRAND: [&str; 8] =
    ["brand", "brands", "marke", "marque", "marca", "merk", "hersteller", "manufacturer"];

/// Reads a product; `variations` are images by product.
pub(super) fn read(
    value: &Value,
    place: &Url,
    variations: &HashMap<u64, Vec<String>>,
) -> Result<Product, String> {
    let id = value.get("id").and_then(Value::as_u64).ok_or("a product without an id")?;
    let string = |key: &str| value.get(key).and_then(Value::as_str);
    let mut seen = HashSet::new();
    let images =
        images(value, place).into_iter().chain(variations.get(&id).cloned().unwrap_or_default());
    let images = images.filter(|image| seen.insert(image.clone())).collect();
    let mut attributes = attributes(value);
    if let Some(sku) = string("sku").and_then(text::some) {
        attributes.insert("sku".to_owned(), sku);
    }
    let tags = names(value, "tags").join(", ");
    if !tags.is_empty() {
        attributes.insert("tags".to_owned(), tags);
    }
    let brand = names(value, "brands").into_iter().next();
    let brand = brand.or_else(|| BRAND.iter().find_map(|name| attributes.remove(*name)));
    let (price, list_price, currency) = prices(value);
    if let Some(list_price) = list_price {
        attributes.insert("list_price".to_owned(), list_price.to_string());
    }
    let is = |key: &str| value.get(key).and_then(Value::as_bool);
    let availability = match (is("is_on_backorder"), is("is_in_stock")) {
        (Some(true), _) => Some(Availability::Backorder),
        (_, Some(true)) => Some(Availability::InStock),
        (_, Some(false)) => Some(Availability::OutOfStock),
        (_, None) => None,
    };
    let description = string("description").and_then(text::plain);
    Ok(Product {
        id: id.to_string(),
        title: string("name").and_then(text::plain),
        description: description.or_else(|| string("short_description").and_then(text::plain)),
        url: string("permalink").and_then(|url| place.join(url).ok()).map(String::from),
        brand,
        category: category(value),
        price,
        currency,
        availability,
        images,
        attributes,
        source: String::new(),
        page: None,
        completes: None,
    })
}

/// The addresses of an item's images. Pictures that stand for "no picture" are none.
pub(super) fn images(value: &Value, place: &Url) -> Vec<String> {
    let list = value.get("images").and_then(Value::as_array).into_iter().flatten();
    let addresses = list.filter_map(|image| image.get("src")?.as_str());
    let real = addresses.filter(|src| !src.is_empty() && !src.contains("woocommerce-placeholder"));
    real.filter_map(|src| place.join(src).ok()).map(String::from).collect()
}

/// Price, list price where it is higher, and currency. Amounts are in the smallest unit of the
/// currency.
fn prices(value: &Value) -> (Option<f64>, Option<f64>, Option<String>) {
    let Some(prices) = value.get("prices") else { return (None, None, None) };
    let unit = prices.get("currency_minor_unit").and_then(Value::as_u64).unwrap_or(2).min(8);
    let unit = 10_u64.pow(unit as u32) as f64;
    let amount = |value: Option<&Value>| {
        let amount: f64 = match value? {
            Value::String(text) => text.trim().parse().ok()?,
            value => value.as_f64()?,
        };
        (0.0..price::MOST).contains(&(amount / unit)).then_some(amount / unit)
    };
    // Of a product with variations, the lowest.
    let range = prices.get("price_range").filter(|range| range.is_object());
    let price = amount(range.and_then(|range| range.get("min_amount")))
        .or_else(|| amount(prices.get("price")));
    // A product without a price is said to cost 0, and cannot be bought.
    let bought = value.get("is_purchasable").and_then(Value::as_bool) != Some(false);
    let price = price.filter(|price| *price > 0.0 || bought);
    let regular = amount(prices.get("regular_price"));
    let list = regular.filter(|regular| price.is_some_and(|price| *regular > price));
    let currency = prices.get("currency_code").and_then(Value::as_str).and_then(text::currency);
    (price, list, currency.filter(|_| price.is_some()))
}

/// The names in a list of categories, tags, brands or terms.
fn names(value: &Value, key: &str) -> Vec<String> {
    let list = value.get(key).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(|item| text::plain(item.get("name")?.as_str()?)).collect()
}

/// The deepest category, with those above it. The list is flat; its links tell what lies in what.
fn category(value: &Value) -> Option<String> {
    let list = value.get("categories").and_then(Value::as_array).into_iter().flatten();
    let all: Vec<(String, String)> = list
        .filter(|item| item.get("slug").and_then(Value::as_str) != Some("uncategorized"))
        .filter_map(|item| {
            let link = item.get("link").and_then(Value::as_str).unwrap_or_default();
            Some((
                format!("{}/", link.trim_end_matches('/')),
                text::plain(item.get("name")?.as_str()?)?,
            ))
        })
        .collect();
    let depth = |link: &str| link.matches('/').count();
    // The first of the deepest: `max_by_key` would take the last.
    let (deepest, _) = all.iter().rev().max_by_key(|(link, _)| depth(link))?;
    let mut chain: Vec<&(String, String)> = all
        .iter()
        .filter(|(link, _)| link.len() > 1 && deepest.starts_with(link.as_str()))
        .collect();
    chain.sort_by_key(|(link, _)| link.len());
    let names: Vec<&str> = chain.iter().map(|(_, name)| name.as_str()).collect();
    match names.is_empty() {
        true => all.first().map(|(_, name)| name.clone()),
        false => Some(names.join(" > ")),
    }
}

/// Attributes with their terms: "Colour" is "red, blue".
fn attributes(value: &Value) -> BTreeMap<String, String> {
    let list = value.get("attributes").and_then(Value::as_array).into_iter().flatten();
    let named = list.filter_map(|attribute| {
        let name = text::plain(attribute.get("name")?.as_str()?)?.to_lowercase();
        let terms = names(attribute, "terms").join(", ");
        (!terms.is_empty()).then_some((name, terms))
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn product(value: Value) -> Product {
        let place = Url::parse("https://shop.example/wp-json/wc/store/v1/products").unwrap();
        let variations = HashMap::from([(7, vec!["https://shop.example/v.jpg".to_owned()])]);
        read(&value, &place, &variations).unwrap()
    }

    #[test]
    fn everything_that_is_told() {
        let p = product(json!({
            "id": 7, "name": "Wool &amp; silk &#8211; &#8220;Ada&#8221;", "type": "variable",
            "permalink": "https://shop.example/product/ada/", "sku": "ADA-1",
            "short_description": "<p>Short</p>", "description": "<p>Warm &amp; <b>soft</b></p>\n",
            "on_sale": true, "is_purchasable": true, "is_in_stock": true, "is_on_backorder": false,
            "prices": { "price": "4995", "regular_price": "5995", "sale_price": "4995",
                "price_range": { "min_amount": "4990", "max_amount": "8990" },
                "currency_code": "EUR", "currency_minor_unit": 2 },
            "images": [
                { "src": "https://shop.example/1.jpg", "thumbnail": "https://shop.example/1-300x300.jpg" },
                { "src": "/2.jpg" }, { "src": "https://shop.example/v.jpg" }, { "src": false }],
            "categories": [
                { "id": 1, "name": "Sale", "slug": "sale", "link": "https://shop.example/c/sale/" },
                { "id": 2, "name": "Women", "slug": "women", "link": "https://shop.example/c/women/" },
                { "id": 3, "name": "Knit &amp; more", "slug": "k", "link": "https://shop.example/c/women/k/" }],
            "tags": [{ "name": "new" }, { "name": "wool" }],
            "attributes": [
                { "name": "Colour", "terms": [{ "name": "red" }, { "name": "blue" }] },
                { "name": "Marke", "terms": [{ "name": "Atelier" }] }, { "name": "x", "terms": [] }],
        }));
        assert_eq!((p.id.as_str(), p.title.as_deref()), ("7", Some("Wool & silk – “Ada”")));
        assert_eq!(p.description.as_deref(), Some("Warm & soft"));
        assert_eq!(p.url.as_deref(), Some("https://shop.example/product/ada/"));
        assert_eq!((p.price, p.currency.as_deref()), (Some(49.9), Some("EUR")));
        assert_eq!(
            (p.brand.as_deref(), p.category.as_deref()),
            (Some("Atelier"), Some("Women > Knit & more"))
        );
        assert_eq!(p.availability, Some(Availability::InStock));
        let images = ["1.jpg", "2.jpg", "v.jpg"].map(|name| format!("https://shop.example/{name}"));
        assert_eq!(p.images, images);
        let attributes: Vec<_> =
            p.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let all = [
            ("colour", "red, blue"),
            ("list_price", "59.95"),
            ("sku", "ADA-1"),
            ("tags", "new, wool"),
        ];
        assert_eq!(attributes, all);
    }

    #[test]
    fn prices_in_units_of_their_currency() {
        let price = |prices: Value, bought: bool| {
            let p = product(json!({ "id": 1, "prices": prices, "is_purchasable": bought }));
            (p.price, p.currency, p.attributes.get("list_price").cloned())
        };
        let yen = json!({ "price": "12800", "regular_price": "12800", "currency_code": "JPY", "currency_minor_unit": 0 });
        assert_eq!(price(yen, true), (Some(12800.0), Some("JPY".into()), None));
        let dinar = json!({ "price": 1250, "regular_price": "1500", "currency_code": "KWD", "currency_minor_unit": 3 });
        assert_eq!(price(dinar, true), (Some(1.25), Some("KWD".into()), Some("1.5".into())));
        let none = json!({ "price": "0", "regular_price": "0", "currency_code": "EUR", "currency_minor_unit": 2 });
        assert_eq!(price(none.clone(), false), (None, None, None));
        assert_eq!(price(none, true).0, Some(0.0), "a gift");
        for odd in [
            json!(null),
            json!({}),
            json!({ "price": "" }),
            json!({ "price": "1e999" }),
            json!({ "price": "-5" }),
        ] {
            assert_eq!(price(odd.clone(), true), (None, None, None), "{odd}");
        }
    }

    #[test]
    fn what_is_not_told_is_none() {
        let p = product(json!({ "id": 8, "name": "Old", "is_in_stock": false, "images": [],
            "categories": [{ "name": "Uncategorized", "slug": "uncategorized", "link": "x" }] }));
        let bare = Product {
            id: "8".into(),
            title: Some("Old".into()),
            availability: Some(Availability::OutOfStock),
            ..Product::default()
        };
        assert_eq!(p, bare);
        let place = Url::parse("https://shop.example/").unwrap();
        for odd in [json!({}), json!("x"), json!(null), json!({ "id": "7" }), json!({ "id": -1 })] {
            assert!(read(&odd, &place, &HashMap::new()).is_err(), "{odd}");
        }
        let odd = json!({ "id": 9, "images": "x", "categories": {}, "attributes": [1], "tags": [[]], "prices": "5" });
        assert_eq!(product(odd), Product { id: "9".into(), ..Product::default() });
    }
}
