//! What servers answer: a vector in one of many wrappings, or something else, which is named.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

/// Characters of an answer that are shown.
const SHOWN: usize = 300;

const NOT_FINITE: &str = "it holds NaN or Infinity (null in some JSON): the endpoint may compute in a \
                          precision that overflows";

/// The JSON of an answer.
///
/// # Errors
/// Says what it is instead.
pub(super) fn parse(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|_| {
        let text = String::from_utf8_lossy(body);
        if text.trim_start().starts_with('<') {
            return "it is a web page (HTML): this may be the address of a page about the model, or \
                    of a login"
                .into();
        }
        // Python writes them so; JSON has no words for them.
        let nulls = text.replace("-Infinity", "null").replace("Infinity", "null");
        match serde_json::from_str::<Value>(&nulls.replace("NaN", "null")) {
            Ok(_) => NOT_FINITE.into(),
            Err(_) => "it is not JSON".into(),
        }
    })
}

/// What an endpoint says of an error, for people.
pub(super) fn message(answer: Option<&Value>, body: &[u8]) -> String {
    let said = answer.and_then(|a| Some(a["error"].as_str()?.to_owned()));
    cut(&said.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned()))
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN).collect()
}

/// Names under which handlers return the vector.
const KEYS: [&str; 14] = [
    "embedding",
    "embeddings",
    "image_embeds",
    "image_embeddings",
    "image_embedding",
    "image_features",
    "features",
    "feature_vector",
    "vector",
    "vectors",
    "output",
    "outputs",
    "data",
    "image",
];

/// The vector in an answer: a list of numbers, in lists of one or in an object.
pub(super) fn vector(answer: &Value) -> Result<Vec<f32>, String> {
    match answer {
        Value::Array(items)
            if items.first().is_some_and(|first| !first.is_array() && !first.is_object()) =>
        {
            items.iter().map(number).collect()
        }
        Value::Array(items) => match items.as_slice() {
            [] => Err("an empty list".into()),
            [one] => vector(one),
            [Value::Object(first), ..] if first.contains_key("label") => {
                Err("labels with scores: it classifies, and gives no vector".into())
            }
            [first, ..] => Err(format!(
                "{} rows of {} values: hidden states, not the projected embedding?",
                items.len(),
                first.as_array().map_or(1, Vec::len)
            )),
        },
        Value::Object(fields) => {
            if let Some(error) = fields.get("error") {
                return Err(format!("it reports an error: {}", cut(&error.to_string())));
            }
            let known = KEYS.iter().find_map(|key| fields.get(*key));
            match known.or_else(|| fields.values().next().filter(|_| fields.len() == 1)) {
                Some(inner) => vector(inner),
                None => {
                    let keys: Vec<&str> = fields.keys().map(String::as_str).collect();
                    Err(format!("an object with {}; none holds the vector", cut(&keys.join(", "))))
                }
            }
        }
        Value::String(text) => packed(text).ok_or_else(|| cut(text)),
        other => Err(cut(&other.to_string())),
    }
}

fn number(item: &Value) -> Result<f32, String> {
    let value = match item {
        // Some write numbers as strings, which keeps their digits.
        Value::String(text) => text.trim().parse().ok(),
        Value::Null => return Err(NOT_FINITE.into()),
        item => item.as_f64(),
    };
    match value.map(|value: f64| value as f32) {
        Some(value) if value.is_finite() => Ok(value),
        Some(_) => Err(NOT_FINITE.into()),
        None => Err(format!("{} in the list is no number", cut(&item.to_string()))),
    }
}

/// A vector in a string: JSON once more, or little-endian f32 in base64 (OpenAI's
/// `encoding_format`).
fn packed(text: &str) -> Option<Vec<f32>> {
    if let Ok(array @ Value::Array(_)) = serde_json::from_str(text) {
        return vector(&array).ok();
    }
    let bytes = BASE64_STANDARD.decode(text).ok()?;
    let (values, []) = bytes.as_chunks::<4>() else { return None };
    let values: Vec<f32> = values.iter().map(|&value| f32::from_le_bytes(value)).collect();
    (values.len() > 1 && values.iter().all(|value| value.is_finite())).then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_many_shapes() {
        for text in [
            "[1, 2.5]",
            "[[1, 2.5]]",
            "[[[1, 2.5]]]",
            r#"{"embedding": [1, 2.5]}"#,
            r#"{"embeddings": [[1, 2.5]], "model": "x"}"#,
            r#"[{"features": [1, 2.5]}]"#,
            r#"{"data": [{"embedding": [1, 2.5], "index": 0}]}"#,
            r#"{"whatever": [1, 2.5]}"#,
            r#"["1", "2.5"]"#,
            r#""[1, 2.5]""#,
            r#"{"data": [{"embedding": "AACAPwAAIEA="}]}"#,
            r#"{"vectors": [[1, 2.5]], "model": "x"}"#,
            r#"{"feature_vector": [1, 2.5], "dim": 2}"#,
            r#"{"image_embeddings": [1, 2.5], "text_embeddings": [3, 4]}"#,
            r#"{"object": "list", "data": [{"embedding": [1, 2.5]}], "model": "x"}"#,
        ] {
            assert_eq!(vector(&serde_json::from_str(text).unwrap()), Ok(vec![1.0, 2.5]), "{text}");
        }
        for (text, part) in [
            ("[[1],[2],[3]]", "3 rows of 1"),
            (r#"{"error": "out of memory"}"#, "out of memory"),
            (r#"{"a": 1, "b": 2}"#, "a, b"),
            (r#"[{"label": "dress", "score": 1}, {"label": "x", "score": 0}]"#, "classifies"),
            (r#"["red", "dress"]"#, "\"red\" in the list is no number"),
            ("[]", "empty"),
            ("[1, null]", "NaN"),
            ("[1, 1e39]", "Infinity"),
            ("7", "7"),
        ] {
            let error = vector(&serde_json::from_str(text).unwrap()).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn bodies_that_are_no_json_are_named() {
        for (body, part) in [
            ("[NaN, -Infinity]", "NaN or Infinity"),
            (r#"{"embedding": [0.5, NaN]}"#, "NaN or Infinity"),
            ("\n <!DOCTYPE html><title>Log in</title>", "a web page"),
            ("Banana", "not JSON"),
        ] {
            let error = parse(body.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{body}: {error}");
        }
        assert_eq!(message(None, b"\x1b[2Jgone\n"), "[2Jgone");
    }
}
