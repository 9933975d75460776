//! What is answered instead of a result.

use std::{borrow::Cow, time::Duration};

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::{
    Error,
    report::shown::{LONG, shown},
};

/// Seconds after which a server that is full may be asked again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// A request that gets no result, and why.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// A short stable name for programs.
    kind: Cow<'static, str>,
    message: String,
}

impl Refusal {
    /// `message` may hold what others wrote.
    pub(super) fn new(status: StatusCode, kind: &'static str, message: impl AsRef<str>) -> Self {
        let message = shown(message.as_ref(), LONG).into_owned();
        Refusal { status, kind: kind.into(), message }
    }

    /// The request is not one of the protocol.
    pub(super) fn bad(message: impl AsRef<str>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "request.form", message)
    }

    /// There is no room for it now.
    pub(super) fn full() -> Self {
        let message = "the server has as many requests as it takes: ask again in a second";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server.full", message)
    }

    /// It takes too long.
    pub(super) fn late(limit: Duration) -> Self {
        let message = format!("no result within {} s", limit.as_secs_f64());
        Self::new(StatusCode::GATEWAY_TIMEOUT, "request.timeout", message)
    }

    /// Something here is broken. What it is stands in the log: it may name files and hosts.
    pub(super) fn internal(kind: &'static str, why: &dyn std::fmt::Display) -> Self {
        tracing::error!("{kind}: {}", shown(&why.to_string(), LONG));
        let message = "the server could not do it; its log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, kind, message)
    }

    /// In the words of OpenAI's interface.
    pub(super) fn openai(self) -> Response {
        let kind = match self.status {
            StatusCode::UNAUTHORIZED => "authentication_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        };
        let error = json!({
            "message": self.message, "type": kind, "param": null, "code": self.kind,
        });
        self.with(&json!({ "error": error }))
    }

    fn with(self, body: &serde_json::Value) -> Response {
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for Refusal {
    /// The refusal itself goes along, for who words it otherwise.
    fn into_response(self) -> Response {
        let mut response = self.clone().with(&json!({ "error": self.message, "kind": self.kind }));
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        use clip_core::image::ImageError;
        let status = match &error {
            Error::Clip(clip_core::Error::Image(e)) => match e {
                ImageError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                ImageError::Unsupported { .. } | ImageError::NotAnImage { .. } => {
                    StatusCode::UNSUPPORTED_MEDIA_TYPE
                }
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            },
            Error::Fetch(e) if e.kind() == "fetch.private" => StatusCode::FORBIDDEN,
            Error::Fetch(_) => StatusCode::UNPROCESSABLE_ENTITY,
            _ => return Self::internal(error.kind(), &error),
        };
        Self::new(status, error.kind(), error.to_string())
    }
}
