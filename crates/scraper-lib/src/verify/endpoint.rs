//! An Inference Endpoint of Hugging Face, or another server, that embeds images.

use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode, Url, header};
use serde_json::Value;

use super::{
    RequestForm,
    answer::{message, parse, vector},
};
use crate::fetch::{client_builder, describe, retry_after};

/// Largest answer, in bytes: a vector is some kilobytes. An endless one also ends with the timeout.
const ANSWER_LIMIT: usize = 16 << 20;

/// Why an Inference Endpoint gave no vector.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The HTTP client could not be made.
    #[error("cannot set up HTTP: {0}")]
    Client(String),
    /// No connection.
    #[error("cannot reach {url}: {reason}")]
    Connect {
        /// The address.
        url: String,
        /// Why, in words.
        reason: String,
    },
    /// No answer in time.
    #[error("{url} did not answer within {} s", .timeout.as_secs_f64())]
    Timeout {
        /// The address.
        url: String,
        /// How long it was waited for.
        timeout: Duration,
    },
    /// It was still starting.
    #[error(
        "{url} was still not ready after {} s (it answered {status}): wait for it to start, or \
         wait longer", .waited.as_secs()
    )]
    NotReady {
        /// The address.
        url: String,
        /// HTTP status.
        status: u16,
        /// How long it was asked.
        waited: Duration,
    },
    /// It wants a token, or another one.
    #[error("{url} answered {status}: it requires a token, or a different one")]
    Token {
        /// The address.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// An answer that is no success.
    #[error("{url} answered {status}: {message}")]
    Status {
        /// The address.
        url: String,
        /// HTTP status.
        status: u16,
        /// For people.
        message: String,
    },
    /// It takes images in no form that is known here.
    #[error("{url} accepts images in no form that is known here: {}", refusals(.answers))]
    Refused {
        /// The address.
        url: String,
        /// Each form, and what it said to it.
        answers: Vec<(RequestForm, String)>,
    },
    /// An answer that is no vector.
    #[error("the response from {url} is not an embedding: {reason}")]
    Answer {
        /// The address.
        url: String,
        /// Why, in words.
        reason: String,
    },
    /// A vector of another length.
    #[error(
        "{url} returned {found} values, this model has {expected}: it serves another model, or hidden \
         states instead of the projected embedding"
    )]
    Dimension {
        /// The address.
        url: String,
        /// Values it gave.
        found: usize,
        /// Values of the model's vectors.
        expected: usize,
    },
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
            EndpointError::Status { .. } | EndpointError::Refused { .. } => "endpoint.status",
            EndpointError::Answer { .. } => "endpoint.answer",
            EndpointError::Dimension { .. } => "endpoint.dimension",
        }
    }

    /// Whether only this image is refused.
    pub fn is_about_the_image(&self) -> bool {
        matches!(
            self,
            EndpointError::Status { status: 400 | 413 | 415 | 422, .. }
                | EndpointError::Refused { .. }
        )
    }

    /// Whether another form of request may be what the endpoint wants. Handlers crash with a 500
    /// for what they do not expect.
    fn is_about_the_form(&self) -> bool {
        matches!(self, EndpointError::Status { status: 400 | 405 | 406 | 415 | 422 | 500, .. })
    }
}

/// An endpoint and how to ask it.
#[derive(Debug)]
pub struct Endpoint {
    client: Client,
    url: Url,
    token: Option<String>,
    form: RequestForm,
    /// For servers of several models.
    model: String,
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
        model: String,
        timeout: Duration,
        patience: Duration,
    ) -> Result<Self, EndpointError> {
        let client = client_builder()
            .timeout(timeout)
            .build()
            .map_err(|e| EndpointError::Client(describe(&e)))?;
        Ok(Endpoint { client, url, token, form, model, timeout, patience })
    }

    /// How it is asked: what it was told, or has found.
    pub fn form(&self) -> RequestForm {
        self.form
    }

    /// The vector that the endpoint gives for an image file; `dim` values.
    ///
    /// # Errors
    /// [`EndpointError`] says what is wrong with the endpoint or the answer.
    pub async fn embed(&mut self, bytes: &[u8], dim: usize) -> Result<Vec<f32>, EndpointError> {
        let values = match self.form {
            RequestForm::Auto => self.negotiate(bytes).await?,
            form => self.ask(bytes, form).await?,
        };
        if values.len() != dim {
            let (url, found) = (self.url.to_string(), values.len());
            return Err(EndpointError::Dimension { url, found, expected: dim });
        }
        Ok(values)
    }

    /// Finds the form that the endpoint takes, and keeps to it.
    async fn negotiate(&mut self, bytes: &[u8]) -> Result<Vec<f32>, EndpointError> {
        let mut forms = RequestForm::tried();
        if self.url.path().trim_end_matches('/').ends_with("/embeddings") {
            forms.rotate_right(1);
        }
        let mut answers = Vec::new();
        for form in forms {
            match self.ask(bytes, form).await {
                Ok(values) => {
                    self.form = form;
                    return Ok(values);
                }
                Err(e) if !e.is_about_the_form() => return Err(e),
                Err(EndpointError::Status { status, message, .. }) => {
                    answers.push((form, format!("{status} ({message})")));
                }
                Err(e) => return Err(e),
            }
        }
        Err(EndpointError::Refused { url: self.url.to_string(), answers })
    }

    /// Asks until there is an answer or patience ends.
    async fn ask(&self, image: &[u8], form: RequestForm) -> Result<Vec<f32>, EndpointError> {
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
            let (media, sent) = form.body(image, &self.model);
            request = request.header(header::CONTENT_TYPE, media).body(sent);
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
            if status.is_success() {
                let found = parse(&body).and_then(|answer| vector(&answer));
                return found.map_err(|reason| EndpointError::Answer { url: url(), reason });
            }
            let answer: Option<Value> = serde_json::from_slice(&body).ok();
            let code = status.as_u16();
            let said = message(answer.as_ref(), &body);
            let starting = status == StatusCode::BAD_REQUEST && said.contains("initializing");
            match status {
                _ if starting || is_not_ready(status) => {
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
                    return Err(EndpointError::Status { url: url(), status: code, message: said });
                }
            }
        }
        Err(EndpointError::Client("asked too often".into()))
    }
}

/// A proxy speaks for an endpoint that sleeps, or is at its limit.
fn is_not_ready(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::BAD_GATEWAY
            | StatusCode::GATEWAY_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
    )
}

/// Which answers came to which forms, each of them once.
fn refusals(answers: &[(RequestForm, String)]) -> String {
    let mut told: Vec<(&str, Vec<&str>)> = Vec::new();
    for (form, answer) in answers {
        match told.iter_mut().find(|(known, _)| known == answer) {
            Some((_, forms)) => forms.push(form.name()),
            None => told.push((answer, vec![form.name()])),
        }
    }
    let told = told.iter().map(|(answer, forms)| format!("to {} {answer}", forms.join(", ")));
    told.collect::<Vec<_>>().join("; ")
}
