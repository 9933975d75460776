//! Why bytes could not be had, in words.

use std::{error::Error as _, io, net::IpAddr, path::PathBuf, time::Duration};

use reqwest::Url;

use super::{Caps, guard::Refused};

/// A download or a file read that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The HTTP client could not be made; nothing was asked.
    #[error("cannot set up HTTP: {0}")]
    Client(String),
    /// The text is no address on the web.
    #[error("{text:?} is not a usable address: {reason}")]
    Address {
        /// As it was written.
        text: String,
        /// Why, in words.
        reason: String,
    },
    /// No connection, or it broke before an answer came.
    #[error("cannot connect to {url}: {reason}")]
    Connect {
        /// The address.
        url: String,
        /// Why, in words.
        reason: String,
    },
    /// Fewer bytes per second than [`Caps::min_speed`].
    #[error(
        "{url} sends too slowly: {bytes} bytes in {} s",
        .elapsed.as_secs()
    )]
    Slow {
        /// The address.
        url: String,
        /// Received so far.
        bytes: u64,
        /// Since the body began.
        elapsed: Duration,
    },
    /// Silence longer than `idle`, or no end within `total`.
    #[error("{url} took too long: no byte for {idle:?}, or more than {total:?} in all")]
    Timeout {
        /// The address.
        url: String,
        /// Longest silence that is borne.
        idle: Duration,
        /// Longest request that is borne.
        total: Duration,
    },
    /// An answer other than the one that was wanted.
    #[error("{url} answered {status}{}", reason(*.status))]
    Status {
        /// The address.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// Too many redirects, or a circle of them.
    #[error("{url} redirects more than {limit} times or in a circle")]
    Redirects {
        /// The address.
        url: String,
        /// [`Caps::redirects`].
        limit: usize,
    },
    /// A redirect to something that is no address on the web.
    #[error("{url} redirects to {target:?}, which is not an address on the web")]
    RedirectTarget {
        /// The address.
        url: String,
        /// The `Location`, as sent.
        target: String,
    },
    /// A redirect to itself until a cookie comes back.
    #[error(
        "{url} sets a cookie and redirects until the cookie comes back (a cookie or consent wall): it \
         lets in only browsers; ask the shop for a feed, or to let the User-Agent clip-scraper in"
    )]
    CookieWall {
        /// The address.
        url: String,
    },
    /// A cloud's metadata service, which is never asked by accident.
    #[error("{url} leads to {host}, the metadata service of a cloud, which hands out credentials")]
    Metadata {
        /// The address.
        url: String,
        /// Name or address of the service.
        host: String,
    },
    /// An address that the [`Guard`](super::Guard) does not permit.
    #[error("{url} leads to {address}, which is not on the public internet")]
    Private {
        /// The address.
        url: String,
        /// What the name stands for.
        address: IpAddr,
    },
    /// `robots.txt` (RFC 9309) forbids it.
    #[error("the robots.txt of {host} does not let programs fetch {url}")]
    Robots {
        /// The address.
        url: String,
        /// The host.
        host: String,
    },
    /// Without a readable `robots.txt` nothing may be fetched (RFC 9309, 2.3.1.4).
    #[error(
        "{url} was not fetched, because the robots.txt of {host} cannot be read ({reason}) and \
         may forbid it (RFC 9309); try again later"
    )]
    NoRobots {
        /// The address.
        url: String,
        /// The host.
        host: String,
        /// Why `robots.txt` cannot be read.
        reason: String,
    },
    /// The host does not answer for now; nothing was asked.
    #[error("{url} was not fetched: {host} has stopped answering; it is asked again in {again:?}")]
    Down {
        /// The address.
        url: String,
        /// The host.
        host: String,
        /// Until it is asked again.
        again: Duration,
    },
    /// The host has used up its patience for this run; nothing was asked.
    #[error("{url} was not fetched: {host} is set aside for this run, because {reason}")]
    Aside {
        /// The address.
        url: String,
        /// The host.
        host: String,
        /// Why, in words.
        reason: String,
    },
    /// The body ended too early.
    #[error("the download of {url} was cut: {reason}")]
    Cut {
        /// The address.
        url: String,
        /// Why, in words.
        reason: String,
    },
    /// More bytes than the limit; none is kept.
    #[error("{what} is larger than the limit of {} MiB", *.limit >> 20)]
    TooLarge {
        /// Address or path.
        what: String,
        /// Bytes.
        limit: u64,
    },
    /// A file of this machine cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Standard input cannot be read.
    #[error("cannot read standard input: {0}")]
    Stdin(io::Error),
}

impl FetchError {
    /// Address of what was asked for, where it is on the web.
    pub fn url(&self) -> Option<&str> {
        match self {
            FetchError::Connect { url, .. }
            | FetchError::Slow { url, .. }
            | FetchError::Timeout { url, .. }
            | FetchError::Status { url, .. }
            | FetchError::Redirects { url, .. }
            | FetchError::Robots { url, .. }
            | FetchError::Down { url, .. }
            | FetchError::Aside { url, .. }
            | FetchError::Cut { url, .. } => Some(url),
            _ => None,
        }
    }

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
