//! How a [`Fetcher`](super::Fetcher) behaves.

use std::{sync::Arc, time::Duration};

use reqwest::dns::Resolve;

use super::{Guard, Retry};
use crate::config::USER_AGENT;

/// What one download may cost.
#[derive(Debug, Clone, Copy)]
pub struct Caps {
    /// Largest image or file, in bytes.
    pub bytes: u64,
    /// Longest wait for a connection.
    pub connect: Duration,
    /// Longest silence in mid-body.
    pub idle: Duration,
    /// Longest single request for an image or a page, body included.
    pub total: Duration,
    /// The same for feeds and sitemaps: large ones may come slowly, as long as they come.
    pub feed_total: Duration,
    /// Least bytes per second of an image or a page, on average once `grace` is over.
    pub min_speed: u64,
    /// How long a body may be slower.
    pub grace: Duration,
    /// How long a host may refuse, fail or stall without any good answer between, until it is set
    /// aside for the run. Also the measure of what it may ask for with `Retry-After` (twice this) and
    /// of what it may cost in all: 20 times this, and 3 s for each good answer.
    pub host_patience: Duration,
    /// Most redirects that one request follows.
    pub redirects: usize,
    /// Concurrent downloads.
    pub connections: usize,
    /// Concurrent downloads from one host, while it answers quickly.
    pub per_host: usize,
    /// Requests per second to one host; 0 for no limit.
    pub rate: f64,
}

impl Default for Caps {
    fn default() -> Self {
        Caps {
            bytes: 64 << 20,
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(20),
            total: Duration::from_secs(120),
            feed_total: Duration::from_secs(6 * 3600),
            min_speed: 1024,
            grace: Duration::from_secs(15),
            host_patience: Duration::from_secs(30),
            redirects: 5,
            connections: 16,
            per_host: 8,
            rate: 30.0,
        }
    }
}

/// All of it.
#[derive(Clone)]
pub struct FetchOptions {
    /// What one download may cost.
    pub caps: Caps,
    /// When and how often a request is made again.
    pub retry: Retry,
    /// Which addresses may be connected to.
    pub guard: Guard,
    /// Whether `robots.txt` is asked for and obeyed.
    pub robots: bool,
    /// The header of that name.
    pub user_agent: String,
    /// Turns names into addresses; the system's way if `None`. The guard has the last word.
    pub resolver: Option<Arc<dyn Resolve>>,
}

impl Default for FetchOptions {
    fn default() -> Self {
        FetchOptions {
            caps: Caps::default(),
            retry: Retry::default(),
            guard: Guard::public(),
            robots: true,
            user_agent: USER_AGENT.to_owned(),
            resolver: None,
        }
    }
}

impl std::fmt::Debug for FetchOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let FetchOptions { caps, retry, guard, robots, user_agent, resolver: _ } = self;
        f.debug_struct("FetchOptions")
            .field("caps", caps)
            .field("retry", retry)
            .field("guard", guard)
            .field("robots", robots)
            .field("user_agent", user_agent)
            .finish_non_exhaustive()
    }
}
