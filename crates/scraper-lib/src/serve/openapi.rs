//! The description of the interface.

use serde_json::Value;

/// OpenAPI 3.1.
pub(super) fn document() -> Value {
    // A test reads it.
    let mut document: Value =
        serde_json::from_str(include_str!("openapi.json")).unwrap_or_default();
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_described_and_every_reference_leads_somewhere() {
        let document = document();
        let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
        let routes = include_str!("routes.rs");
        let mut wanted: Vec<String> = routes
            .split(".route(\"")
            .skip(1)
            .filter_map(|rest| Some(rest.split_once('"')?.0.replace("{*", "{")))
            .collect();
        wanted.sort();
        wanted.dedup();
        let mut described: Vec<String> = paths.into_iter().cloned().collect();
        described.sort();
        assert_eq!(described, wanted);
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
