//! Sitemaps (<https://www.sitemaps.org/protocol.html>), and the products on the pages they list.
//!
//! Which pages count: those of the site, which are the shop's host, the sitemap's own, and names
//! below or above these ("www."). A sitemap that lists none of them lies elsewhere, and is that of
//! its first page's site. Others count only where `include` names their address. One product is read
//! of
//!
//! - pages that name each other as the same in another language (`xhtml:link rel="alternate"
//!   hreflang`): the first that is listed;
//! - a page and its variants, where the sitemap lists both `/p/1` and `/p/1?color=red`: the former,
//!   with the images of all.
//!
//! Parameters that only tell where visitors came from (`utm_source`) are dropped. What pages say of
//! each other is in `twins.rs`.

mod entries;
mod listed;
mod page_list;
mod read;
mod twins;

use std::{collections::HashSet, sync::Arc};

use reqwest::Url;
use tokio::sync::mpsc::Sender;

use super::{
    Base, Running, Source, SourceError, SourceItem, address,
    key::page_key,
    web::{self, SITEMAP_LIMIT, Wanted, Web},
};
use crate::fetch::FetchError;
use entries::{Entries, Entry};
use listed::with_variants;
pub use page_list::PageList;
pub(super) use {
    listed::Listed,
    read::{Reading, read_pages},
};

/// Sitemaps of one shop; more is a circle or an attack.
const MOST_SITEMAPS: usize = 10_000;
const XML: &str = "application/xml,text/xml;q=0.9,*/*;q=0.5";
/// Where sitemaps are when `robots.txt` names none.
const USUAL: [&str; 6] = [
    "/sitemap.xml",
    "/sitemap_index.xml",
    "/wp-sitemap.xml",
    "/sitemap-index.xml",
    "/sitemap.xml.gz",
    "/sitemap.txt",
];

/// A sitemap as a [`Source`].
#[derive(Debug)]
pub struct Sitemap {
    start: Url,
    include: Arc<[String]>,
    web: Web,
}

/// Where to begin.
enum Starts {
    Named(Vec<Url>),
    /// Nobody names any: the first of the usual places that has one.
    Found(Url, Entries),
}

impl Sitemap {
    /// `start` is a sitemap, an index of them, or the address of a shop, whose `robots.txt` names
    /// its sitemaps (else they are looked for where they usually are).
    pub fn new(start: &Url, web: Web) -> Self {
        Sitemap { start: start.clone(), include: Arc::default(), web }
    }

    /// Only pages whose address contains one of these texts.
    pub fn including(mut self, texts: Vec<String>) -> Self {
        self.include = texts.into();
        self
    }

    async fn starts(&self) -> Result<Starts, SourceError> {
        if self.start.path() != "/" {
            return Ok(Starts::Named(vec![self.start.clone()]));
        }
        // Where it cannot be read, so will the sitemap not be, unless robots.txt does not matter.
        let robots = self.web.robots(&self.start).await.unwrap_or_default();
        let named: Vec<Url> =
            robots.sitemaps.iter().filter_map(|text| self.start.join(text).ok()).collect();
        if !named.is_empty() {
            return Ok(Starts::Named(named));
        }
        let mut last = None;
        for place in USUAL {
            let Ok(url) = self.start.join(place) else { continue };
            match self.entries(&url).await {
                Ok(entries) => return Ok(Starts::Found(url, entries)),
                // Not there, or a page that says so; anything else may pass, and another sitemap
                // may tell of less than this one.
                Err(SourceError::Fetch(FetchError::Status {
                    status: 400..=407 | 410..=424,
                    ..
                })) => {}
                Err(e @ SourceError::Format { .. }) => last = Some(e.to_string()),
                Err(e) => return Err(e),
            }
        }
        let places = USUAL.join(", ");
        let last = last.map(|e| format!(" ({e})")).unwrap_or_default();
        Err(self.wrong(
            &self.start,
            format!(
                "no sitemap: robots.txt names none, and there is none at {places}{last}; if it has \
                 another address, give that"
            ),
        ))
    }

    fn wrong(&self, place: &Url, reason: impl Into<String>) -> SourceError {
        SourceError::Format { place: place.to_string(), reason: reason.into() }
    }

    /// What one sitemap says.
    async fn entries(&self, url: &Url) -> Result<Entries, SourceError> {
        let wanted = Wanted { url, accept: XML, limit: SITEMAP_LIMIT, lastmod: None };
        let what = url.to_string();
        let read = self.web.distilled(&wanted, entries::VERSION, move |body| {
            // Some are packed twice: by whoever wrote them, and by the server.
            let mut bytes = body.bytes;
            for _ in 0..2 {
                bytes = web::unpack(bytes, SITEMAP_LIMIT, &what)?;
            }
            Ok(entries::read(&bytes, body.content_type.as_deref(), &body.url))
        });
        read.await?.map_err(|reason| self.wrong(url, reason))
    }

    /// Sends every page, sitemap by sitemap, and what is wrong with single sitemaps.
    pub(super) async fn pages(
        &self,
        out: &Sender<Result<Listed, SourceError>>,
    ) -> Result<(), SourceError> {
        let (mut waiting, mut found) = match self.starts().await? {
            Starts::Named(urls) => (urls, None),
            Starts::Found(url, entries) => (vec![url], Some(entries)),
        };
        waiting.reverse();
        let (mut seen, mut twins, mut first) = (HashSet::new(), HashSet::new(), true);
        while let Some(url) = waiting.pop() {
            if !seen.insert(url.clone()) {
                continue;
            }
            if seen.len() > MOST_SITEMAPS {
                let reason = format!("more than {MOST_SITEMAPS} sitemaps; the rest is not read");
                return Err(self.wrong(&url, reason));
            }
            let read = match found.take() {
                Some(entries) => Ok(entries),
                None => self.entries(&url).await,
            };
            let mut problems = Vec::new();
            match read {
                Ok(entries) => {
                    let at = Url::parse(&entries.at).unwrap_or_else(|_| url.clone());
                    if let Some(reason) = &entries.broken {
                        problems.push(self.wrong(&url, reason.clone()));
                    }
                    let more = self.addresses(entries.sitemaps, &at, &mut problems);
                    waiting.extend(more.into_iter().rev().map(|(sitemap, _)| sitemap));
                    for page in self.listed(entries.pages, &at, &mut twins, &mut problems) {
                        if out.send(Ok(page)).await.is_err() {
                            return Ok(());
                        }
                    }
                }
                // Without its only sitemap there is no source.
                Err(e) if first && waiting.is_empty() => return Err(e),
                Err(e) => problems.push(e),
            }
            first = false;
            for problem in problems {
                if out.send(Err(problem)).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The addresses of entries; what is none is reported.
    fn addresses(
        &self,
        entries: Vec<Entry>,
        at: &Url,
        problems: &mut Vec<SourceError>,
    ) -> Vec<(Url, Entry)> {
        let (mut bad, mut good) = (Vec::new(), Vec::new());
        for (number, entry) in (1..).zip(entries) {
            match entries::address_of(&entry.loc, at) {
                Ok(url) => good.push((url, entry)),
                Err(reason) => bad.push((number, entry.loc, reason)),
            }
        }
        let others = bad.len().saturating_sub(1);
        if let Some((record, loc, reason)) = bad.into_iter().next() {
            let loc: String = loc.chars().take(200).collect();
            let others =
                if others > 0 { format!("; so have {others} more") } else { String::new() };
            problems.push(SourceError::Record {
                place: at.to_string(),
                record,
                reason: format!("{loc:?} has no address that can be read: {reason}{others}"),
            });
        }
        good
    }

    /// `None` for a page that is not to be read; else whether its site was named.
    fn included(&self, url: &Url) -> Option<bool> {
        let mut texts = self.include.iter().filter(|text| url.as_str().contains(text.as_str()));
        match self.include.is_empty() {
            true => Some(false),
            false => texts.clone().next().map(|_| texts.any(|text| text.contains("://"))),
        }
    }

    /// The pages of one sitemap that are to be read. `twins` are the sets of languages that were
    /// met so far.
    fn listed(
        &self,
        entries: Vec<Entry>,
        at: &Url,
        twins: &mut HashSet<String>,
        problems: &mut Vec<SourceError>,
    ) -> Vec<Listed> {
        let addresses = self.addresses(entries, at, problems).into_iter();
        let all = addresses.map(|(url, entry)| (address::without_tracking(url), entry));
        let all: Vec<_> =
            all.filter_map(|(url, entry)| Some((self.included(&url)?, url, entry))).collect();
        let mut sites = vec![self.start.clone(), at.clone()];
        let is_of = |sites: &[Url], url: &Url| sites.iter().any(|s| address::same_site(s, url));
        if let Some((_, first, _)) = all.first()
            && !all.iter().any(|(_, url, _)| is_of(&sites, url))
        {
            sites.push(first.clone());
        }
        let mut pages = Vec::new();
        let (mut foreign, mut example) = (0_usize, None);
        for (asked_for, url, entry) in all {
            if !asked_for && !is_of(&sites, &url) {
                foreign += 1;
                example.get_or_insert(url);
                continue;
            }
            if entry.twins.is_none_or(|set| twins.insert(set)) {
                let Entry { lastmod, images, .. } = entry;
                let images = images.iter().filter_map(|i| at.join(i).ok()).map(String::from);
                let images = images.collect();
                pages.push(Listed { lastmod, images, ..Listed::page(url) });
            }
        }
        if let Some(example) = example {
            tracing::warn!(
                "{at} lists {foreign} pages of other sites, which are not read, {example} for one; \
                 include = [\"{}\"] would",
                example.origin().ascii_serialization()
            );
        }
        with_variants(pages)
    }
}

impl Source for Sitemap {
    fn describe(&self) -> String {
        format!("sitemap {}", self.start)
    }

    fn base(&self) -> Base {
        Base::Web
    }

    fn run(self: Box<Self>, out: Sender<SourceItem>) -> Running {
        Box::pin(async move {
            let (send, listed) = tokio::sync::mpsc::channel(64);
            let web = self.web.clone();
            let listing = tokio::spawn(async move { self.pages(&send).await });
            read_pages(&web, listed, &out, Reading::All).await;
            listing.await.map_err(|e| SourceError::Stopped(e.to_string()))?
        })
    }
}

/// The body of the fuzz target: what an entry means is an address of the web.
pub(super) fn fuzz(data: &[u8], place: &Url) {
    let Ok(found) = entries::read(data, None, place) else { return };
    for entry in found.sitemaps.iter().chain(&found.pages) {
        if let Ok(url) = entries::address_of(&entry.loc, place) {
            let url = address::without_tracking(url);
            assert!(matches!(url.scheme(), "http" | "https"), "{url}");
            let _ = (address::same_site(place, &url), address::without_variant(&url));
            assert!(!page_key(&url).is_empty(), "{url}");
        }
    }
}
