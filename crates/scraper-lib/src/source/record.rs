//! One record of a feed: fields by name, however the feed calls them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    Product,
    images::Images,
    json,
    schema::Offers,
    text,
    text::field,
    vendor::{Day, in_dates},
};

/// What feeds call the fields of a [`Product`]; a name further to the left wins.
const ID: &[&str] = &["id", "product_id", "sku", "offer_id"];
const TITLE: &[&str] = &["title", "name"];
const DESCRIPTION: &[&str] = &["description", "body_html", "summary"];
const URL: &[&str] = &["link", "url", "product_url", "canonical_link"];
const BRAND: &[&str] = &["brand", "vendor", "manufacturer"];
const CATEGORY: &[&str] = &["product_type", "category", "google_product_category"];
const PRICE: &[&str] = &["price"];
const SALE: &[&str] = &["sale_price"];
const CURRENCY: &[&str] = &["currency", "price_currency"];
const AVAILABILITY: &[&str] = &["availability"];
const IMAGES: &[&str] = &["image_link", "image", "images", "image_url", "image_src"];
const MORE_IMAGES: &[&str] = &["additional_image_link", "additional_images", "additional_image"];

/// Names of which each means the same field.
const GROUPS: [&[&str]; 12] = [
    ID,
    TITLE,
    DESCRIPTION,
    URL,
    BRAND,
    CATEGORY,
    PRICE,
    SALE,
    CURRENCY,
    AVAILABILITY,
    IMAGES,
    MORE_IMAGES,
];

/// The names that mean the same field as this one.
pub(super) fn group(name: &str) -> Option<&'static [&'static str]> {
    GROUPS.into_iter().find(|group| group.contains(&name))
}

/// Fields in lower case with `_` for spaces, each with its values.
#[derive(Debug, Default)]
pub(super) struct Record(BTreeMap<String, Vec<Value>>);

/// The columns of the id and of the image.
///
/// # Errors
/// What is missing: without both, columns make no products.
pub(super) fn key_columns(fields: &[String]) -> Result<(usize, usize), &'static str> {
    let first = |names: &[&str]| fields.iter().position(|field| names.contains(&field.as_str()));
    let id = first(ID).ok_or("\"id\"")?;
    Ok((id, first(IMAGES).ok_or("\"image\" (or \"image_link\")")?))
}

impl Record {
    pub(super) fn set(&mut self, name: &str, value: &str) {
        if !value.trim().is_empty() {
            self.add(name, Value::String(value.to_owned()));
        }
    }

    pub(super) fn add(&mut self, name: &str, value: Value) {
        self.0.entry(field(name)).or_default().push(value);
    }

    fn values(&self, names: &'static [&str]) -> impl Iterator<Item = &Value> {
        names.iter().filter_map(|name| self.0.get(*name)).flatten()
    }

    /// The last value of the first name that has one: `g:title` follows `title` in RSS.
    fn text(&self, names: &'static [&str]) -> Option<String> {
        names.iter().find_map(|name| self.0.get(*name)?.iter().rev().find_map(string))
    }

    /// Whether a sale price holds today: `sale_price_effective_date` is "from/to" (ISO 8601).
    fn is_on_sale(&self) -> bool {
        let Some(dates) = self.text(&["sale_price_effective_date"]) else { return true };
        let (from, to) =
            dates.split_once('/').map_or((dates.as_str(), None), |(f, t)| (f, Some(t)));
        in_dates(Some(from), to, Day::today())
    }

    pub(super) fn product(&self) -> Result<Product, String> {
        let id = self.text(ID).ok_or("the id is empty")?;
        let mut images = Images::default();
        let wrong = |e: String| format!("product {id}, images: {e}");
        for value in self.values(IMAGES).chain(self.values(MORE_IMAGES)) {
            addresses(value).map_err(wrong)?.into_iter().for_each(|address| images.add(address));
        }
        let images = images.finish().map_err(wrong)?;
        let (offers_of, currency) =
            (|names| self.values(names).filter_map(string), self.text(CURRENCY));
        let (mut offers, mut before) = (Offers::default(), Offers::default());
        for price in offers_of(SALE).filter(|_| self.is_on_sale()) {
            offers.price(&price, currency.as_deref());
        }
        for price in offers_of(PRICE) {
            before.price(&price, currency.as_deref());
            offers.price(&price, currency.as_deref());
        }
        let mut attributes = self.attributes();
        if let (Some(list), Some(now)) = (before.price, offers.price)
            && list > now
            && before.currency == offers.currency
        {
            attributes.entry("list_price".into()).or_insert(list.to_string());
        }
        offers.availability(self.text(AVAILABILITY).as_deref().and_then(text::availability));
        Ok(Product {
            title: self.text(TITLE),
            description: self.text(DESCRIPTION).as_deref().and_then(text::plain),
            url: self.text(URL),
            brand: self.text(BRAND),
            category: self.text(CATEGORY),
            price: offers.price,
            currency: offers.currency,
            availability: offers.availability,
            images,
            attributes,
            id,
            source: String::new(),
            page: None,
            completes: None,
        })
    }

    /// Everything that is no field of a product; objects bring their own fields.
    fn attributes(&self) -> BTreeMap<String, String> {
        let mut attributes = BTreeMap::new();
        for (name, values) in &self.0 {
            if group(name).is_some() {
                continue;
            }
            for value in values {
                if let Value::Object(fields) = value {
                    for (name, value) in fields {
                        if let Some(text) = string(value) {
                            attributes.insert(field(name), text);
                        }
                    }
                }
            }
            let texts: Vec<String> = values.iter().filter_map(string).collect();
            if !texts.is_empty() {
                attributes.entry(name.clone()).or_insert(texts.join(", "));
            }
        }
        attributes
    }
}

/// Text of a plain value, or of a list of them.
fn string(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => text::some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Array(items) => {
            let texts: Vec<String> = items.iter().filter_map(string).collect();
            (!texts.is_empty()).then(|| texts.join(", "))
        }
        Value::Null | Value::Object(_) => None,
    }
}

/// The images of one field: a JSON array, or text with `|` or, between addresses, a comma.
fn addresses(value: &Value) -> Result<Vec<String>, String> {
    let one = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    Ok(match value {
        Value::Array(items) => items
            .iter()
            .filter_map(|item| match item {
                Value::Object(object) => {
                    ["url", "src"].iter().find_map(|key| one(object.get(*key)?.as_str()?))
                }
                item => one(item.as_str()?),
            })
            .collect(),
        Value::String(text) if text.trim_start().starts_with('[') => {
            return addresses(&json::read(text.as_bytes()).map_err(|e| e.to_string())?);
        }
        Value::String(text) => text.split('|').flat_map(commas).filter_map(one).collect(),
        _ => Vec::new(),
    })
}

/// A comma parts addresses only where another one begins: they may hold commas.
fn commas(text: &str) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    for (at, _) in text.match_indices(',') {
        let rest = text.get(at + 1..).unwrap_or_default().trim_start();
        if rest.starts_with("http://") || rest.starts_with("https://") {
            parts.push(text.get(start..at).unwrap_or_default());
            start = at + 1;
        }
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn images_however_they_are_listed() {
        let list = |value: Value| addresses(&value).unwrap();
        assert_eq!(list(json!("a.jpg|b,c.jpg")), ["a.jpg", "b,c.jpg"]);
        assert_eq!(
            list(json!("https://x/1.jpg?w=1,2, https://x/2.jpg")),
            ["https://x/1.jpg?w=1,2", "https://x/2.jpg"]
        );
        assert_eq!(list(json!("[\"c,1.jpg\"]")), ["c,1.jpg"]);
        assert_eq!(list(json!([{"src": "d.jpg"}, " e.jpg ", ""])), ["d.jpg", "e.jpg"]);
        assert!(addresses(&json!("[oops")).is_err());
    }

    #[test]
    fn what_is_no_field_is_an_attribute() {
        let mut record = Record::default();
        for (name, value) in [
            ("ID", json!(7)),
            ("Image Link", json!("a.jpg")),
            ("price", json!("20")),
            ("g:sale price", json!(15.5)),
            ("currency", json!("eur")),
            ("tags", json!(["new", "wool"])),
            ("attributes", json!({"Fit": "slim", "deep": {"x": 1}})),
            ("season", json!(null)),
        ] {
            record.add(name, value);
        }
        let product = record.product().unwrap();
        assert_eq!((product.id.as_str(), product.price), ("7", Some(15.5)));
        assert_eq!(product.currency.as_deref(), Some("EUR"));
        let found: Vec<_> =
            product.attributes.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(found, [("fit", "slim"), ("list_price", "20"), ("tags", "new, wool")]);
    }
}
