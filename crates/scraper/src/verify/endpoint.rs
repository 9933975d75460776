//! A Hugging Face Inference Endpoint that embeds images.

use std::time::{Duration, Instant};

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::{Client, StatusCode, Url, header};
use serde_json::{Value, json};

use crate::fetch::{client_builder, describe, retry_after};

/// Largest answer, in bytes: a vector is some kilobytes. An endless one also ends with the timeout.
const ANSWER_LIMIT: usize = 16 << 20;

/// How an image is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum RequestForm {
    /// Raw, and JSON if the endpoint refuses that.
    #[default]
    Auto,
    /// The bytes of the file as the body.
    Raw,
    /// `{"inputs": "<base64>"}`.
    Json,
}

#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    #[error("cannot set up HTTP: {0}")]
    Client(String),
    #[error("cannot reach {url}: {reason}")]
    Connect { url: String, reason: String },
    #[error("{url} did not answer within {} s (--timeout)", .timeout.as_secs_f64())]
    Timeout { url: String, timeout: Duration },
    #[error(
        "{url} was still not ready after {} s (it answered {status}): wait for it to start, or \
         wait longer (--wait)", .waited.as_secs()
    )]
    NotReady { url: String, status: u16, waited: Duration },
    #[error("{url} answered {status}: it wants a token, or another one (--token-env)")]
    Token { url: String, status: u16 },
    #[error("{url} answered {status}: {message}")]
    Status { url: String, status: u16, message: String },
    #[error("the answer of {url} is no embedding: {reason}")]
    Answer { url: String, reason: String },
    #[error(
        "{url} gives {found} values, this model {expected}: it serves another model, or hidden \
         states instead of the projected embedding"
    )]
    Dimension { url: String, found: usize, expected: usize },
}

impl EndpointError {
    /// A short stable name for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            EndpointError::Client(_) => "endpoint.client",
            EndpointError::Connect { .. } => "endpoint.connect",
            EndpointError::Timeout { .. } => "endpoint.timeout",
            EndpointError::NotReady { .. } => "endpoint.not_ready",
            EndpointError::Token { .. } => "endpoint.token",
            EndpointError::Status { .. } => "endpoint.status",
            EndpointError::Answer { .. } => "endpoint.answer",
            EndpointError::Dimension { .. } => "endpoint.dimension",
        }
    }

    /// Whether only this image is refused.
    pub fn is_about_the_image(&self) -> bool {
        matches!(self, EndpointError::Status { status: 400 | 413 | 415 | 422, .. })
    }
}

/// An endpoint and how to ask it.
#[derive(Debug)]
pub struct Endpoint {
    client: Client,
    url: Url,
    token: Option<String>,
    form: RequestForm,
    timeout: Duration,
    /// How long it may take to wake up, for all images together.
    patience: Duration,
}

impl Endpoint {
    /// # Errors
    /// HTTP cannot be set up.
    pub fn new(
        url: Url,
        token: Option<String>,
        form: RequestForm,
        timeout: Duration,
        patience: Duration,
    ) -> Result<Self, EndpointError> {
        let client = client_builder()
            .timeout(timeout)
            .build()
            .map_err(|e| EndpointError::Client(describe(&e)))?;
        Ok(Endpoint { client, url, token, form, timeout, patience })
    }

    /// The vector that the endpoint gives for an image file; `dim` values.
    ///
    /// # Errors
    /// [`EndpointError`] says what is wrong with the endpoint or the answer.
    pub async fn embed(&mut self, bytes: &[u8], dim: usize) -> Result<Vec<f32>, EndpointError> {
        let values = match self.form {
            RequestForm::Raw => self.ask(bytes, false).await?,
            RequestForm::Json => self.ask(bytes, true).await?,
            RequestForm::Auto => match self.ask(bytes, false).await {
                Ok(values) => {
                    self.form = RequestForm::Raw;
                    values
                }
                // It may expect the other form; if not, its first answer says why.
                Err(e) if e.is_about_the_image() => match self.ask(bytes, true).await {
                    Ok(values) => {
                        self.form = RequestForm::Json;
                        values
                    }
                    Err(_) => return Err(e),
                },
                Err(e) => return Err(e),
            },
        };
        if values.len() != dim {
            let (url, found) = (self.url.to_string(), values.len());
            return Err(EndpointError::Dimension { url, found, expected: dim });
        }
        Ok(values)
    }

    /// Asks until there is an answer or patience ends.
    async fn ask(&mut self, bytes: &[u8], json: bool) -> Result<Vec<f32>, EndpointError> {
        let url = || self.url.to_string();
        let started = Instant::now();
        for attempt in 0.. {
            let mut request = self.client.post(self.url.clone());
            if let Some(token) = &self.token {
                request = request.bearer_auth(token);
            }
            if attempt > 0 {
                request = request.header("x-wait-for-model", "true");
            }
            request = match json {
                true => request
                    .header(header::CONTENT_TYPE, "application/json")
                    .body(json!({ "inputs": BASE64_STANDARD.encode(bytes) }).to_string()),
                false => {
                    request.header(header::CONTENT_TYPE, media_type(bytes)).body(bytes.to_vec())
                }
            };
            let fail = |e: reqwest::Error| match e.is_timeout() {
                true => EndpointError::Timeout { url: url(), timeout: self.timeout },
                false => EndpointError::Connect { url: url(), reason: describe(&e) },
            };
            let response = request.header(header::ACCEPT, "application/json").send().await;
            let mut response = response.map_err(fail)?;
            let status = response.status();
            let asked = retry_after(response.headers());
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(fail)? {
                if body.len() + chunk.len() > ANSWER_LIMIT {
                    let reason = format!("it is larger than {} MiB", ANSWER_LIMIT >> 20);
                    return Err(EndpointError::Answer { url: url(), reason });
                }
                body.extend_from_slice(&chunk);
            }
            let answer: Option<Value> = serde_json::from_slice(&body).ok();
            if status.is_success() {
                let bad = |reason| EndpointError::Answer { url: url(), reason };
                let answer = answer.ok_or_else(|| bad("it is not JSON".into()))?;
                return vector(&answer).map_err(bad);
            }
            let code = status.as_u16();
            match status {
                StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::BAD_GATEWAY
                | StatusCode::GATEWAY_TIMEOUT
                | StatusCode::TOO_MANY_REQUESTS => {
                    // "estimated_time": seconds until the model is loaded.
                    let estimated = answer.as_ref().and_then(|a| a["estimated_time"].as_f64());
                    let estimated = estimated.and_then(|s| Duration::try_from_secs_f64(s).ok());
                    let backoff = Duration::from_millis(500 << attempt.min(5));
                    let wait = asked.or(estimated.map(|e| e.min(backoff))).unwrap_or(backoff);
                    let waited = started.elapsed();
                    if waited + wait > self.patience {
                        return Err(EndpointError::NotReady { url: url(), status: code, waited });
                    }
                    tracing::info!("{} answered {code}; asking again in {wait:?}", self.url);
                    tokio::time::sleep(wait).await;
                }
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                    return Err(EndpointError::Token { url: url(), status: code });
                }
                _ => {
                    let message = answer
                        .as_ref()
                        .and_then(|a| Some(a["error"].as_str()?.to_owned()))
                        .unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned());
                    let message = message.chars().take(300).collect();
                    return Err(EndpointError::Status { url: url(), status: code, message });
                }
            }
        }
        Err(EndpointError::Client("asked too often".into()))
    }
}

/// Endpoints choose the decoder by it.
fn media_type(bytes: &[u8]) -> &'static str {
    match bytes {
        [0xff, 0xd8, ..] => "image/jpeg",
        [0x89, b'P', b'N', b'G', ..] => "image/png",
        [b'G', b'I', b'F', ..] => "image/gif",
        [b'B', b'M', ..] => "image/bmp",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
        _ => "application/octet-stream",
    }
}

/// Names under which handlers return the vector.
const KEYS: [&str; 10] = [
    "embedding",
    "embeddings",
    "image_embeds",
    "image_embedding",
    "image_features",
    "features",
    "vector",
    "output",
    "outputs",
    "data",
];

/// The vector in an answer: a list of numbers, in lists of one or in an object.
fn vector(answer: &Value) -> Result<Vec<f32>, String> {
    match answer {
        Value::Array(items)
            if items.first().is_some_and(|first| !first.is_array() && !first.is_object()) =>
        {
            items
                .iter()
                .map(|item| match item.as_f64() {
                    Some(value) => Ok(value as f32),
                    None => Err(format!("{item} in the list is no number")),
                })
                .collect()
        }
        Value::Array(items) => match items.as_slice() {
            [] => Err("an empty list".into()),
            [one] => vector(one),
            [first, ..] => Err(format!(
                "{} rows of {} values: hidden states, not the projected embedding?",
                items.len(),
                first.as_array().map_or(1, Vec::len)
            )),
        },
        Value::Object(fields) => {
            if let Some(error) = fields.get("error") {
                return Err(format!("it reports an error: {error}"));
            }
            let known = KEYS.iter().find_map(|key| fields.get(*key));
            match known.or_else(|| fields.values().next().filter(|_| fields.len() == 1)) {
                Some(inner) => vector(inner),
                None => {
                    let keys: Vec<&str> = fields.keys().map(String::as_str).collect();
                    Err(format!("an object with {}; none holds the vector", keys.join(", ")))
                }
            }
        }
        other => Err(format!("{other}")),
    }
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
        ] {
            assert_eq!(vector(&serde_json::from_str(text).unwrap()), Ok(vec![1.0, 2.5]), "{text}");
        }
        for (text, part) in [
            ("[[1],[2],[3]]", "3 rows of 1"),
            (r#"{"error": "out of memory"}"#, "out of memory"),
            (r#"{"a": 1, "b": 2}"#, "a, b"),
            ("[]", "empty"),
            ("[1, null]", "null"),
            ("7", "7"),
        ] {
            let error = vector(&serde_json::from_str(text).unwrap()).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
