//! The `robots.txt` of each host: read once, and kept.

use std::{
    pin::Pin,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use reqwest::Url;

use super::{
    Ask, FetchError, Fetcher,
    body::Budget,
    host,
    robots::{LIMIT, Robots},
};

/// One that could not be read is asked for again after this time.
const AGAIN: Duration = Duration::from_secs(60);

/// What is known of that of a host, and since when.
pub(super) type Cell = tokio::sync::Mutex<Option<(Result<Arc<Robots>, Arc<FetchError>>, Instant)>>;

impl Fetcher {
    /// What `robots.txt` of the host of `url` says; empty rules where it has none.
    ///
    /// # Errors
    /// It may exist but cannot be read: then nothing may be fetched (RFC 9309, 2.3.1.4).
    pub async fn robots(&self, url: &Url) -> Result<Arc<Robots>, FetchError> {
        let key = url.origin().ascii_serialization();
        let cell = {
            let mut known = self.robots.lock().unwrap_or_else(PoisonError::into_inner);
            known.entry(key).or_default().clone()
        };
        let mut cell = cell.lock().await;
        let fresh = cell.as_ref().filter(|(found, at)| found.is_ok() || at.elapsed() < AGAIN);
        let found = match fresh {
            Some((found, _)) => found.clone(),
            None => {
                let found = self.read_robots(url).await.map(Arc::new).map_err(Arc::new);
                cell.insert((found, Instant::now())).0.clone()
            }
        };
        found.map_err(|e| no_robots(url, &e))
    }

    /// Boxed: it is a fetch inside a fetch.
    fn read_robots(
        &self,
        url: &Url,
    ) -> Pin<Box<dyn Future<Output = Result<Robots, FetchError>> + Send + '_>> {
        let mut place = url.clone();
        place.set_path("/robots.txt");
        place.set_query(None);
        place.set_fragment(None);
        Box::pin(async move {
            let (known, accept) = (None, Some("text/plain,*/*;q=0.1"));
            let budget = Budget::of(self.caps(), LIMIT);
            let ask =
                Ask { known, accept, limit: LIMIT, cut: true, robots: false, sent: None, budget };
            let token = self.options.user_agent.split('/').next().unwrap_or_default();
            let rules = match self.ask(&place, &ask).await {
                Ok(answer) => Robots::parse(&answer.body.unwrap_or_default(), token),
                // "Unavailable": everything may be fetched (RFC 9309, 2.3.1.3). 429 is a plea, and so is
                // Shopify's 430.
                Err(FetchError::Status { status: 204 | 400..=428 | 431..=499, .. }) => {
                    Robots::default()
                }
                // A circle of redirects is as unavailable (2.3.1.2).
                Err(
                    FetchError::Redirects { .. }
                    | FetchError::RedirectTarget { .. }
                    | FetchError::CookieWall { .. },
                ) => Robots::default(),
                Err(e) => return Err(e),
            };
            if let Some(delay) = rules.crawl_delay {
                tracing::info!("{} asks for {delay:?} between requests", host(&place));
                self.pace(&host(&place)).crawl_delay(delay);
            }
            Ok(rules)
        })
    }
}

/// Why nothing may be fetched from a host whose `robots.txt` could not be read. Where the host
/// cannot be reached at all, that is what people want to know.
fn no_robots(url: &Url, e: &FetchError) -> FetchError {
    let (url, host) = (url.to_string(), host(url));
    match e {
        FetchError::Private { address, .. } => FetchError::Private { url, address: *address },
        FetchError::Connect { reason, .. } => FetchError::Connect { url, reason: reason.clone() },
        FetchError::Timeout { idle, total, .. } => {
            FetchError::Timeout { url, idle: *idle, total: *total }
        }
        FetchError::Metadata { host, .. } => FetchError::Metadata { url, host: host.clone() },
        FetchError::Aside { reason, .. } => FetchError::Aside { url, host, reason: reason.clone() },
        FetchError::Down { again, .. } => FetchError::Down { url, host, again: *again },
        e => FetchError::NoRobots { url, host, reason: e.to_string() },
    }
}
