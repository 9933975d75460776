//! What a page's own program starts with: `__NEXT_DATA__`, Nuxt, Shopify's product JSON.
//!
//! There is no rule for it, so it is believed only where it names the product that the page names,
//! and a price only where it says its unit.

use serde_json::{Map, Value};

use super::{
    budget::Blown,
    graph::Graph,
    image, lenient,
    place::{Match, Place},
    product::{Images, Told},
    survey::Survey,
};
use crate::source::{price, text};

/// A script that is longer holds more than a product's state.
const LONGEST: usize = 4 << 20;
/// What a script with a product in it has somewhere.
const MARKS: &[&str] = &["\"product", "'product", "product\":", "ProductJson", "&quot;product"];

pub(super) fn read(
    survey: &Survey<'_>,
    graph: &Graph<'_>,
    place: &Place,
) -> Result<Option<Told>, Blown> {
    if !place.has_names() {
        return Ok(None);
    }
    for script in &survey.scripts {
        let kind = script.attribute("type").unwrap_or_default().to_ascii_lowercase();
        let json = kind.contains("json");
        let id = script.attribute("id").unwrap_or_default();
        // A script with an address has no text of its own.
        if !json && (script.has("src") || !(kind.is_empty() || kind.contains("javascript"))) {
            continue;
        }
        let text = script.text(graph.meter)?;
        if text.len() > LONGEST || !MARKS.iter().any(|mark| text.contains(mark)) && !json {
            continue;
        }
        let value = match json || id == "__NEXT_DATA__" {
            true => lenient::parse(&text).ok(),
            false => assigned(&text),
        };
        if let Some(value) = value
            && let Some(object) = find(&value, graph, place)?
        {
            return told(object, graph).map(Some);
        }
    }
    Ok(None)
}

/// The object of `window.__INITIAL_STATE__ = {…}`, `var meta = {…};`.
fn assigned(text: &str) -> Option<Value> {
    let at = text.find("= {").or_else(|| text.find("={"))?;
    let start = at + text.get(at..)?.find('{')?;
    let rest = text.get(start..)?;
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
    values.next()?.ok()
}

/// The object under a name like `product` that has the page's name.
fn find<'a>(
    value: &'a Value,
    graph: &Graph<'_>,
    place: &Place,
) -> Result<Option<&'a Map<String, Value>>, Blown> {
    // With the name it lies under; objects of the outside first.
    let mut waiting = std::collections::VecDeque::from([("", value)]);
    while let Some((name, value)) = waiting.pop_front() {
        graph.meter.value()?;
        match value {
            Value::Object(object) => {
                let lower = name.to_ascii_lowercase();
                let called = lower.contains("product")
                    || lower.is_empty()
                    || lower == "item"
                    || lower == "data";
                let title = title(object).map_or(Match::No, |title| place.name(&title));
                if called && title >= Match::Good && has_pictures_or_price(object) {
                    return Ok(Some(object));
                }
                waiting.extend(object.iter().map(|(name, value)| (name.as_str(), value)));
            }
            // Of lists, as many as a page has products at most.
            Value::Array(items) => waiting.extend(items.iter().take(100).map(|item| (name, item))),
            _ => {}
        }
    }
    Ok(None)
}

fn title(object: &Map<String, Value>) -> Option<String> {
    ["name", "title", "productName", "product_name", "displayName"]
        .iter()
        .find_map(|key| text::meaningful(object.get(*key)?.as_str()?))
}

fn has_pictures_or_price(object: &Map<String, Value>) -> bool {
    let keys = [
        "images",
        "image",
        "media",
        "gallery",
        "price",
        "prices",
        "variants",
        "featured_image",
        "imageUrl",
    ];
    keys.iter().any(|key| object.get(*key).is_some_and(|value| !value.is_null()))
}

fn told(object: &Map<String, Value>, graph: &Graph<'_>) -> Result<Told, Blown> {
    let mut images = Images::default();
    for key in ["images", "gallery", "media", "image", "featured_image", "imageUrl", "mainImage"] {
        if let Some(value) = object.get(key) {
            pictures(value, graph, &mut images)?;
        }
    }
    let string = |keys: &[&str]| {
        keys.iter().find_map(|key| match object.get(*key)? {
            Value::String(text) => text::meaningful(text),
            Value::Object(inner) => text::meaningful(inner.get("name")?.as_str()?),
            _ => None,
        })
    };
    let mut told = Told {
        title: title(object),
        description: string(&["description", "body_html"]).as_deref().and_then(text::plain),
        brand: string(&["brand", "brandName", "vendor", "manufacturer"]),
        images: images.list,
        ..Told::default()
    };
    if let Some((amount, currency)) = amount(object) {
        told.offered.price = Some(amount);
        told.offered.currency = currency;
    }
    Ok(told)
}

fn pictures(value: &Value, graph: &Graph<'_>, images: &mut Images) -> Result<(), Blown> {
    match value {
        Value::String(text) => images.add(graph, text),
        Value::Array(items) => items.iter().try_for_each(|item| match item {
            Value::Array(_) => Ok(()),
            item => pictures(item, graph, images),
        }),
        Value::Object(object) => {
            if object.get("media_type").and_then(Value::as_str).is_some_and(|kind| kind != "image")
            {
                return Ok(());
            }
            let keys = ["src", "url", "originalSrc", "original", "large", "full", "href", "zoom"];
            let found = keys.iter().find_map(|key| object.get(*key)?.as_str());
            match found.filter(|address| image::is_real(address)) {
                Some(address) => images.add(graph, address),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

/// A price that says its unit: with a fraction, with a currency beside it, or of Shopify, whose
/// product JSON counts hundredths.
fn amount(object: &Map<String, Value>) -> Option<(f64, Option<String>)> {
    let sold = |amount: f64| (amount > 0.0 && amount < 1e10).then_some(amount);
    let shopify = ["handle", "variants", "price_min"].iter().all(|key| object.contains_key(*key));
    let value = object.get("price")?;
    match value {
        Value::Number(number) if shopify => Some((sold(number.as_f64()? / 100.0)?, None)),
        Value::Number(number) if number.is_f64() => Some((sold(number.as_f64()?)?, None)),
        Value::String(text) if text.contains(['.', ',']) => {
            let money = price::read(text, None).ok()?;
            Some((sold(money.amount)?, money.currency))
        }
        Value::Object(inner) => {
            let code = ["currency", "currencyCode", "currencyIso", "currency_code"];
            let code = code.iter().find_map(|key| price::currency(inner.get(*key)?.as_str()?))?;
            let keys = ["amount", "value", "current"];
            let (amount, cents) = keys.iter().find_map(|key| match inner.get(*key)? {
                Value::Number(number) => Some((number.as_f64()?, inner.contains_key("centAmount"))),
                Value::String(text) => Some((price::read(text, Some(&code)).ok()?.amount, false)),
                _ => None,
            })?;
            (!cents).then_some((sold(amount)?, Some(code)))
        }
        _ => None,
    }
}
