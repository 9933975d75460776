//! What Prometheus is told.

use std::time::Duration;

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

/// The media type of OpenMetrics, which [`Metrics::text`] is.
pub(super) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    /// As it stands in the table of routes: clients do not choose how many there are.
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

/// Counts since the start.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Family<Route, Histogram>,
    inputs: Family<Kind, Counter>,
    pub(super) batches: Histogram,
    pub(super) in_progress: Gauge,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("clip");
        let requests = Family::default();
        registry.register("requests", "Requests answered, by route and status", requests.clone());
        let seconds: Family<Route, Histogram> =
            Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.001, 2.0, 16)));
        let help = "Time from a request's header to its answer";
        registry.register("request_seconds", help, seconds.clone());
        let inputs = Family::default();
        registry.register("inputs", "Inputs that were to be embedded, by kind", inputs.clone());
        let batches = Histogram::new(exponential_buckets(1.0, 2.0, 8));
        registry.register("batch_inputs", "Inputs per call of the engine", batches.clone());
        let in_progress = Gauge::default();
        let help = "Requests that are being answered";
        registry.register("requests_in_progress", help, in_progress.clone());
        Metrics { registry, requests, seconds, inputs, batches, in_progress }
    }

    pub(super) fn input(&self, kind: &'static str) {
        self.inputs.get_or_create(&Kind { kind }).inc();
    }

    pub(super) fn answered(&self, route: &str, status: u16, time: Duration) {
        let route = route.to_owned();
        self.seconds.get_or_create(&Route { route: route.clone() }).observe(time.as_secs_f64());
        self.requests.get_or_create(&Answered { route, status }).inc();
    }

    pub(super) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
