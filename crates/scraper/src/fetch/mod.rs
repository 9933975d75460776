//! Bytes of one image from a URL or a file, under caps on size, time, redirects and connections.

mod error;
mod retry;

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, Once, PoisonError},
    time::Duration,
};

use reqwest::{
    Client, Response, StatusCode, Url,
    header::{self, HeaderMap, HeaderName},
    redirect,
};
use tokio::{
    io::AsyncReadExt,
    sync::{OwnedSemaphorePermit, Semaphore},
};

pub use error::FetchError;
pub use retry::Retry;
pub(crate) use {error::describe, retry::retry_after};

use crate::{config::USER_AGENT, source::Location};

/// What one download may cost.
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    /// Largest body or file, in bytes.
    pub bytes: u64,
    /// Longest wait for a connection.
    pub connect: Duration,
    /// Longest silence in mid-body.
    pub idle: Duration,
    /// Longest whole request, redirects and body included.
    pub total: Duration,
    pub redirects: usize,
    /// Downloads at once.
    pub connections: usize,
    /// Downloads at once from one host.
    pub per_host: usize,
}

impl Default for Caps {
    fn default() -> Self {
        Caps {
            bytes: 64 << 20,
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(20),
            total: Duration::from_secs(120),
            redirects: 5,
            connections: 16,
            per_host: 4,
        }
    }
}

/// What a server said about a version of a body (RFC 9110, section 8.8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

/// What a fetch brought.
#[derive(Debug)]
pub enum Fetched {
    Bytes {
        bytes: Vec<u8>,
        validators: Validators,
        slot: Slot,
    },
    /// The server vouches that the body is the one the given validators belong to (304).
    NotModified,
}

/// One of [`Caps::connections`], held until dropped: keep it as long as the bytes, and the bodies
/// in memory are bounded by their number.
#[derive(Debug)]
pub struct Slot(#[expect(dead_code, reason = "held, not read")] Option<OwnedSemaphorePermit>);

/// Downloads with retries. Cheap to clone; clones share connections and limits.
#[derive(Debug, Clone)]
pub struct Fetcher {
    client: Client,
    caps: Caps,
    retry: Retry,
    connections: Arc<Semaphore>,
    hosts: Arc<Mutex<HashMap<String, Arc<Semaphore>>>>,
}

impl Fetcher {
    /// # Errors
    /// [`FetchError::Client`] if TLS or the proxy settings cannot be set up.
    pub fn new(caps: Caps, retry: Retry) -> Result<Self, FetchError> {
        let client = client_builder()
            .connect_timeout(caps.connect)
            .read_timeout(caps.idle)
            .timeout(caps.total)
            .redirect(redirect::Policy::limited(caps.redirects))
            .build()
            .map_err(|e| FetchError::Client(describe(&e)))?;
        Ok(Fetcher {
            client,
            caps,
            retry,
            connections: Arc::new(Semaphore::new(caps.connections.max(1))),
            hosts: Arc::default(),
        })
    }

    /// Fetches `location`. With `known`, a server may answer [`Fetched::NotModified`].
    ///
    /// # Errors
    /// What went wrong at the last attempt, with the URL or path in the message.
    pub async fn fetch(
        &self,
        location: &Location,
        known: Option<&Validators>,
    ) -> Result<Fetched, FetchError> {
        match location {
            Location::File(path) => {
                let slot = self.slot().await;
                let bytes = read_file(path, self.caps.bytes).await?;
                Ok(Fetched::Bytes { bytes, validators: Validators::default(), slot })
            }
            Location::Url(url) => self.download(url, known).await,
        }
    }

    async fn download(&self, url: &Url, known: Option<&Validators>) -> Result<Fetched, FetchError> {
        // Waiting for a retry keeps the host's slot (politeness) but not a connection slot, so
        // that a slow host never stalls the others.
        let host = self.host(url);
        let _polite = host.acquire().await;
        let mut attempt = 0;
        loop {
            let (error, wait) = {
                let slot = self.slot().await;
                match self.attempt(url, known, slot).await {
                    Ok(fetched) => return Ok(fetched),
                    Err(failed) => failed,
                }
            };
            attempt += 1;
            if !error.is_retryable() || attempt >= self.retry.attempts {
                return Err(error);
            }
            let wait = self.retry.wait(attempt, wait);
            tracing::debug!("{error}; attempt {} in {wait:?}", attempt + 1);
            tokio::time::sleep(wait).await;
        }
    }

    /// One request. An error comes with the wait that the server asked for.
    async fn attempt(
        &self,
        url: &Url,
        known: Option<&Validators>,
        slot: Slot,
    ) -> Result<Fetched, (FetchError, Option<Duration>)> {
        let mut request = self.client.get(url.clone());
        if let Some(known) = known {
            for (name, value) in [
                (header::IF_NONE_MATCH, &known.etag),
                (header::IF_MODIFIED_SINCE, &known.last_modified),
            ] {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
        }
        let fail = |e: reqwest::Error| (FetchError::from_reqwest(url, &e, &self.caps), None);
        let response = request.send().await.map_err(fail)?;
        match response.status() {
            StatusCode::NOT_MODIFIED if known.is_some() => Ok(Fetched::NotModified),
            status if status.is_success() => {
                let validators = validators(response.headers());
                let bytes = self.body(url, response).await.map_err(|e| (e, None))?;
                Ok(Fetched::Bytes { bytes, validators, slot })
            }
            status => {
                let wait = retry_after(response.headers());
                Err((FetchError::Status { url: url.to_string(), status: status.as_u16() }, wait))
            }
        }
    }

    async fn body(&self, url: &Url, mut response: Response) -> Result<Vec<u8>, FetchError> {
        let too_large = || FetchError::TooLarge { what: url.to_string(), limit: self.caps.bytes };
        if response.content_length().is_some_and(|n| n > self.caps.bytes) {
            return Err(too_large());
        }
        // The announced length is a claim: start small, grow with what really arrives.
        let mut bytes = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|e| FetchError::from_reqwest(url, &e, &self.caps))?
        {
            if (bytes.len() + chunk.len()) as u64 > self.caps.bytes {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    async fn slot(&self) -> Slot {
        Slot(self.connections.clone().acquire_owned().await.ok()) // never closed
    }

    fn host(&self, url: &Url) -> Arc<Semaphore> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts
            .entry(url.authority().to_ascii_lowercase())
            .or_insert_with(|| Arc::new(Semaphore::new(self.caps.per_host.max(1))))
            .clone()
    }
}

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// [`FetchError::File`] or [`FetchError::TooLarge`], with the path.
pub async fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, FetchError> {
    let fail = |source| FetchError::File { path: path.to_owned(), source };
    let file = tokio::fs::File::open(path).await.map_err(fail)?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).await.map_err(fail)?;
    if bytes.len() as u64 > limit {
        return Err(FetchError::TooLarge { what: path.display().to_string(), limit });
    }
    Ok(bytes)
}

/// A client with this program's User-Agent and TLS provider; proxies and extra certificate
/// authorities come from the usual environment variables.
pub(crate) fn client_builder() -> reqwest::ClientBuilder {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Fails only if the process already chose one, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    Client::builder().user_agent(USER_AGENT)
}

fn validators(headers: &HeaderMap) -> Validators {
    let text = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.to_owned());
    Validators { etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) }
}
