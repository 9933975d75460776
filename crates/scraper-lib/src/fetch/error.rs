//! Why bytes could not be had, in words.

use std::{error::Error as _, io, net::IpAddr, path::PathBuf, time::Duration};

use reqwest::Url;

use super::{Caps, guard::Refused};

/// A download or a file read that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    #[error("cannot set up HTTP: {0}")]
    Client(String),
    #[error("{text:?} is not a usable address: {reason}")]
    Address { text: String, reason: String },
    #[error("cannot connect to {url}: {reason}")]
    Connect { url: String, reason: String },
    #[error(
        "{url} sends too slowly: {bytes} bytes in {} s (--min-speed says how slow is too slow)",
        .elapsed.as_secs()
    )]
    Slow { url: String, bytes: u64, elapsed: Duration },
    #[error("{url} took too long: no byte for {idle:?}, or more than {total:?} in all")]
    Timeout { url: String, idle: Duration, total: Duration },
    #[error("{url} answered {status}{}", reason(*.status))]
    Status { url: String, status: u16 },
    #[error("{url} redirects more than {limit} times or in a circle")]
    Redirects { url: String, limit: usize },
    #[error("{url} redirects to {target:?}, which is not an address on the web")]
    RedirectTarget { url: String, target: String },
    #[error(
        "{url} sets a cookie and redirects until the cookie comes back (a cookie or consent wall): it \
         lets in only browsers; ask the shop for a feed, or to let the User-Agent clip-scraper in"
    )]
    CookieWall { url: String },
    #[error(
        "{url} leads to {host}, the metadata service of a cloud, which hands out credentials; only \
         a network of its own in --allow-private permits it (169.254.169.254/32)"
    )]
    Metadata { url: String, host: String },
    #[error(
        "{url} leads to {address}, which is not on the public internet; --allow-private permits \
         such addresses"
    )]
    Private { url: String, address: IpAddr },
    #[error(
        "the robots.txt of {host} does not let programs fetch {url}; where the shop is yours, \
         --ignore-robots fetches it all the same"
    )]
    Robots { url: String, host: String },
    #[error(
        "{url} was not fetched, because the robots.txt of {host} cannot be read ({reason}) and \
         may forbid it (RFC 9309); try again later"
    )]
    NoRobots { url: String, host: String, reason: String },
    #[error("{url} was not fetched: {host} has stopped answering; it is asked again in {again:?}")]
    Down { url: String, host: String, again: Duration },
    #[error(
        "{url} was not fetched: {host} is set aside for this run, because {reason}; `scraper retry` or \
         the next run asks it again (--host-patience waits longer)"
    )]
    Aside { url: String, host: String, reason: String },
    #[error("the download of {url} was cut: {reason}")]
    Cut { url: String, reason: String },
    #[error("{what} is larger than the limit of {} MiB (--max-bytes raises it for pictures)", *.limit >> 20)]
    TooLarge { what: String, limit: u64 },
    #[error("cannot read {}: {source}", .path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("cannot read standard input: {0}")]
    Stdin(io::Error),
}

impl FetchError {
    /// A short stable name for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            FetchError::Client(_) => "fetch.client",
            FetchError::Address { .. } => "fetch.address",
            FetchError::Connect { .. } => "fetch.connect",
            FetchError::Timeout { .. } => "fetch.timeout",
            FetchError::Slow { .. } => "fetch.slow",
            FetchError::Status { .. } => "fetch.status",
            FetchError::Redirects { .. } | FetchError::RedirectTarget { .. } => "fetch.redirects",
            FetchError::CookieWall { .. } => "fetch.cookie_wall",
            FetchError::Private { .. } | FetchError::Metadata { .. } => "fetch.private",
            FetchError::Robots { .. } => "fetch.robots",
            FetchError::NoRobots { .. } => "fetch.no_robots",
            FetchError::Down { .. } => "fetch.down",
            FetchError::Aside { .. } => "fetch.aside",
            FetchError::Cut { .. } => "fetch.cut",
            FetchError::TooLarge { .. } => "fetch.too_large",
            FetchError::File { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "file.missing"
            }
            FetchError::File { .. } | FetchError::Stdin(_) => "file.read",
        }
    }

    /// Whether the same request may succeed a moment later.
    pub fn is_retryable(&self) -> bool {
        match self {
            // Besides the standard ones: what Shopify (430), Cloudflare (520 to 526, 530), Qualys
            // and others (529), and proxies (598, 599) say of a moment's trouble.
            FetchError::Status { status, .. } => matches!(
                status,
                408 | 425 | 429 | 430 | 500 | 502..=504 | 520..=526 | 529 | 530 | 598 | 599
            ),
            FetchError::Connect { .. } | FetchError::Timeout { .. } | FetchError::Cut { .. } => {
                true
            }
            _ => false,
        }
    }

    pub(super) fn from_reqwest(url: &Url, e: &reqwest::Error, caps: &Caps) -> Self {
        let url = url.to_string();
        if let Some(why) = refused(e) {
            return why.clone().of(url);
        }
        if e.is_timeout() {
            let idle = if e.is_connect() { caps.connect } else { caps.idle };
            FetchError::Timeout { url, idle, total: caps.total }
        } else if e.is_builder() {
            FetchError::Address { text: url, reason: describe(e) }
        } else if e.is_body() || e.is_decode() {
            FetchError::Cut { url, reason: describe(e) }
        } else {
            FetchError::Connect { url, reason: describe(e) }
        }
    }
}

/// The guard's refusal, if that is the cause.
fn refused(e: &reqwest::Error) -> Option<&Refused> {
    let mut cause = e.source();
    while let Some(found) = cause {
        if let Some(refused) = found.downcast_ref() {
            return Some(refused);
        }
        cause = found.source();
    }
    None
}

/// The innermost cause: reqwest's own message only repeats the URL.
pub(crate) fn describe(e: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = e;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if e.source().is_none() { e.to_string() } else { cause.to_string() }
}

fn reason(status: u16) -> String {
    reqwest::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .map_or_else(String::new, |reason| format!(" {reason}"))
}
