//! What GraphQL answers: data, errors, or both; or something else altogether.

use std::fmt;

use serde_json::Value;

use crate::{fetch::FetchError, source::json};

/// A page of products.
#[derive(Debug)]
pub(super) struct Answer {
    /// Products of the whole search.
    pub(super) total: u64,
    /// `None`: only the number is known.
    pub(super) items: Option<Vec<Result<Value, String>>>,
}

/// Why there is no page.
#[derive(Debug)]
pub(super) enum Failure {
    Fetch(FetchError),
    /// What came instead.
    NotGraphQl(String),
    /// The interface's own words.
    Errors(String),
}

/// An answer, if it is one of GraphQL.
///
/// # Errors
/// What it is instead.
pub(super) fn value(bytes: &[u8]) -> Result<Value, String> {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
    match json::read(text) {
        Ok(value)
            if value.get("data").is_some() || value.get("errors").is_some_and(Value::is_array) =>
        {
            Ok(value)
        }
        Ok(value) => Err(match value.get("message").and_then(Value::as_str) {
            Some(message) => format!("it says {:?}", short(message)),
            None => "its answer is JSON, but not GraphQL's".into(),
        }),
        Err(_) if text.first() == Some(&b'<') => Err("a web page came".into()),
        Err(e) => Err(format!("its answer is no JSON: {e}")),
    }
}

/// No longer than fits a message, and without what a terminal would obey.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn messages(value: &Value) -> impl Iterator<Item = (&Value, &str)> {
    let errors = value.get("errors").and_then(Value::as_array).into_iter().flatten();
    errors.filter_map(|error| Some((error, error.get("message")?.as_str()?)))
}

/// Fields and types that the shop's version does not know.
pub(super) fn unknown(value: &Value) -> Vec<String> {
    let name = |message: &str| {
        let rest = ["Cannot query field \"", "Unknown type \""]
            .iter()
            .find_map(|start| message.strip_prefix(start))?;
        Some(rest.split('"').next()?.to_owned())
    };
    messages(value).filter_map(|(_, message)| name(message)).collect()
}

impl Answer {
    /// # Errors
    /// There are no products in it.
    pub(super) fn read(mut value: Value) -> Result<Self, Failure> {
        // Why single products are missing is told by the path to their place.
        let why = |index: usize| {
            let said = messages(&value).find(|(error, _)| {
                error.pointer("/path/2").and_then(Value::as_u64) == Some(index as u64)
            });
            said.map_or_else(|| "it is null".to_owned(), |(_, message)| short(message))
        };
        let reasons: Vec<Option<String>> = value
            .pointer("/data/products/items")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .enumerate()
            .map(|(index, item)| item.is_null().then(|| why(index)))
            .collect();
        let total = value.pointer("/data/products/total_count").and_then(Value::as_u64);
        match (value.pointer_mut("/data/products/items").map(Value::take), total) {
            (Some(Value::Array(items)), Some(total)) => {
                let items = items.into_iter().zip(reasons);
                let items = items.map(|(item, reason)| reason.map_or(Ok(item), Err)).collect();
                Ok(Answer { total, items: Some(items) })
            }
            _ => {
                let said: Vec<String> =
                    messages(&value).take(3).map(|(_, text)| short(text)).collect();
                Err(match said.is_empty() {
                    true => Failure::NotGraphQl("its answer holds no products".into()),
                    false => Failure::Errors(said.join("; ")),
                })
            }
        }
    }
}

impl Failure {
    /// Whether the answer may come where less is asked for.
    pub(super) fn is_of_the_page(&self) -> bool {
        matches!(
            self,
            Failure::Errors(_) | Failure::Fetch(FetchError::Status { status: 500..=504, .. })
        )
    }

    pub(super) fn is_behind_the_end(&self) -> bool {
        // "currentPage value 8 specified is greater than the 7 page(s) available."
        matches!(self, Failure::Errors(said) if said.starts_with("currentPage value"))
    }

    /// The largest page that the shop allows, where that is what it complains of.
    pub(super) fn largest_page(&self) -> Option<usize> {
        let Failure::Errors(said) = self else { return None };
        let (_, rest) = said.split_once("Maximum pageSize is ")?;
        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Fetch(e) => e.fmt(f),
            Failure::NotGraphQl(what) => f.write_str(what),
            Failure::Errors(said) => write!(f, "the shop says {said:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(message: &str) -> Value {
        json!({ "errors": [{ "message": message, "extensions": { "category": "graphql" } }] })
    }

    #[test]
    fn answers() {
        let both = json!({
            "errors": [{ "message": "Internal\u{1b} server error", "path": ["products", "items", 1, "price_range"] }],
            "data": { "products": { "total_count": 250, "items": [{ "sku": "a" }, null, { "sku": "c" }, null] } },
        });
        let answer = Answer::read(both).unwrap();
        assert_eq!(answer.total, 250);
        let items = answer.items.unwrap();
        assert_eq!(items[0], Ok(json!({ "sku": "a" })));
        assert_eq!(items[1], Err("Internal server error".into()));
        assert_eq!(items[3], Err("it is null".into()));
        let none = json!({ "data": { "products": null }, "errors": [{ "message": "Internal server error" }] });
        let e = Answer::read(none).unwrap_err();
        assert!(e.is_of_the_page() && e.to_string().contains("Internal server error"), "{e}");
        assert!(!Answer::read(json!({ "data": {} })).unwrap_err().is_of_the_page());
    }

    #[test]
    fn complaints() {
        let field = "Cannot query field \"url_suffix\" on type \"ProductInterface\".";
        assert_eq!(unknown(&error(field)), ["url_suffix"]);
        assert_eq!(unknown(&error("Unknown type \"AttributeValue\".")), ["AttributeValue"]);
        assert!(unknown(&error("Internal server error")).is_empty());
        let e = |text: &str| Answer::read(error(text)).unwrap_err();
        assert!(
            e("currentPage value 4 specified is greater than the 3 page(s) available.")
                .is_behind_the_end()
        );
        assert_eq!(e("Maximum pageSize is 50").largest_page(), Some(50));
        assert_eq!(e("x").largest_page(), None);
    }

    #[test]
    fn what_is_not_graphql() {
        for (text, named) in [
            ("<!doctype html><p>Hi", "web page"),
            ("{\"message\": \"Request does not match any route.\"}", "any route"),
            ("[]", "not GraphQL"),
            ("", "no JSON"),
        ] {
            let error = value(text.as_bytes()).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
        assert!(value(b"\xef\xbb\xbf {\"data\": null}").is_ok());
    }
}
