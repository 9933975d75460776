//! Which address is what.

use std::{sync::Arc, time::Instant};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use prometheus_client::metrics::gauge::Gauge;
use serde_json::{Value, json};
use tower_http::cors::{AllowOrigin, CorsLayer};

use super::{Service, guard, inference, metrics, openai, openapi, refusal::Refusal, search};

/// Everything that the server answers.
pub(super) fn routes(service: Arc<Service>) -> Router {
    let work = Router::new()
        .route("/", post(inference::embed))
        .route("/v1/embeddings", post(openai::embeddings))
        .route("/embeddings", post(openai::embeddings))
        .route("/search", get(search::search).post(search::search))
        .route("/similar/{*id}", get(search::similar))
        .layer(DefaultBodyLimit::max(service.options.body))
        .route_layer(from_fn_with_state(service.clone(), guard::place));
    let known = Router::new()
        .route("/", get(about))
        .route("/v1/models", get(openai::models))
        .route("/metrics", get(measurements))
        .route("/openapi.json", get(async || Json(openapi::document())))
        .merge(work)
        .route_layer(from_fn_with_state(service.clone(), guard::token));
    let none = || Refusal::new(StatusCode::NOT_FOUND, "route", "there is nothing at this address");
    let method = || {
        let message = "this address takes other methods: /openapi.json lists them";
        Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "method", message)
    };
    let app = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/health", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .merge(known)
        .fallback(async move || none())
        .method_not_allowed_fallback(async move || method())
        .layer(from_fn_with_state(service.clone(), observe));
    match cors(&service.options.origins) {
        Some(cors) => app.layer(cors),
        None => app,
    }
    .with_state(service)
}

/// Web pages of these origins may ask, and read what is answered.
fn cors(origins: &[HeaderValue]) -> Option<CorsLayer> {
    let allowed = match origins {
        [] => return None,
        all if all.iter().any(|origin| origin == "*") => AllowOrigin::any(),
        some => AllowOrigin::list(some.iter().cloned()),
    };
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([header::CONTENT_TYPE, header::AUTHORIZATION, header::ACCEPT])
        .expose_headers([header::RETRY_AFTER])
        .max_age(std::time::Duration::from_secs(3600));
    Some(layer)
}

/// Counts, logs, and words refusals as the protocol of the address does.
async fn observe(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "other".into());
    let metrics = &service.metrics;
    // Also where the client goes away in between.
    let _going = Going::begin(&metrics.in_progress);
    let mut response = next.run(request).await;
    if route.ends_with("/embeddings")
        && let Some(refusal) = response.extensions_mut().remove::<Refusal>()
    {
        response = refusal.openai();
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let (status, time) = (response.status().as_u16(), started.elapsed());
    metrics.answered(&route, status, time);
    tracing::info!("{route} {status} in {time:?}");
    response
}

/// A request that is being answered.
struct Going<'a>(&'a Gauge);

impl<'a> Going<'a> {
    fn begin(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Going(gauge)
    }
}

impl Drop for Going<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// What is served, and where its vectors come from.
async fn about(State(service): State<Arc<Service>>) -> Json<Value> {
    let model = &service.model;
    Json(json!({
        "model": model.provenance.model,
        "dimensions": model.clip.config().projection_dim,
        "provenance": model.provenance,
        "search": service.shelf.is_some(),
        "openapi": "/openapi.json",
    }))
}

/// Not while the server ends: whoever balances loads then looks elsewhere.
async fn ready(State(service): State<Arc<Service>>) -> Response {
    match *service.stopping.borrow() {
        false => "ready\n".into_response(),
        true => {
            let message = "the server is about to end";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "server.stopping", message)
                .into_response()
        }
    }
}

async fn measurements(State(service): State<Arc<Service>>) -> Result<impl IntoResponse, Refusal> {
    let text = service.metrics.text().map_err(|e| Refusal::internal("internal", &e))?;
    Ok(([(header::CONTENT_TYPE, metrics::MEDIA_TYPE)], text))
}
