//! JSON-LD blocks (<https://www.w3.org/TR/json-ld11/>) as shops write them.

use serde_json::Value;

use super::{
    budget::Blown,
    graph::{Datum, Graph, Item},
    lenient,
    report::Origin,
};

/// Adds the items of a script.
///
/// # Errors
/// The outer one: the budget is used up. The inner one: why the text is no JSON.
pub(super) fn add(graph: &mut Graph<'_>, script: &str) -> Result<Result<(), String>, Blown> {
    match lenient::parse(script) {
        Ok(value) => {
            datum(graph, &value, None)?;
            Ok(Ok(()))
        }
        Err(reason) => Ok(Err(reason)),
    }
}

/// `serde_json` reads no deeper than 128, so recursion ends.
fn datum(graph: &mut Graph<'_>, value: &Value, parent: Option<(usize, &str)>) -> Result<(), Blown> {
    match value {
        Value::Array(values) => {
            for value in values {
                datum(graph, value, parent)?;
            }
        }
        Value::Object(object) => {
            if let Some(inner) =
                object.get("@list").or_else(|| object.get("@set")).or_else(|| object.get("@value"))
            {
                return datum(graph, inner, parent);
            }
            let mut item = Item::of(Origin::JsonLd);
            item.id = object.get("@id").and_then(Value::as_str).map(|id| graph.absolute(id));
            let kinds = object.get("@type").or_else(|| object.get("type"));
            match kinds {
                Some(Value::String(kind)) => item.add_type(kind),
                Some(Value::Array(kinds)) => {
                    kinds.iter().filter_map(Value::as_str).for_each(|kind| item.add_type(kind));
                }
                _ => {}
            }
            item.parent = parent.map(|(at, name)| (at, name.to_owned()));
            let at = graph.add(item)?;
            if let Some((parent, name)) = parent {
                graph.set(parent, name, Datum::Item(at))?;
            }
            for (name, value) in object {
                match name.as_str() {
                    "@context" | "@type" | "@id" | "@reverse" => {}
                    name => datum(graph, value, Some((at, &super::graph::local(name))))?,
                }
            }
        }
        Value::String(text) => {
            if let Some((parent, name)) = parent {
                graph.set(parent, name, Datum::Text(text.clone()))?;
            }
        }
        Value::Number(number) => {
            if let Some((parent, name)) = parent {
                graph.set(parent, name, Datum::Number(number.to_string()))?;
            }
        }
        Value::Bool(value) => {
            if let Some((parent, name)) = parent {
                graph.set(parent, name, Datum::Text(value.to_string()))?;
            }
        }
        Value::Null => {}
    }
    Ok(())
}

impl Graph<'_> {
    /// An `@id` or `itemid` as one name, however it is written.
    pub(super) fn absolute(&self, id: &str) -> String {
        let id = id.trim();
        match id.starts_with("_:") {
            true => id.to_owned(),
            false => self.base.join(id).map_or_else(|_| id.to_owned(), String::from),
        }
    }
}
