//! Bytes from a URL or a file, politely and under caps: on size, time, redirects, requests per
//! host, and on the addresses that may be connected to.

mod address;
mod answer;
mod api;
mod body;
mod cost;
mod error;
mod file;
mod guard;
mod options;
mod pace;
mod redirect;
mod request;
mod retry;
mod robots;
mod route;
mod rules;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Once, PoisonError},
};

use reqwest::{Client, ClientBuilder, Url};
use tokio::sync::Semaphore;

pub use address::{Base, Location};
pub use answer::{Document, Fetched, Slot, Validators};
pub use api::{Refusal, Sent};
pub use error::FetchError;

pub use file::{OUTSIDE, read_file};
pub use guard::{Guard, is_public};
pub use options::{Caps, FetchOptions};
pub use retry::Retry;
pub use robots::Robots;
pub(crate) use {error::describe, retry::retry_after};

use crate::config::USER_AGENT;
use answer::Whole;
use body::Budget;
use file::read_inside;
use guard::GuardedResolver;
use pace::Pace;
use request::Ask;
use route::Routes;

/// Downloads with retries. Cheap to clone; clones share connections, limits, and what they know
/// of hosts.
#[derive(Debug, Clone)]
pub struct Fetcher {
    direct: Client,
    /// Goes through the proxies of the environment.
    proxied: Client,
    routes: Arc<Routes>,
    options: Arc<FetchOptions>,
    connections: Arc<Semaphore>,
    hosts: Arc<Mutex<HashMap<String, Arc<Pace>>>>,
    robots: Arc<Mutex<HashMap<String, Arc<rules::Cell>>>>,
    /// Who to be, by origin.
    users: Arc<Mutex<HashMap<String, User>>>,
}

/// A user name and a password, as an address holds them.
type User = (String, Option<String>);

impl Fetcher {
    /// Fetches from public addresses only, and obeys `robots.txt`.
    ///
    /// # Errors
    /// [`FetchError::Client`] if TLS or the proxy settings cannot be set up.
    pub fn new(caps: Caps, retry: Retry) -> Result<Self, FetchError> {
        Self::with(FetchOptions { caps, retry, ..FetchOptions::default() })
    }

    /// Fetches whatever it is asked for: where people name each address themselves.
    ///
    /// # Errors
    /// Those of [`Fetcher::new`].
    pub fn unguarded(caps: Caps) -> Result<Self, FetchError> {
        let (guard, robots) = (Guard::any(), false);
        Self::with(FetchOptions { caps, guard, robots, ..FetchOptions::default() })
    }

    /// # Errors
    /// [`FetchError::Client`] if TLS or the proxy settings cannot be set up, or the User-Agent
    /// cannot be sent.
    pub fn with(options: FetchOptions) -> Result<Self, FetchError> {
        let caps = &options.caps;
        let routes = Routes::from_env();
        let builder = |exempt: &[String]| {
            let (guard, inner) = (options.guard.clone(), options.resolver.clone());
            client_builder()
                .user_agent(&options.user_agent)
                .connect_timeout(caps.connect)
                .read_timeout(caps.idle)
                // Each hop is a request of its own here: to the guard, to robots.txt, to its host.
                .redirect(reqwest::redirect::Policy::none())
                .dns_resolver(Arc::new(GuardedResolver::new(guard, inner, exempt.to_vec())))
        };
        let build =
            |builder: ClientBuilder| builder.build().map_err(|e| FetchError::Client(describe(&e)));
        let direct = build(builder(&[]).no_proxy())?;
        Ok(Fetcher {
            // Threads and certificates are not needed twice where there is no proxy.
            proxied: match routes.proxies() {
                [] => direct.clone(),
                proxies => build(builder(proxies))?,
            },
            direct,
            routes: Arc::new(routes),
            connections: Arc::new(Semaphore::new(caps.connections.max(1))),
            options: Arc::new(options),
            hosts: Arc::default(),
            robots: Arc::default(),
            users: Arc::default(),
        })
    }

    /// Takes the user name and the password out of `url`: from now on they are sent (RFC 7617) with
    /// every request to its origin, and to no other. So they are in no address that is kept or
    /// shown.
    pub fn authorize(&self, mut url: Url) -> Url {
        if url.username().is_empty() && url.password().is_none() {
            return url;
        }
        let user = (url.username().to_owned(), url.password().map(str::to_owned));
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.insert(url.origin().ascii_serialization(), user);
        let _ = url.set_username("").and_then(|()| url.set_password(None));
        url
    }

    /// `url` with the user name and the password of its origin.
    fn authorized(&self, url: &Url) -> Url {
        let mut url = url.clone();
        let users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if url.username().is_empty()
            && url.password().is_none()
            && let Some((user, password)) = users.get(&url.origin().ascii_serialization())
        {
            let _ = url.set_username(user).and_then(|()| url.set_password(password.as_deref()));
        }
        url
    }

    fn caps(&self) -> &Caps {
        &self.options.caps
    }

    /// Fetches an image.
    ///
    /// # Errors
    /// What went wrong at the last attempt, with the URL or path in the message.
    pub async fn fetch(&self, location: &Location) -> Result<Fetched, FetchError> {
        let limit = self.caps().bytes;
        match location {
            Location::File(path) => self.local(read_file(path, limit)).await,
            Location::Inside { tree, file } => self.local(read_inside(tree, file, limit)).await,
            Location::Url(url) => {
                self.ask(url, &self.image(None)).await?.whole(url).map(Whole::fetched)
            }
        }
    }

    /// Fetches an image; `None` where the server vouches that it is the one that `known` belongs to
    /// (304). Files are always read.
    ///
    /// # Errors
    /// Those of [`Fetcher::fetch`].
    pub async fn fetch_if_changed(
        &self,
        location: &Location,
        known: &Validators,
    ) -> Result<Option<Fetched>, FetchError> {
        match location {
            Location::Url(url) => {
                let answer = self.ask(url, &self.image(Some(known))).await?;
                Ok(answer.changed().map(Whole::fetched))
            }
            local => self.fetch(local).await.map(Some),
        }
    }

    /// What asks for an image.
    fn image<'a>(&self, known: Option<&'a Validators>) -> Ask<'a> {
        let (limit, robots) = (self.caps().bytes, self.options.robots);
        let budget = Budget::image(self.caps());
        Ask { known, accept: None, limit, cut: false, robots, sent: None, budget }
    }

    async fn local(
        &self,
        reading: impl Future<Output = Result<Vec<u8>, FetchError>>,
    ) -> Result<Fetched, FetchError> {
        let slot = self.slot().await;
        Ok(Fetched { bytes: reading.await?, validators: Validators::default(), slot })
    }

    /// Fetches a page, feed or sitemap of at most `limit` bytes; `accept` is what to ask for.
    ///
    /// # Errors
    /// Those of [`Fetcher::fetch`].
    pub async fn document(
        &self,
        url: &Url,
        accept: &'static str,
        limit: u64,
    ) -> Result<Document, FetchError> {
        let answer = self.ask(url, &self.text(None, accept, limit)).await?;
        Ok(answer.whole(url)?.document())
    }

    /// The same; `None` where the server vouches that it is the one that `known` belongs to (304).
    ///
    /// # Errors
    /// Those of [`Fetcher::fetch`].
    pub async fn document_if_changed(
        &self,
        url: &Url,
        known: &Validators,
        accept: &'static str,
        limit: u64,
    ) -> Result<Option<Document>, FetchError> {
        let answer = self.ask(url, &self.text(Some(known), accept, limit)).await?;
        Ok(answer.changed().map(Whole::document))
    }

    /// What asks for a document.
    fn text<'a>(&self, known: Option<&'a Validators>, accept: &'static str, limit: u64) -> Ask<'a> {
        let (robots, budget) = (self.options.robots, Budget::of(self.caps(), limit));
        Ask { known, accept: Some(accept), limit, cut: false, robots, sent: None, budget }
    }

    async fn slot(&self) -> Slot {
        Slot(self.connections.clone().acquire_owned().await.ok()) // never closed
    }

    fn pace(&self, host: &str) -> Arc<Pace> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pace) = hosts.get(host) {
            return pace.clone();
        }
        let caps = self.caps();
        let pace = Arc::new(Pace::new(caps.rate, caps.per_host, caps.host_patience));
        hosts.insert(host.to_owned(), pace.clone());
        pace
    }

    /// Whether `host` (as [`host`] names it) gave no good answer of late: what waits for it should take
    /// no room from others.
    pub(crate) fn in_trouble(&self, host: &str) -> bool {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.get(host).is_some_and(|pace| pace.in_trouble())
    }
}

/// Host, and the port where it is not the usual one.
pub(crate) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
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
