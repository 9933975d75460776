//! `scraper serve`: embeddings and search for others, over HTTP.

use std::{
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use clap::Args;
use clip_core::Towers;
use reqwest::header::HeaderValue;
use tokio::net::TcpListener;

use super::{
    Context, ModelArgs, interruption, network::NetworkArgs, settings::settings, unreadable,
};
use scraper_lib::{
    Error, pipeline,
    report::{
        EXIT_OK,
        console::{self, say, tell},
    },
    serve::{ServeOptions, Server, Tokens},
    store::StoreTarget,
};

/// Answers over HTTP: embeddings as a Hugging Face Inference Endpoint (POST /) and as OpenAI
/// (POST /v1/embeddings), and the results of `scraper search` (/search, /similar/ID).
///
/// /openapi.json describes everything; /healthz, /readyz and /metrics are for those who run it. HTTP/1.1
/// and HTTP/2 without TLS, which is a proxy's work. Ctrl-C and SIGTERM answer what was accepted, then end
/// it.
///
/// Examples:
///   scraper serve
///   scraper serve --store shop.db --listen 0.0.0.0:8080 --token-file /run/secrets/tokens
///   scraper serve --store shop.db --cors https://shop.example
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct ServeArgs {
    /// Where to listen; port 0 is any that is free, and the first line of the output says which.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The store to search: an SQLite file, or a Postgres database with pgvector. What a run writes
    /// is found from its end on. [default: that of scraper.toml; without one, nothing is searched]
    #[arg(long, value_name = "FILE|postgres://…")]
    store: Option<StoreTarget>,
    /// File with the tokens that clients must send, one per line. Read at the start.
    #[arg(long, value_name = "FILE", conflicts_with = "token_env")]
    token_file: Option<PathBuf>,
    /// Name of the environment variable that holds the token.
    #[arg(long, value_name = "NAME")]
    token_env: Option<String>,
    /// Origin of web pages that may ask (https://shop.example), or * for all; may be repeated.
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    cors: Vec<HeaderValue>,
    /// Fetches images that requests name by their address: from public addresses only, unless
    /// --allow-private says more.
    #[arg(long)]
    fetch_urls: bool,
    /// Requests at once; what comes on top is answered with 503.
    #[arg(long, value_name = "N", default_value = "64")]
    queue: NonZeroUsize,
    /// Inputs per batch; affects speed, never results.
    #[arg(long, value_name = "N", default_value = "8")]
    batch: NonZeroUsize,
    /// Images and texts in one request.
    #[arg(long, value_name = "N", default_value = "64")]
    max_inputs: NonZeroUsize,
    /// Largest request, in MiB.
    #[arg(long, value_name = "MIB", default_value = "32")]
    max_body: NonZeroU32,
    /// All requests at once, in MiB.
    #[arg(long, value_name = "MIB", default_value = "256")]
    max_bodies: NonZeroU32,
    /// Connections at once; further ones wait.
    #[arg(long, value_name = "N", default_value = "1024")]
    max_connections: NonZeroUsize,
    /// Longest time for a request, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "30")]
    timeout: NonZeroU32,
    /// How long requests may still take at the end, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    grace: u32,
    /// Total memory for images while they are decoded, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = (pipeline::DECODE_MEMORY >> 20) as u32)]
    decode_memory: u32,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    model: ModelArgs,
}

impl ServeArgs {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        let tokens = self.tokens()?;
        let store = match &self.store {
            Some(store) => Some(store.clone()),
            None => {
                settings()?.store().map(|text| text.parse()).transpose().map_err(Error::Usage)?
            }
        };
        let fetcher = match self.fetch_urls {
            // Users and passwords of our sources are not for whoever may ask.
            true => Some(self.network.anonymous(self.model.preprocessing.bytes())?),
            false => None,
        };
        if tokens.is_empty() && !self.listen.ip().is_loopback() {
            tell!(
                "warning: anybody who reaches {} may ask: --token-file and --token-env name tokens",
                self.listen
            );
        }
        let bytes = |mib: NonZeroU32| (mib.get() as usize) << 20;
        let options = ServeOptions {
            store,
            fetcher,
            tokens,
            origins: self.cors.clone(),
            batch: self.batch.get(),
            queue: self.queue.get(),
            inputs: self.max_inputs.get(),
            body: bytes(self.max_body),
            bodies: bytes(self.max_bodies),
            decode_memory: u64::from(self.decode_memory) << 20,
            timeout: Duration::from_secs(self.timeout.get().into()),
            grace: Duration::from_secs(self.grace.into()),
            connections: self.max_connections.get(),
        };
        // A port that is taken is told before the model is loaded.
        let listener = TcpListener::bind(self.listen).await;
        let listener = listener.map_err(|e| self.cannot_listen(&e))?;
        let address = listener.local_addr().map_err(|e| self.cannot_listen(&e))?;
        let model = Arc::new(self.model.load(context, Towers::Both).await?);
        let stop = interruption::with_note(
            context,
            "Answering what was accepted; press Ctrl-C again to stop at once.",
        );
        let name = model.provenance.model.clone();
        let server = Server::open(model, options, stop).await?;
        console::done_without(say!("Serving {name} on http://{address}"));
        server.run(listener).await;
        Ok(EXIT_OK)
    }

    fn tokens(&self) -> Result<Tokens, Error> {
        let (what, text) = match (&self.token_file, &self.token_env) {
            (Some(path), _) => {
                let text = std::fs::read_to_string(path).map_err(|e| unreadable(path, &e))?;
                (path.display().to_string(), text)
            }
            (None, Some(name)) => {
                let text = std::env::var(name).unwrap_or_default();
                (format!("the variable {name}"), text)
            }
            (None, None) => return Ok(Tokens::default()),
        };
        Tokens::parse(&text).map_err(|e| Error::Usage(format!("{what}: {e}")))
    }

    fn cannot_listen(&self, e: &std::io::Error) -> Error {
        Error::Usage(format!(
            "cannot listen on {}: {e}; --listen takes another address",
            self.listen
        ))
    }
}

/// As browsers send it: scheme, host and port, nothing else.
fn origin(text: &str) -> Result<HeaderValue, String> {
    let wrong = || "an origin such as https://shop.example, without a path, or *".to_owned();
    if text != "*" {
        let url = reqwest::Url::parse(text).map_err(|_| wrong())?;
        if url.origin().ascii_serialization() != text {
            return Err(wrong());
        }
    }
    HeaderValue::from_str(text).map_err(|_| wrong())
}
