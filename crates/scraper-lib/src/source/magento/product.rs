//! One product of Magento's GraphQL.

use std::collections::{BTreeMap, HashSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Url;
use serde_json::Value;

use crate::source::{Product, price, text};

/// Attributes of the shop's keeper, not of the product.
const INTERNAL: [&str; 13] = [
    "status",
    "visibility",
    "tax_class_id",
    "options_container",
    "gift_message_available",
    "quantity_and_stock_status",
    "msrp_display_actual_price_type",
    "page_layout",
    "custom_layout",
    "custom_design",
    "price_type",
    "shipment_type",
    "price_view",
];
const BRAND: [&str; 3] = ["brand", "manufacturer", "hersteller"];

/// Where a shop has its pages.
#[derive(Debug)]
pub(super) struct Site {
    links: Url,
    suffix: String,
}

impl Site {
    pub(super) fn new(place: &Url) -> Self {
        Site { links: place.join("./").unwrap_or_else(|_| place.clone()), suffix: String::new() }
    }

    /// Takes over what the shop says.
    pub(super) fn read(&mut self, value: &Value) {
        let Some(config) = value.pointer("/data/storeConfig") else { return };
        let told = |key: &str| config.get(key).and_then(Value::as_str).map(str::trim);
        let links = ["secure_base_link_url", "base_link_url"].iter().find_map(|key| {
            let url = Url::parse(told(key)?).ok()?;
            matches!(url.scheme(), "http" | "https").then_some(url)
        });
        if let Some(links) = links {
            self.links = links;
        }
        self.suffix = told("product_url_suffix").unwrap_or_default().to_owned();
    }

    fn page(&self, item: &Value) -> Option<String> {
        let string = |key: &str| item.get(key).and_then(Value::as_str).filter(|s| !s.is_empty());
        let path = match (string("canonical_url"), string("url_key")) {
            (Some(path), _) => path.to_owned(),
            (None, key) => format!("{}{}", key?, string("url_suffix").unwrap_or(&self.suffix)),
        };
        self.links.join(path.trim_start_matches('/')).ok().map(String::from)
    }
}

/// Reads a product.
pub(super) fn read(item: &Value, site: &Site) -> Result<Product, String> {
    let string = |key: &str| item.get(key).and_then(Value::as_str);
    let id = id(item).ok_or("a product without an id")?;
    let mut attributes = attributes(item);
    if let Some(sku) = string("sku").and_then(text::some) {
        attributes.insert("sku".to_owned(), sku);
    }
    let amount = |name: &str| {
        let money = item.pointer("/price_range/minimum_price")?.get(name)?;
        let value =
            money.get("value")?.as_f64().filter(|value| (0.0..price::MOST).contains(value))?;
        Some((value, money.get("currency").and_then(Value::as_str).and_then(text::currency)))
    };
    let (now, list) = (amount("final_price"), amount("regular_price"));
    if let (Some((now, _)), Some((list, _))) = (&now, &list)
        && list > now
    {
        attributes.insert("list_price".to_owned(), list.to_string());
    }
    let (price, currency) = now.or(list).map_or((None, None), |(p, c)| (Some(p), c));
    let plain = |key: &str| text::plain(item.get(key)?.get("html")?.as_str()?);
    Ok(Product {
        id,
        title: string("name").and_then(text::plain),
        description: plain("description").or_else(|| plain("short_description")),
        url: site.page(item),
        brand: BRAND.iter().find_map(|name| attributes.remove(*name)),
        category: category(item),
        price,
        currency,
        availability: string("stock_status").and_then(text::availability),
        images: images(item, site),
        attributes,
        source: String::new(),
        page: None,
        completes: None,
    })
}

/// The number of the product; newer versions wrap it in base64. The SKU where neither is told.
fn id(item: &Value) -> Option<String> {
    let number = item.get("id").and_then(Value::as_u64).map(|id| id.to_string());
    number
        .or_else(|| {
            let uid = STANDARD.decode(item.get("uid")?.as_str()?).ok()?;
            String::from_utf8(uid).ok().filter(|id| id.bytes().all(|b| b.is_ascii_digit()))
        })
        .filter(|id| !id.is_empty())
        .or_else(|| item.get("sku")?.as_str().and_then(text::some))
}

/// The pictures of the product, then those of its variants.
fn images(item: &Value, site: &Site) -> Vec<String> {
    let list = |key: &str| item.get(key).and_then(Value::as_array).into_iter().flatten();
    let variants = list("variants").filter_map(|variant| variant.get("product"));
    let all = std::iter::once(item).chain(variants).flat_map(gallery);
    let mut seen = HashSet::new();
    all.filter_map(|url| site.links.join(url).ok())
        // "No picture" is none.
        .filter(|url| !url.path().contains("/placeholder/") && seen.insert(url.clone()))
        .map(String::from)
        .collect()
}

fn gallery(item: &Value) -> Vec<&str> {
    let list = item.get("media_gallery").and_then(Value::as_array).into_iter().flatten();
    let mut shown: Vec<&Value> = list
        .filter(|entry| entry.get("disabled").and_then(Value::as_bool) != Some(true))
        // The picture of a video is not the shop's choice.
        .filter(|entry| entry.get("__typename").and_then(Value::as_str) != Some("ProductVideo"))
        .collect();
    shown.sort_by_key(|entry| entry.get("position").and_then(Value::as_i64).unwrap_or(i64::MAX));
    let urls: Vec<&str> = shown.iter().filter_map(|entry| entry.get("url")?.as_str()).collect();
    match urls.is_empty() {
        true => item.pointer("/image/url").and_then(Value::as_str).into_iter().collect(),
        false => urls,
    }
}

/// The deepest category, with those above it.
fn category(item: &Value) -> Option<String> {
    let list = item.get("categories").and_then(Value::as_array).into_iter().flatten();
    let level = |c: &&Value| c.get("level").and_then(Value::as_i64).unwrap_or(0);
    // The first of the deepest: `max_by_key` would take the last.
    let deepest = list.rev().max_by_key(level)?;
    let name = |value: &Value, key: &str| text::plain(value.get(key)?.as_str()?);
    let above = deepest.get("breadcrumbs").and_then(Value::as_array).into_iter().flatten();
    let mut names: Vec<String> = above.filter_map(|crumb| name(crumb, "category_name")).collect();
    names.extend(name(deepest, "name"));
    (!names.is_empty()).then(|| names.join(" > "))
}

/// Options to choose from with their values, and attributes with a choice of values.
fn attributes(item: &Value) -> BTreeMap<String, String> {
    let labels = |value: &Value, key: &str| {
        let list = value.get(key).and_then(Value::as_array).into_iter().flatten();
        let labels = list.filter_map(|value| text::plain(value.get("label")?.as_str()?));
        let labels = labels.collect::<Vec<_>>().join(", ");
        (!labels.is_empty()).then_some(labels)
    };
    let mut attributes = BTreeMap::new();
    let custom = item.pointer("/custom_attributesV2/items").and_then(Value::as_array);
    for attribute in custom.into_iter().flatten() {
        let Some(code) = attribute.get("code").and_then(Value::as_str) else { continue };
        let value = match BRAND.contains(&code) {
            true => attribute.get("value").and_then(Value::as_str).and_then(text::plain),
            false => None,
        };
        if let Some(value) = labels(attribute, "selected_options").or(value)
            && !INTERNAL.contains(&code)
        {
            attributes.insert(code.to_lowercase(), value);
        }
    }
    let options = item.get("configurable_options").and_then(Value::as_array);
    for option in options.into_iter().flatten() {
        let name = ["attribute_code", "label"].iter().find_map(|key| option.get(*key)?.as_str());
        if let (Some(name), Some(values)) = (name.and_then(text::some), labels(option, "values")) {
            attributes.insert(name.to_lowercase(), values);
        }
    }
    attributes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::source::Availability;

    fn site() -> Site {
        let mut site = Site::new(&Url::parse("https://shop.example/graphql").unwrap());
        site.read(&json!({ "data": { "storeConfig": {
            "secure_base_link_url": "https://shop.example/de/", "product_url_suffix": ".html" } } }));
        site
    }

    #[test]
    fn everything_that_is_told() {
        let media = "https://shop.example/media/catalog/product/cache/1";
        let p = read(
            &json!({
                "id": 1201, "uid": "MTIwMQ==", "sku": "WS12", "name": "Radiant Tee &amp; more", "url_key": "radiant-tee",
                "url_suffix": ".htm", "canonical_url": null, "stock_status": "IN_STOCK",
                "description": { "html": "<p>So <b>soft</b></p>" }, "short_description": { "html": "" },
                "price_range": { "minimum_price": {
                    "regular_price": { "value": 22, "currency": "EUR" }, "final_price": { "value": 17.6, "currency": "EUR" } } },
                "image": { "url": format!("{media}/main.jpg") },
                "media_gallery": [
                    { "__typename": "ProductImage", "url": format!("{media}/b.jpg"), "position": 2, "disabled": false },
                    { "__typename": "ProductImage", "url": format!("{media}/a.jpg"), "position": 1 },
                    { "__typename": "ProductImage", "url": format!("{media}/x.jpg"), "position": 3, "disabled": true },
                    { "__typename": "ProductVideo", "url": format!("{media}/v.jpg"), "position": 4 }],
                "categories": [
                    { "name": "Sale", "level": 2, "breadcrumbs": null },
                    { "name": "Tees", "level": 4, "breadcrumbs": [{ "category_name": "Women" }, { "category_name": "Tops" }] }],
                "custom_attributesV2": { "items": [
                    { "code": "manufacturer", "selected_options": [{ "label": "Luma" }] },
                    { "code": "material", "selected_options": [{ "label": "Cotton" }, { "label": "Linen" }] },
                    { "code": "meta_title", "value": "Buy" }, { "code": "tax_class_id", "selected_options": [{ "label": "Taxable" }] }] },
                "configurable_options": [{ "attribute_code": "color", "label": "Color", "values": [{ "label": "Blue" }, { "label": "Red" }] }],
                "variants": [
                    { "product": { "sku": "WS12-B", "media_gallery": [{ "url": format!("{media}/blue.jpg") }] } },
                    { "product": { "sku": "WS12-R", "media_gallery": [], "image": { "url": format!("{media}/placeholder/image.jpg") } } },
                    { "product": null }],
            }),
            &site(),
        )
        .unwrap();
        assert_eq!((p.id.as_str(), p.title.as_deref()), ("1201", Some("Radiant Tee & more")));
        assert_eq!(p.url.as_deref(), Some("https://shop.example/de/radiant-tee.htm"));
        assert_eq!(p.description.as_deref(), Some("So soft"));
        assert_eq!((p.price, p.currency.as_deref()), (Some(17.6), Some("EUR")));
        assert_eq!(p.availability, Some(Availability::InStock));
        assert_eq!(
            (p.brand.as_deref(), p.category.as_deref()),
            (Some("Luma"), Some("Women > Tops > Tees"))
        );
        assert_eq!(p.images, ["a", "b", "blue"].map(|name| format!("{media}/{name}.jpg")));
        let attributes: Vec<_> =
            p.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let all = [
            ("color", "Blue, Red"),
            ("list_price", "22"),
            ("material", "Cotton, Linen"),
            ("sku", "WS12"),
        ];
        assert_eq!(attributes, all);
    }

    #[test]
    fn versions_tell_ids_and_addresses_differently() {
        let read = |item: Value| read(&item, &site()).map(|p| (p.id, p.url.unwrap_or_default()));
        let id = |item: Value| read(item).unwrap().0;
        assert_eq!(id(json!({ "id": 7, "uid": "OA==", "sku": "s" })), "7");
        assert_eq!(id(json!({ "uid": "Nw==", "sku": "s" })), "7");
        assert_eq!(id(json!({ "uid": "not base64", "sku": "s 1" })), "s 1");
        let url = |item: Value| read(item).unwrap().1;
        assert_eq!(url(json!({ "id": 7, "url_key": "tee" })), "https://shop.example/de/tee.html");
        assert_eq!(
            url(json!({ "id": 7, "url_key": "tee", "canonical_url": "women/tee.html" })),
            "https://shop.example/de/women/tee.html"
        );
        assert_eq!(url(json!({ "id": 7 })), "");
        for odd in [json!(null), json!("x"), json!({}), json!({ "sku": " " })] {
            assert!(read(odd).is_err());
        }
    }

    #[test]
    fn odd_values_do_no_harm() {
        let p = read(
            &json!({ "id": 7, "price_range": { "minimum_price": { "final_price": { "value": -1 } } }, "categories": {},
                "media_gallery": "x", "image": { "url": "/media/i.jpg" }, "variants": [1], "custom_attributesV2": null,
                "configurable_options": [[]], "stock_status": 3, "description": "x" }),
            &site(),
        )
        .unwrap();
        let images = vec!["https://shop.example/media/i.jpg".to_owned()];
        assert_eq!(p, Product { id: "7".into(), images, ..Product::default() });
    }
}
