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
        // A script with an address has no text of its own.
        if !json && (script.has("src") || !(kind.is_empty() || kind.contains("javascript"))) {
            continue;
        }
        let text = script.text(graph.meter)?;
        if text.len() > LONGEST || !MARKS.iter().any(|mark| text.contains(mark)) && !json {
            continue;
        }
        let values = match json {
            true => lenient::parse(&text).ok().into_iter().collect(),
            false => assigned(&text),
        };
        for value in &values {
            if let Some(found) = find(value, graph, place)? {
                return told(&found, graph).map(Some);
            }
        }
    }
    Ok(None)
}

/// Objects of one script that are looked at.
const OBJECTS: usize = 20;

/// The objects of `window.__INITIAL_STATE__ = {…}`, `var meta = {…};`, `dataLayer.push({…})`.
fn assigned(text: &str) -> Vec<Value> {
    let (mut values, mut from) = (Vec::new(), 0);
    while values.len() < OBJECTS {
        let rest = text.get(from..).unwrap_or_default();
        let starts = ["= {", "={", "push({", "push( {", "= [{", "=[{"];
        let next =
            starts.iter().filter_map(|start| Some(rest.find(start)? + start.find(['{', '['])?));
        let Some(start) = next.min().map(|at| from + at) else { break };
        let Some(object) = text.get(start..).and_then(balanced) else { break };
        from = start + object.len();
        if MARKS.iter().any(|mark| object.contains(mark)) || object.contains("item_name") {
            values.extend(lenient::parse(object).ok());
        }
    }
    values
}

/// An object or list up to the bracket that closes it.
fn balanced(text: &str) -> Option<&str> {
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    for (at, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), b'\\') => escaped = true,
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'' | b'`') => quote = Some(byte),
            (None, b'{' | b'[') => depth += 1,
            (None, b'}' | b']') => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return text.get(..=at);
                }
            }
            _ => {}
        }
    }
    None
}

/// A product in a state.
struct Object<'a> {
    fields: &'a Map<String, Value>,
    /// Of a data layer of Google's e-commerce: prices are in whole units, and this is the currency.
    layer: Option<Option<&'a str>>,
}

/// The object under a name like `product` that has the page's name.
fn find<'a>(
    value: &'a Value,
    graph: &Graph<'_>,
    place: &Place,
) -> Result<Option<Object<'a>>, Blown> {
    // With the name it lies under; objects of the outside first.
    let mut waiting = std::collections::VecDeque::from([("", value, None)]);
    while let Some((name, value, layer)) = waiting.pop_front() {
        graph.meter.value()?;
        match value {
            Value::Object(object) => {
                let lower = name.to_ascii_lowercase();
                let called = lower.contains("product")
                    || matches!(lower.as_str(), "" | "item" | "items" | "data" | "variables");
                let title = title(object).map_or(Match::No, |title| place.name(&title));
                if called && title >= Match::Good && has_pictures_or_price(object) {
                    return Ok(Some(Object { fields: object, layer }));
                }
                let currency = ["currencyCode", "currency"];
                let currency = currency.iter().find_map(|key| object.get(*key)?.as_str());
                for (name, value) in object {
                    let layer = match name.as_str() {
                        "ecommerce" => Some(None),
                        // Lists, and what else is offered.
                        "impressions" | "related" | "recommendations" | "promoView" => continue,
                        _ => layer.map(|known: Option<&str>| known.or(currency)),
                    };
                    waiting.push_back((name.as_str(), value, layer));
                }
            }
            // Of lists, as many as a page has products at most.
            Value::Array(items) => {
                waiting.extend(items.iter().take(100).map(|item| (name, item, layer)));
            }
            _ => {}
        }
    }
    Ok(None)
}

fn title(object: &Map<String, Value>) -> Option<String> {
    ["name", "title", "productName", "product_name", "displayName", "item_name"]
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

fn told(found: &Object<'_>, graph: &Graph<'_>) -> Result<Told, Blown> {
    let object = found.fields;
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
        brand: string(&[
            "brand",
            "brandName",
            "item_brand",
            "productBrand",
            "vendor",
            "manufacturer",
        ]),
        images: images.list,
        ..Told::default()
    };
    let layer = found.layer.and_then(|currency| {
        let currency = currency.and_then(price::currency);
        let amount = match object.get("price")? {
            Value::Number(number) => number.as_f64()?,
            Value::String(text) => price::read(text, currency.as_deref()).ok()?.amount,
            _ => return None,
        };
        (amount > 0.0 && amount < price::MOST).then_some((amount, currency))
    });
    if let Some((amount, currency)) = layer.or_else(|| amount(object)) {
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
    let sold = |amount: f64| (amount > 0.0 && amount < price::MOST).then_some(amount);
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
