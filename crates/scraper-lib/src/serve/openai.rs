//! `/v1/embeddings` as OpenAI words it, with images as Infinity takes them: data URIs, or with
//! `"modality": "image"` also base64 and addresses.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::StatusCode,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Service, guard,
    input::{Input, Plain},
    refusal::Refusal,
};

/// A question. Fields that are not here (`user` …) change nothing.
#[derive(Debug, Deserialize)]
struct Question {
    model: Option<String>,
    input: Value,
    #[serde(default)]
    modality: Modality,
    #[serde(default)]
    encoding_format: Format,
    dimensions: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Modality {
    #[default]
    Text,
    Image,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    #[default]
    Float,
    /// Little-endian f32.
    Base64,
}

/// A list of what is described.
#[derive(Debug, Serialize)]
pub(super) struct List<T> {
    object: &'static str,
    data: Vec<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

#[derive(Debug, Serialize)]
pub(super) struct Item {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Vector {
    Float(Vec<f32>),
    Base64(String),
}

/// Tokens of the texts; images have none.
#[derive(Debug, Serialize)]
struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct Model {
    id: String,
    object: &'static str,
    created: u64,
    owned_by: &'static str,
}

/// The only model.
pub(super) async fn models(State(service): State<Arc<Service>>) -> Json<List<Model>> {
    let id = service.model.provenance.model.clone();
    let model = Model { id, object: "model", created: 0, owned_by: "clip" };
    Json(List { object: "list", data: vec![model], model: None, usage: None })
}

/// Answers a request, with vectors of length 1.
pub(super) async fn embeddings(
    State(service): State<Arc<Service>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<List<Item>>, Refusal> {
    let body = guard::body(&service, body)?;
    let question: Question = serde_json::from_slice(&body)
        .map_err(|e| Refusal::bad(format!("the body is no request for embeddings: {e}")))?;
    drop(body);
    let name = &service.model.provenance.model;
    if let Some(asked) = question.model.filter(|asked| asked != name) {
        let message = format!("there is no model {asked:?} here, only {name:?}");
        return Err(Refusal::new(StatusCode::NOT_FOUND, "model_not_found", message));
    }
    let dim = service.model.clip.config().projection_dim;
    if let Some(asked) = question.dimensions.filter(|asked| *asked != dim) {
        let message = format!("{asked} dimensions: the vectors of {name} have {dim}");
        return Err(Refusal::bad(message));
    }
    let plain = match question.modality {
        Modality::Text => Plain::Text,
        Modality::Image => Plain::Image,
    };
    let inputs = match &question.input {
        Value::Array(items) => {
            items.iter().map(|item| Input::of(item, plain)).collect::<Result<Vec<_>, _>>()?
        }
        one => vec![Input::of(one, plain)?],
    };
    if inputs.is_empty() {
        return Err(Refusal::bad("`input` is empty"));
    }
    let tokens = |input: &Input| match input {
        Input::Text(text) => service.model.clip.tokenize(text).len(),
        Input::Image(_) | Input::Address(_) => 0,
    };
    let tokens = inputs.iter().map(tokens).sum();
    let vector = |values: Vec<f32>| match question.encoding_format {
        Format::Float => Vector::Float(values),
        Format::Base64 => {
            let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
            Vector::Base64(BASE64_STANDARD.encode(bytes))
        }
    };
    let embeddings = service.embed_all(inputs).await?;
    let item = |(index, embedding): (usize, clip_core::Embedding)| {
        let embedding = vector(embedding.normalized().into_values());
        Item { object: "embedding", index, embedding }
    };
    Ok(Json(List {
        object: "list",
        data: embeddings.into_iter().enumerate().map(item).collect(),
        model: Some(name.clone()),
        usage: Some(Usage { prompt_tokens: tokens, total_tokens: tokens }),
    }))
}
