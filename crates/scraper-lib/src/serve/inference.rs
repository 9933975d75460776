//! The protocol of Hugging Face's Inference Endpoints.
//!
//! The body is an image file, or JSON: `{"inputs": …}` with a text, an image in base64, a list of
//! these, or `{"image": …, "text": …}` as handlers take it. The answer is a vector, a list of vectors,
//! or an object with `image_embedding` and `text_embedding`. Vectors have length 1 unless the request
//! says `"normalize": false`.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{
        Query, State,
        rejection::{BytesRejection, QueryRejection},
    },
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use clip_core::Embedding;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Service, guard,
    input::{Input, Plain},
    refusal::Refusal,
};

/// What may stand in the address, for bodies that are files.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Switches {
    normalize: Option<bool>,
}

/// The shape of a question, and so of its answer.
#[derive(Debug, PartialEq)]
enum Asked {
    One(Input),
    Many(Vec<Input>),
    Pair { image: Option<Input>, text: Option<Input> },
}

/// The answer of a handler.
#[derive(Debug, Serialize)]
struct Pair {
    #[serde(skip_serializing_if = "Option::is_none")]
    image_embedding: Option<Vec<f32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text_embedding: Option<Vec<f32>>,
}

/// Answers a request.
pub(super) async fn embed(
    State(service): State<Arc<Service>>,
    switches: Result<Query<Switches>, QueryRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let Query(switches) = switches.map_err(|e| Refusal::bad(e.body_text()))?;
    let body = guard::body(&service, body)?;
    let (asked, normalize) = match is_json(&headers, &body) {
        true => parse(&body)?,
        false => (Asked::One(Input::Image(body)), None),
    };
    let unit = normalize.or(switches.normalize).unwrap_or(true);
    let values = |embedding: Embedding| match unit {
        true => embedding.normalized().into_values(),
        false => embedding.into_values(),
    };
    Ok(match asked {
        Asked::One(input) => Json(values(service.embed(&input).await?)).into_response(),
        Asked::Many(inputs) => {
            let all = service.embed_all(inputs).await?;
            Json(all.into_iter().map(values).collect::<Vec<_>>()).into_response()
        }
        Asked::Pair { image, text } => {
            let has = (image.is_some(), text.is_some());
            let mut all =
                service.embed_all(image.into_iter().chain(text).collect()).await?.into_iter();
            let image_embedding = if has.0 { all.next().map(values) } else { None };
            let text_embedding = if has.1 { all.next().map(values) } else { None };
            Json(Pair { image_embedding, text_embedding }).into_response()
        }
    })
}

/// Clients that say nothing of the media type, or what curl says by itself, may send either.
pub(super) fn is_json(headers: &HeaderMap, body: &[u8]) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = media.unwrap_or_default().to_ascii_lowercase();
    let begins = body.trim_ascii_start().starts_with(b"{");
    media.contains("json") || (begins && !media.starts_with("image/"))
}

/// The question, and whether vectors of length 1 are wanted.
fn parse(body: &[u8]) -> Result<(Asked, Option<bool>), Refusal> {
    let json: Value = serde_json::from_slice(body)
        .map_err(|e| Refusal::bad(format!("the body is not JSON: {e}")))?;
    let normalize = json.get("normalize").or_else(|| json.pointer("/parameters/normalize"));
    let normalize = match normalize {
        None | Some(Value::Null) => None,
        Some(Value::Bool(normalize)) => Some(*normalize),
        Some(_) => return Err(Refusal::bad("`normalize` is true or false")),
    };
    let asked = match json.get("inputs") {
        Some(Value::Array(items)) => {
            let each = |item| Input::of(item, Plain::Either);
            Asked::Many(items.iter().map(each).collect::<Result<_, _>>()?)
        }
        Some(Value::Object(fields)) => {
            let string = |name| match fields.get(name) {
                None | Some(Value::Null) => Ok(None),
                Some(Value::String(text)) if text.is_empty() => Ok(None),
                Some(Value::String(text)) => Ok(Some(text)),
                Some(_) => Err(Refusal::bad(format!("`inputs.{name}` is a string"))),
            };
            let image = string("image")?.map(|image| Input::image(image)).transpose()?;
            let text = string("text")?.map(|text| Input::text(text)).transpose()?;
            if image.is_none() && text.is_none() {
                return Err(Refusal::bad("`inputs` holds neither `image` nor `text`"));
            }
            Asked::Pair { image, text }
        }
        Some(one) => Asked::One(Input::of(one, Plain::Either)?),
        None => return Err(Refusal::bad("the body has no `inputs`")),
    };
    Ok((asked, normalize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_have_the_shapes_of_the_protocol() {
        let text = |text: &str| Input::Text(text.into());
        let of = |json: &str| parse(json.as_bytes()).map(|(asked, normalize)| (asked, normalize));
        assert_eq!(of(r#"{"inputs": "a b"}"#).unwrap(), (Asked::One(text("a b")), None));
        let many = Asked::Many(vec![text("a b"), text("c")]);
        let list = r#"{"inputs": ["a b", {"text": "c"}], "parameters": {"normalize": false}}"#;
        assert_eq!(of(list).unwrap(), (many, Some(false)));
        let pair = of(r#"{"inputs": {"image": "", "text": "a b"}, "normalize": true}"#).unwrap();
        assert_eq!(pair, (Asked::Pair { image: None, text: Some(text("a b")) }, Some(true)));
        for bad in [
            "[]",
            "{",
            r#"{"input": "a"}"#,
            r#"{"inputs": {}}"#,
            r#"{"inputs": 7}"#,
            r#"{"inputs": {"image": 1}}"#,
            r#"{"inputs": "a", "normalize": "no"}"#,
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }
}
