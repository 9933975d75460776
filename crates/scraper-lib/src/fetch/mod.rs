//! Bytes from a URL or a file, politely and under caps: on size, time, redirects, requests per
//! host, and on the addresses that may be connected to.

mod address;
mod api;
mod body;
mod cost;
mod error;
mod file;
mod guard;
mod options;
mod pace;
mod redirect;
mod retry;
mod robots;
mod route;
mod rules;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, Once, PoisonError},
    time::{Duration, Instant},
};

use reqwest::{
    Client, ClientBuilder, StatusCode, Url,
    header::{self, HeaderMap, HeaderName},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use address::{Base, Location};
pub use api::{Refusal, Sent};
pub use error::FetchError;
pub(crate) use file::OUTSIDE;
pub use file::read_file;
pub use guard::{Guard, is_public};
pub use options::{Caps, FetchOptions};
pub use retry::Retry;
pub use robots::Robots;
pub(crate) use {error::describe, retry::retry_after};

use crate::config::USER_AGENT;
use body::Budget;
use cost::Ended;
use file::read_inside;
use guard::GuardedResolver;
use pace::{Closed, Pace, Running};
use redirect::Trail;
use route::Routes;

/// What a server said about a version of a body (RFC 9110, section 8.8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

impl Validators {
    /// Whether there is nothing to ask with.
    pub fn is_empty(&self) -> bool {
        self.etag.is_none() && self.last_modified.is_none()
    }
}

/// An image file.
#[derive(Debug)]
pub struct Fetched {
    /// The body.
    pub bytes: Vec<u8>,
    /// What to ask with next time.
    pub validators: Validators,
    /// Keep it as long as the bytes.
    pub slot: Slot,
}

/// A page, a feed, a sitemap …
#[derive(Debug)]
pub struct Document {
    /// The body.
    pub bytes: Vec<u8>,
    /// What to ask with next time.
    pub validators: Validators,
    /// As the server says, which need not be true.
    pub content_type: Option<String>,
    /// Where it was, after redirects.
    pub url: Url,
    /// All that the server said.
    pub headers: Box<HeaderMap>,
}

/// One of [`Caps::connections`], held until dropped: keep it as long as the bytes, and the bodies
/// in memory are bounded by their number.
#[derive(Debug)]
pub struct Slot(#[expect(dead_code, reason = "held, not read")] Option<OwnedSemaphorePermit>);

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

/// What a request is for.
struct Ask<'a> {
    known: Option<&'a Validators>,
    accept: Option<&'static str>,
    /// Largest body, in bytes; `cut` ends it there without an error.
    limit: u64,
    cut: bool,
    robots: bool,
    /// What a programming interface is sent besides; then what it says with an error is kept.
    sent: Option<&'a Sent>,
    budget: Budget,
}

struct Answer {
    /// `None`: not modified.
    body: Option<Vec<u8>>,
    headers: HeaderMap,
    url: Url,
    slot: Slot,
}

/// A failed attempt.
struct Failed {
    error: FetchError,
    /// Whether another attempt may help.
    again: bool,
    /// Whether the host's pace makes the next attempt wait long enough.
    paced: bool,
    /// The body that came with an error, where it was asked to be kept.
    said: Vec<u8>,
}

impl From<FetchError> for Failed {
    fn from(error: FetchError) -> Self {
        Failed { again: error.is_retryable(), error, paced: false, said: Vec::new() }
    }
}

impl Failed {
    fn for_good(error: FetchError) -> Self {
        Failed { error, again: false, paced: false, said: Vec::new() }
    }
}

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

    async fn ask(&self, url: &Url, ask: &Ask<'_>) -> Result<Answer, FetchError> {
        self.asked(url, ask).await.map_err(|failed| failed.error)
    }

    /// Asks until there is an answer or no hope.
    async fn asked(&self, url: &Url, ask: &Ask<'_>) -> Result<Answer, Failed> {
        let retry = &self.options.retry;
        let mut attempt = 1;
        loop {
            let failed = match self.follow(url, ask, attempt).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            if !failed.again || attempt >= retry.attempts {
                return Err(failed);
            }
            let Failed { error, paced, .. } = failed;
            let wait = if paced { Duration::ZERO } else { retry.wait(attempt, None) };
            tracing::debug!("{error}; attempt {} in {wait:?}", attempt + 1);
            attempt += 1;
            // No slot is held meanwhile: a slow host never stalls the others.
            tokio::time::sleep(wait).await;
        }
    }

    /// One request, and those that it is redirected to.
    async fn follow(&self, url: &Url, ask: &Ask<'_>, attempt: u32) -> Result<Answer, Failed> {
        let mut at = url.clone();
        at.set_fragment(None);
        let (mut seen, mut trail) = (HashSet::new(), Trail::default());
        let limit = self.caps().redirects;
        while seen.len() <= limit && seen.insert(at.clone()) {
            self.permit(&at, ask).await?;
            let running = self.pace(&host(&at)).acquire().await.map_err(|closed| {
                let (url, host) = (at.to_string(), host(&at));
                Failed::for_good(match closed {
                    Closed::Down(again) => FetchError::Down { url, host, again },
                    Closed::Aside(reason) => FetchError::Aside { url, host, reason },
                })
            })?;
            let slot = self.slot().await;
            match self.exchange(&at, ask, running, attempt).await? {
                Exchange::Done { body, headers } => {
                    return Ok(Answer { body, headers, url: at, slot });
                }
                Exchange::Redirect { target, headers } => {
                    at = trail.next(&at, &target, &headers).map_err(Failed::for_good)?;
                }
            }
        }
        Err(Failed::for_good(trail.circle(url, limit)))
    }

    /// Whether the guard and `robots.txt` let `url` be fetched.
    async fn permit(&self, url: &Url, ask: &Ask<'_>) -> Result<(), Failed> {
        if let Some(refused) = self.options.guard.refused(url, self.routes.proxied(url)) {
            return Err(Failed::for_good(refused.of(url.to_string())));
        }
        if !ask.robots {
            return Ok(());
        }
        let robots = self.robots(url).await.map_err(Failed::for_good)?;
        let path = url.query().map_or_else(|| url.path().into(), |q| format!("{}?{q}", url.path()));
        if robots.allows(&path) {
            return Ok(());
        }
        Err(Failed::for_good(FetchError::Robots { url: url.to_string(), host: host(url) }))
    }

    async fn exchange(
        &self,
        url: &Url,
        ask: &Ask<'_>,
        running: Running,
        attempt: u32,
    ) -> Result<Exchange, Failed> {
        let client = if self.routes.proxied(url) { &self.proxied } else { &self.direct };
        let to = self.authorized(url);
        let request = match ask.sent {
            Some(sent) => sent.request(client, to),
            None => client.get(to),
        };
        let mut request = request.timeout(ask.budget.total);
        if let Some(accept) = ask.accept {
            request = request.header(header::ACCEPT, accept);
        }
        if let Some(known) = ask.known {
            for (name, value) in [
                (header::IF_NONE_MATCH, &known.etag),
                (header::IF_MODIFIED_SINCE, &known.last_modified),
            ] {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
        }
        let started = Instant::now();
        let response = match request.send().await {
            Ok(response) => response,
            Err(e) => {
                let error = FetchError::from_reqwest(url, &e, self.caps());
                running.ended(match error {
                    FetchError::Connect { .. } | FetchError::Timeout { .. } => Ended::Failed,
                    _ => Ended::Unsent,
                });
                return Err(error.into());
            }
        };
        let answered = Ended::Answered(started.elapsed());
        let (status, headers) = (response.status(), response.headers().clone());
        let location = redirect::location(&headers);
        match (status, location) {
            (StatusCode::NOT_MODIFIED, _) if ask.known.is_some() => {
                running.ended(answered);
                Ok(Exchange::Done { body: None, headers })
            }
            (status, _) if status.is_success() => {
                let size = (ask.limit, ask.cut);
                match body::read(url, response, size, &ask.budget, self.caps()).await {
                    Ok(body) => {
                        running.ended(answered);
                        Ok(Exchange::Done { body: Some(body), headers })
                    }
                    Err(error) => {
                        // What took all of its time would take it again.
                        let spent = started.elapsed() >= ask.budget.total;
                        let slow = spent || matches!(error, FetchError::Slow { .. });
                        running.ended(match error.is_retryable() {
                            _ if slow => Ended::Slow,
                            true => Ended::Broken,
                            false => answered,
                        });
                        let failed = Failed::from(error);
                        Err(Failed { again: failed.again && !slow, ..failed })
                    }
                }
            }
            (status, Some(target)) if status.is_redirection() => {
                running.ended(answered);
                Ok(Exchange::Redirect { target, headers })
            }
            (status, _) => {
                let busy = matches!(status.as_u16(), 429 | 430 | 503 | 529);
                running.ended(match status {
                    _ if busy => {
                        Ended::Busy(self.options.retry.wait(attempt, retry_after(&headers)))
                    }
                    status if status.is_server_error() => Ended::Broken,
                    _ => answered,
                });
                let error = FetchError::Status { url: url.to_string(), status: status.as_u16() };
                let said = match ask.sent {
                    Some(_) => self.said(url, response, ask).await,
                    None => Vec::new(),
                };
                let failed = Failed::from(error);
                // An interface that says what is wrong will say so again.
                let again = failed.again && (busy || !api::explains(&said));
                Err(Failed { paced: busy, said, again, ..failed })
            }
        }
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

impl Answer {
    /// `None`: not modified.
    fn changed(self) -> Option<Whole> {
        let Answer { body, headers, url, slot } = self;
        body.map(|bytes| Whole { bytes, headers, url, slot })
    }

    /// The answer to a question without validators, which nothing but a body can answer.
    fn whole(self, asked: &Url) -> Result<Whole, FetchError> {
        let odd = || FetchError::Status { url: asked.to_string(), status: 304 };
        self.changed().ok_or_else(odd)
    }
}

/// An answer with its body.
struct Whole {
    bytes: Vec<u8>,
    headers: HeaderMap,
    url: Url,
    slot: Slot,
}

impl Whole {
    fn fetched(self) -> Fetched {
        let validators = validators(&self.headers);
        Fetched { bytes: self.bytes, validators, slot: self.slot }
    }

    fn document(self) -> Document {
        let Whole { bytes, headers, url, .. } = self;
        let content_type = headers.get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|v| Some(v.to_str().ok()?.to_owned()));
        let validators = validators(&headers);
        Document { bytes, validators, content_type, url, headers: headers.into() }
    }
}

enum Exchange {
    Done { body: Option<Vec<u8>>, headers: HeaderMap },
    Redirect { target: String, headers: HeaderMap },
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

fn validators(headers: &HeaderMap) -> Validators {
    let text = |name: HeaderName| Some(headers.get(name)?.to_str().ok()?.to_owned());
    Validators { etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) }
}
