//! A server that loads the model once: embeddings in the protocols of Hugging Face's Inference
//! Endpoints and of OpenAI, and search over a store.
//!
//! One way for every request: `routes` → `guard` (token, then a place in the bounded queue, then a
//! time limit) → a protocol (`inference`, `openai`, `search`) → `engine`, which embeds what is ready of
//! all requests in one batch. Bits do not depend on batches, so every answer is that of a request alone.

mod connection;
mod engine;
mod guard;
mod inference;
mod input;
mod keeper;
mod metrics;
mod openai;
mod openapi;
mod refusal;
mod routes;
mod search;
mod shelf;
mod token;

use std::{sync::Arc, time::Duration};

use axum::http::HeaderValue;
use tokio::{net::TcpListener, sync::watch};

pub use token::{Tokens, TokensError};

use crate::{Error, fetch::Fetcher, model::LoadedModel, store::StoreTarget};
use engine::Engine;
use guard::Queue;
use metrics::Metrics;
use shelf::Shelf;

/// What a server may be asked, and how much of it.
#[derive(Debug)]
pub struct ServeOptions {
    /// What is searched; without it the server only embeds.
    pub store: Option<StoreTarget>,
    /// Fetches images that requests name by address; without it they are refused. It must have a guard,
    /// and know no passwords: whoever may ask could use them.
    pub fetcher: Option<Fetcher>,
    /// Who may ask; nobody needs a token where there is none.
    pub tokens: Tokens,
    /// Origins of web pages that may ask; `*` for all.
    pub origins: Vec<HeaderValue>,
    /// Inputs per call of the engine. Changes the speed, never a bit of a result.
    pub batch: usize,
    /// Requests at once; what comes on top is answered with 503 and when to come back.
    pub queue: usize,
    /// Images and texts in one request.
    pub inputs: usize,
    /// Size of a request, in bytes.
    pub body: usize,
    /// Bytes of all requests at once; no fewer than of one.
    pub bodies: usize,
    /// Memory of the pictures that are being decoded, in bytes; see
    /// [`RunOptions::decode_memory`](crate::pipeline::RunOptions::decode_memory).
    pub decode_memory: u64,
    /// How long a request may take, from its header to its answer.
    pub timeout: Duration,
    /// How long requests may still take once the server is to stop.
    pub grace: Duration,
    /// Connections at once; further ones wait.
    pub connections: usize,
}

impl Default for ServeOptions {
    fn default() -> Self {
        ServeOptions {
            store: None,
            fetcher: None,
            tokens: Tokens::default(),
            origins: Vec::new(),
            batch: 8,
            queue: 64,
            inputs: 64,
            body: 32 << 20,
            bodies: 256 << 20,
            decode_memory: crate::pipeline::DECODE_MEMORY,
            timeout: Duration::from_secs(30),
            grace: Duration::from_secs(30),
            connections: 1024,
        }
    }
}

/// What all requests share.
#[derive(Debug)]
struct Service {
    model: Arc<LoadedModel>,
    engine: Engine,
    shelf: Option<Arc<Shelf>>,
    queue: Queue,
    metrics: Metrics,
    /// True once the server is to stop.
    stopping: watch::Receiver<bool>,
    options: ServeOptions,
}

/// A server that can answer.
#[derive(Debug)]
pub struct Server(Arc<Service>);

impl Server {
    /// Opens the store and starts the engine. The model needs both towers. It answers until `stop` turns
    /// true.
    ///
    /// # Errors
    /// The store cannot be opened, or holds vectors of another model; no thread can be started.
    pub async fn open(
        model: Arc<LoadedModel>,
        options: ServeOptions,
        stop: watch::Receiver<bool>,
    ) -> Result<Self, Error> {
        let metrics = Metrics::new();
        let batches = metrics.batches.clone();
        let start = |source| Error::Internal(format!("no thread for the engine: {source}"));
        let engine = Engine::start(model.clone(), &options, batches).map_err(start)?;
        let shelf = match options.store.clone() {
            Some(target) => Some(Arc::new(Shelf::open(target, model.clone()).await?)),
            None => None,
        };
        if let Some(shelf) = &shelf
            && options.store.as_ref().is_some_and(StoreTarget::is_shared)
        {
            tokio::spawn(keeper::keep(shelf.clone(), stop.clone()));
        }
        let (queue, stopping) = (Queue::new(&options), stop);
        Ok(Server(Arc::new(Service { model, engine, shelf, queue, metrics, stopping, options })))
    }

    /// Answers what comes in on `listener`. Before it returns, what was accepted is answered, within
    /// [`ServeOptions::grace`].
    pub async fn run(self, listener: TcpListener) {
        let app = routes::routes(self.0.clone());
        connection::accept(listener, app, &self.0.options, self.0.stopping.clone()).await;
    }
}
