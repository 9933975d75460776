//! What a fetch brings.

use reqwest::{
    Url,
    header::{self, HeaderMap, HeaderName},
};
use tokio::sync::OwnedSemaphorePermit;

use super::FetchError;

/// What a server said about a version of a body (RFC 9110, section 8.8).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`, as sent.
    pub etag: Option<String>,
    /// `Last-Modified`, as sent.
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

/// One of [`Caps::connections`](super::Caps::connections), held until dropped: keep it as long as the bytes, and the bodies
/// in memory are bounded by their number.
#[derive(Debug)]
pub struct Slot(
    #[expect(dead_code, reason = "held, not read")] pub(super) Option<OwnedSemaphorePermit>,
);

/// What a server answered.
pub(super) struct Answer {
    /// `None`: not modified.
    pub(super) body: Option<Vec<u8>>,
    pub(super) headers: HeaderMap,
    pub(super) url: Url,
    /// It came from another path than the one that was asked.
    pub(super) moved: bool,
    pub(super) slot: Slot,
}

impl Answer {
    /// `None`: not modified.
    pub(super) fn changed(self) -> Option<Whole> {
        let Answer { body, headers, url, moved, slot } = self;
        body.map(|bytes| Whole { bytes, headers, url, moved, slot })
    }

    /// The answer to a question without validators, which nothing but a body can answer.
    pub(super) fn whole(self, asked: &Url) -> Result<Whole, FetchError> {
        let odd = || FetchError::Status { url: asked.to_string(), status: 304 };
        self.changed().ok_or_else(odd)
    }
}

/// An answer with its body.
pub(super) struct Whole {
    bytes: Vec<u8>,
    headers: HeaderMap,
    url: Url,
    moved: bool,
    slot: Slot,
}

impl Whole {
    /// None where a redirect led elsewhere: tomorrow it may lead to another version of something else.
    fn validators(&self) -> Validators {
        let text = |name: HeaderName| Some(self.headers.get(name)?.to_str().ok()?.to_owned());
        match self.moved {
            true => Validators::default(),
            false => {
                Validators { etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) }
            }
        }
    }

    pub(super) fn fetched(self) -> Fetched {
        let validators = self.validators();
        Fetched { bytes: self.bytes, validators, slot: self.slot }
    }

    pub(super) fn document(self) -> Document {
        let validators = self.validators();
        let Whole { bytes, headers, url, .. } = self;
        let content_type = headers.get(header::CONTENT_TYPE);
        let content_type = content_type.and_then(|v| Some(v.to_str().ok()?.to_owned()));
        Document { bytes, validators, content_type, url, headers: headers.into() }
    }
}
