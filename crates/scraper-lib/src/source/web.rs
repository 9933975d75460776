//! Documents for sources: fetched politely, asked for conditionally, kept between runs.

use std::{io::Read, sync::Arc};

use flate2::read::MultiGzDecoder;
use reqwest::{Url, header::HeaderMap};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    page::{Found, PageReader},
    pages::{Page, Pages},
};
use crate::{
    embed::blocking,
    fetch::{Document, FetchError, Fetcher, Refusal, Robots, Sent},
};

/// Largest page of a product or of a catalogue, in bytes.
pub(super) const PAGE_LIMIT: u64 = 16 << 20;
/// Largest sitemap, unpacked (<https://www.sitemaps.org/protocol.html>: 50 MB).
pub(super) const SITEMAP_LIMIT: u64 = 64 << 20;
/// Largest feed that is downloaded, as it comes; it is held in memory.
pub(super) const FEED_LIMIT: u64 = 512 << 20;

/// The way of sources to the web. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Web {
    fetcher: Fetcher,
    pages: Option<Arc<Pages>>,
    reader: Arc<PageReader>,
}

/// A document as it came.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub(super) bytes: Vec<u8>,
    pub(super) content_type: Option<String>,
    /// Where it was, after redirects.
    pub(super) url: Url,
    pub(super) headers: Box<HeaderMap>,
}

/// How long what was read from a document may stand for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// Until the document changes, as its server or its sitemap says.
    Settled,
    /// The same; and it is kept even where neither says so, for the night on which the document cannot be had.
    Always,
    /// Until the document changes, as its server says: its sitemap's word is not enough, since what was
    /// served need not have been the document.
    Asked,
    /// Not at all: another reading may find more.
    Never,
}

/// What is read from a document, and kept.
pub(super) trait Keepable: Serialize + DeserializeOwned + Send + 'static {
    fn keep(&self) -> Keep {
        Keep::Settled
    }
}

/// A list, or what its document is instead.
impl<T: Serialize + DeserializeOwned + Send + 'static> Keepable for Result<T, String> {}

/// One document to get.
pub(super) struct Wanted<'a> {
    pub(super) url: &'a Url,
    /// What to ask for (RFC 9110, section 12.5.1).
    pub(super) accept: &'static str,
    pub(super) limit: u64,
    /// When its sitemap says it last changed: where that is known already, nothing is asked.
    pub(super) lastmod: Option<&'a str>,
}

impl Web {
    /// Without `pages` everything is downloaded each time.
    pub fn new(fetcher: Fetcher, pages: Option<Arc<Pages>>) -> Self {
        Web { fetcher, pages, reader: Arc::default() }
    }

    /// Pages are read with these selectors and budgets.
    pub fn reading(self, reader: PageReader) -> Self {
        Web { reader: Arc::new(reader), ..self }
    }

    /// How pages are read.
    pub(super) fn reader(&self) -> Arc<PageReader> {
        self.reader.clone()
    }

    /// See [`Fetcher::authorize`].
    pub(super) fn authorize(&self, url: Url) -> Url {
        self.fetcher.authorize(url)
    }

    /// Fetches a page and reads it, with where it was after redirects.
    ///
    /// # Errors
    /// It cannot be fetched.
    pub async fn probe(&self, url: &Url, reader: PageReader) -> Result<(Url, Found), FetchError> {
        let accept = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.5";
        let Document { bytes, content_type, url, .. } =
            self.fetcher.document(url, accept, PAGE_LIMIT).await?;
        let read = move || {
            let found = reader.read(&bytes, content_type.as_deref(), &url);
            (url, found)
        };
        blocking(read).await.map_err(|e| FetchError::Client(e.to_string()))
    }

    pub(super) async fn robots(&self, url: &Url) -> Result<Arc<Robots>, FetchError> {
        self.fetcher.robots(url).await
    }

    /// What a programming interface answers; nothing is kept of it.
    pub(super) async fn api(&self, url: &Url, sent: &Sent) -> Result<Vec<u8>, Refusal> {
        Ok(self.fetcher.api(url, sent, PAGE_LIMIT).await?.bytes)
    }

    /// The bytes of a document, unpacked where they are gzip.
    pub(super) async fn bytes(&self, wanted: &Wanted<'_>) -> Result<Vec<u8>, FetchError> {
        let limit = wanted.limit;
        let what = wanted.url.to_string();
        let read = move |body: Body| unpack(body.bytes, limit, &what);
        self.kept(wanted, "bytes", read, |bytes| as_it_is(bytes), Some).await
    }

    /// The bytes of a document as they came, for readers that unpack them as they go.
    pub(super) async fn packed(&self, wanted: &Wanted<'_>) -> Result<Vec<u8>, FetchError> {
        let read = |body: Body| Ok(body.bytes);
        self.kept(wanted, "body", read, |bytes| as_it_is(bytes), Some).await
    }

    /// What `read` makes of a document; of an unchanged one it is known from the last time.
    /// `version` names the reading: a result of another version is not used.
    pub(super) async fn distilled<T: Keepable>(
        &self,
        wanted: &Wanted<'_>,
        version: &str,
        read: impl FnOnce(Body) -> Result<T, FetchError> + Send + 'static,
    ) -> Result<T, FetchError> {
        let pack = |value: &T| Some((serde_json::to_vec(value).ok()?, value.keep()));
        self.kept(wanted, version, read, pack, |bytes| serde_json::from_slice(&bytes).ok()).await
    }

    /// What [`Web::distilled`] made of a document the last time, if it is kept.
    pub(super) async fn kept_reading<T: DeserializeOwned>(
        &self,
        url: &Url,
        version: &str,
    ) -> Option<T> {
        let page = self.recall(format!("{version} {url}")).await?;
        serde_json::from_slice(&page.content).ok()
    }

    async fn kept<T: Send + 'static>(
        &self,
        wanted: &Wanted<'_>,
        version: &str,
        read: impl FnOnce(Body) -> Result<T, FetchError> + Send + 'static,
        pack: impl Fn(&T) -> Option<(Vec<u8>, Keep)> + Send + 'static,
        unpack: impl Fn(Vec<u8>) -> Option<T>,
    ) -> Result<T, FetchError> {
        let key = format!("{version} {}", wanted.url);
        let page = self.recall(key.clone()).await;
        let lastmod = wanted.lastmod.map(str::to_owned);
        let known = page.and_then(|page| {
            let Page { validators, lastmod, content } = page;
            Some((validators, lastmod, unpack(content)?))
        });
        let Wanted { url, accept, limit, .. } = *wanted;
        let document = match known {
            Some((_, seen, value)) if lastmod.is_some() && seen == lastmod => return Ok(value),
            Some((known, _, value)) if !known.is_empty() => {
                let asked = self.fetcher.document_if_changed(url, &known, accept, limit);
                let Some(document) = asked.await? else { return Ok(value) };
                document
            }
            _ => self.fetcher.document(url, accept, limit).await?,
        };
        let Document { bytes, validators, content_type, url, headers } = document;
        let body = Body { bytes, content_type, url, headers };
        let pages = self.pages.clone();
        let work = move || {
            let value = read(body)?;
            if let Some(pages) = pages
                && let Some((content, keep)) = pack(&value)
                && let lastmod = lastmod.filter(|_| keep != Keep::Asked)
                // Without a way to ask whether it changed, keeping most is of no use.
                && match keep {
                    Keep::Settled | Keep::Asked => !validators.is_empty() || lastmod.is_some(),
                    Keep::Always => true,
                    Keep::Never => false,
                }
            {
                let page = Page { validators, lastmod, content };
                if let Err(e) = pages.put(&key, &page) {
                    tracing::warn!("a page cannot be kept for the next run: {e}");
                }
            }
            Ok(value)
        };
        blocking(work).await.map_err(|e| FetchError::Client(e.to_string()))?
    }

    async fn recall(&self, key: String) -> Option<Page> {
        let pages = self.pages.clone()?;
        let found = blocking(move || pages.get(&key)).await.ok()?;
        found.inspect_err(|e| tracing::warn!("kept pages cannot be read: {e}")).ok()?
    }
}

fn as_it_is(bytes: &[u8]) -> Option<(Vec<u8>, Keep)> {
    Some((bytes.to_owned(), Keep::Settled))
}

/// Gzip unpacked, up to `limit` bytes; anything else as it is.
pub(super) fn unpack(bytes: Vec<u8>, limit: u64, what: &str) -> Result<Vec<u8>, FetchError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    let cut = |e: std::io::Error| FetchError::Cut { url: what.into(), reason: e.to_string() };
    let mut reader = MultiGzDecoder::new(bytes.as_slice()).take(limit.saturating_add(1));
    reader.read_to_end(&mut plain).map_err(cut)?;
    if plain.len() as u64 > limit {
        return Err(FetchError::TooLarge { what: what.to_owned(), limit });
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn gzip_is_unpacked_up_to_the_limit() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packed.write_all(&[0; 100_000]).unwrap();
        let packed = packed.finish().unwrap();
        assert_eq!(unpack(packed.clone(), 100_000, "x").unwrap().len(), 100_000);
        let bomb = unpack(packed.clone(), 99_999, "x").unwrap_err();
        assert_eq!(bomb.kind(), "fetch.too_large");
        let cut = unpack(packed[..packed.len() / 2].to_vec(), 100_000, "x").unwrap_err();
        assert_eq!(cut.kind(), "fetch.cut");
        assert_eq!(unpack(b"plain".to_vec(), 5, "x").unwrap(), b"plain");
    }
}
