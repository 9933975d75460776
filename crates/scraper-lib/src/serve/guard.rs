//! What stands before every request that costs something: the token, a place in the queue, and the time.

use std::{future::poll_fn, pin::pin, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{
        Request, State,
        rejection::{BytesRejection, FailedToBufferBody},
    },
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{ServeOptions, Service, refusal::Refusal};

/// Bytes of a request that is refused unread are read all the same, up to here and so long: a
/// connection that is closed with bytes on the way loses its answer.
const DRAINED: usize = 1 << 20;
const DRAINING: Duration = Duration::from_secs(2);

/// The places of requests, and of their bytes.
#[derive(Debug)]
pub(super) struct Queue {
    requests: Arc<Semaphore>,
    /// In KiB: a semaphore counts to 2³² in one step.
    bytes: Arc<Semaphore>,
    /// What a request of unknown size takes.
    most: u32,
}

/// A place, until it is dropped.
pub(super) struct Place(#[expect(dead_code, reason = "held")] [OwnedSemaphorePermit; 2]);

impl Queue {
    pub(super) fn new(options: &ServeOptions) -> Self {
        let kib = |bytes: usize| bytes.div_ceil(1 << 10);
        let bytes = kib(options.bodies.max(options.body)).min(Semaphore::MAX_PERMITS);
        Queue {
            requests: Arc::new(Semaphore::new(options.queue.max(1))),
            bytes: Arc::new(Semaphore::new(bytes)),
            most: u32::try_from(kib(options.body)).unwrap_or(u32::MAX),
        }
    }

    fn enter(&self, method: &Method, length: Option<u64>) -> Option<Place> {
        let size = match length {
            Some(length) => u32::try_from(length.div_ceil(1 << 10)).unwrap_or(u32::MAX),
            None if method == Method::GET || method == Method::HEAD => 0,
            None => self.most,
        };
        let request = self.requests.clone().try_acquire_owned().ok()?;
        let bytes = self.bytes.clone().try_acquire_many_owned(size).ok()?;
        Some(Place([request, bytes]))
    }
}

/// Refuses requests without a token.
pub(super) async fn token(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let sent = request.headers().get(header::AUTHORIZATION).map(|value| value.as_bytes());
    if service.options.tokens.admit(sent) {
        return next.run(request).await;
    }
    let message = "this server wants a token, or another one: send `Authorization: Bearer …`";
    refuse(request, Refusal::new(StatusCode::UNAUTHORIZED, "token", message)).await
}

/// Lets in as many requests as there are places, for as long as they may take.
pub(super) async fn place(
    State(service): State<Arc<Service>>,
    request: Request,
    next: Next,
) -> Response {
    let options = &service.options;
    let length = content_length(request.headers());
    if length.is_some_and(|length| length > options.body as u64) {
        return refuse(request, too_large(options.body)).await;
    }
    let Some(place) = service.queue.enter(request.method(), length) else {
        return refuse(request, Refusal::full()).await;
    };
    let answered = timeout(options.timeout, next.run(request)).await;
    drop(place);
    answered.unwrap_or_else(|_| Refusal::late(options.timeout).into_response())
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(limit: usize) -> Refusal {
    let message =
        format!("the request is larger than {} KiB, the most this server takes", limit >> 10);
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "request.too_large", message)
}

async fn refuse(request: Request, refusal: Refusal) -> Response {
    // Who waits for a 100 has sent nothing.
    if !request.headers().contains_key(header::EXPECT) {
        let _ = timeout(DRAINING, drain(request.into_body())).await;
    }
    refusal.into_response()
}

async fn drain(body: Body) {
    let mut body = pin!(body);
    let mut read = 0;
    while let Some(Ok(frame)) = poll_fn(|context| body.as_mut().poll_frame(context)).await {
        read += frame.data_ref().map_or(0, |data| data.len());
        if read > DRAINED {
            return;
        }
    }
}

/// The bytes of a request, within the limit.
pub(super) fn body(
    service: &Service,
    read: Result<Bytes, BytesRejection>,
) -> Result<Bytes, Refusal> {
    read.map_err(|e| match e {
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
            too_large(service.options.body)
        }
        e => Refusal::bad(format!("the request ends early: {}", e.body_text())),
    })
}
