//! Sitemaps (<https://www.sitemaps.org/protocol.html>), and the products on the pages they list.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use reqwest::Url;
use tokio::{
    sync::{Semaphore, mpsc::Sender},
    task::JoinSet,
};

use super::{
    Running, Source, SourceError, SourceItem, page,
    web::{PAGE_LIMIT, SITEMAP_LIMIT, Wanted, Web},
    xml::{self, Node},
};
use crate::fetch::FetchError;

/// Sitemaps of one shop; more is a circle or an attack.
const MOST_SITEMAPS: usize = 10_000;
/// Pages that are read at once, at most; their host's pace decides.
const PAGES_AT_ONCE: usize = 16;
const XML: &str = "application/xml,text/xml;q=0.9,*/*;q=0.5";
const HTML: &str = "text/html,application/xhtml+xml;q=0.9,*/*;q=0.5";

/// A sitemap as a [`Source`].
#[derive(Debug)]
pub struct Sitemap {
    start: Url,
    include: Arc<[String]>,
    web: Web,
}

/// A page that a sitemap lists.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Listed {
    pub(super) url: Url,
    /// When it last changed, as written.
    pub(super) lastmod: Option<String>,
}

/// What a sitemap holds.
#[derive(Debug, Default, PartialEq)]
struct Entries {
    sitemaps: Vec<Listed>,
    pages: Vec<Listed>,
}

impl Sitemap {
    /// `start` is a sitemap, an index of them, or the address of a shop, whose `robots.txt` names
    /// its sitemaps (else it is `/sitemap.xml`).
    pub fn new(start: &Url, web: Web) -> Self {
        Sitemap { start: start.clone(), include: Arc::default(), web }
    }

    /// Only pages whose address contains one of these texts.
    pub fn including(mut self, texts: Vec<String>) -> Self {
        self.include = texts.into();
        self
    }

    async fn starts(&self) -> Result<Vec<Url>, SourceError> {
        if self.start.path() != "/" {
            return Ok(vec![self.start.clone()]);
        }
        // Where it cannot be read, so will the sitemap not be, unless robots.txt does not matter.
        let robots = self.web.robots(&self.start).await.unwrap_or_default();
        let named: Vec<Url> =
            robots.sitemaps.iter().filter_map(|text| self.start.join(text).ok()).collect();
        if !named.is_empty() {
            return Ok(named);
        }
        self.start.join("/sitemap.xml").map(|url| vec![url]).map_err(|e| SourceError::Format {
            place: self.start.to_string(),
            reason: e.to_string(),
        })
    }

    /// Sends every page, sitemap by sitemap, and what is wrong with single sitemaps.
    pub(super) async fn pages(
        &self,
        out: &Sender<Result<Listed, SourceError>>,
    ) -> Result<(), SourceError> {
        let mut waiting = self.starts().await?;
        waiting.reverse();
        let (mut seen, mut first) = (HashSet::new(), true);
        while let Some(url) = waiting.pop() {
            if !seen.insert(url.clone()) || seen.len() > MOST_SITEMAPS {
                continue;
            }
            let wanted = Wanted { url: &url, accept: XML, limit: SITEMAP_LIMIT, lastmod: None };
            let read = self.web.bytes(&wanted).await.map_err(SourceError::Fetch);
            let entries = match read.and_then(|bytes| entries(&bytes, &url)) {
                Ok(entries) => entries,
                // Without its only sitemap there is no source.
                Err(e) if first && waiting.is_empty() => return Err(e),
                Err(e) => match out.send(Err(e)).await {
                    Ok(()) => continue,
                    Err(_) => return Ok(()),
                },
            };
            first = false;
            waiting.extend(entries.sitemaps.into_iter().rev().map(|listed| listed.url));
            for page in entries.pages {
                let address = page.url.as_str();
                let wanted = self.include.is_empty()
                    || self.include.iter().any(|text| address.contains(text.as_str()));
                if wanted && out.send(Ok(page)).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl Source for Sitemap {
    fn describe(&self) -> String {
        format!("sitemap {}", self.start)
    }

    fn base(&self) -> PathBuf {
        PathBuf::new()
    }

    fn run(self: Box<Self>, out: Sender<SourceItem>) -> Running {
        Box::pin(async move {
            let (send, listed) = tokio::sync::mpsc::channel(64);
            let (web, home) = (self.web.clone(), self.start.clone());
            let listing = tokio::spawn(async move { self.pages(&send).await });
            read_pages(&web, Some(home), listed, &out).await;
            listing.await.map_err(|e| SourceError::Stopped(e.to_string()))?
        })
    }
}

/// Products that pages gave so far: their ids and titles.
type Told = Arc<Mutex<HashMap<String, Option<String>>>>;

/// Reads the products of listed pages and sends them as they come. `home` is the shop's own address
/// (else the first page's): pages of other sites have their host in their key.
pub(super) async fn read_pages(
    web: &Web,
    mut home: Option<Url>,
    mut listed: tokio::sync::mpsc::Receiver<Result<Listed, SourceError>>,
    out: &Sender<SourceItem>,
) {
    let room = Arc::new(Semaphore::new(PAGES_AT_ONCE));
    let mut reading = JoinSet::new();
    let mut seen = HashSet::new();
    let told = Told::default();
    while let Some(listed) = listed.recv().await {
        let listed = match listed {
            Ok(listed) => listed,
            Err(e) => match out.send(Err(e)).await {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        if !seen.insert(listed.url.clone()) {
            continue; // several sitemaps often list the same page
        }
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let (web, out, told) = (web.clone(), out.clone(), told.clone());
        let home = home.get_or_insert_with(|| listed.url.clone()).clone();
        reading.spawn(async move {
            let _permit = permit;
            for item in read_page(&web, &listed, &home, &told).await {
                if out.send(item).await.is_err() {
                    return;
                }
            }
        });
        while reading.try_join_next().is_some() {}
    }
    while reading.join_next().await.is_some() {}
}

/// Pages that are taken apart at once: hostile ones take up to 90 MB each.
static TURNS: [Mutex<()>; 4] = [const { Mutex::new(()) }; 4];

/// Waits for one of [`TURNS`], on a thread that may wait.
fn turn() -> Option<MutexGuard<'static, ()>> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let turn = TURNS.get(NEXT.fetch_add(1, Ordering::Relaxed) % TURNS.len())?;
    Some(turn.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The product of one page, and what could not be read on it. A page without a product is none.
async fn read_page(web: &Web, listed: &Listed, home: &Url, told: &Told) -> Vec<SourceItem> {
    let Listed { url, lastmod } = listed;
    let wanted = Wanted { url, accept: HTML, limit: PAGE_LIMIT, lastmod: lastmod.as_deref() };
    let reader = web.reader();
    let version = reader.version();
    let read = web.distilled(&wanted, &version, move |body| {
        let _turn = turn();
        Ok(reader.read(&body.bytes, body.content_type.as_deref(), &body.url))
    });
    let place = url.to_string();
    let found = match read.await {
        Ok(found) => found,
        // Sitemaps list pages that are gone; that is no fault of the run.
        Err(FetchError::Status { status: status @ (404 | 410), .. }) => {
            tracing::info!("{place} is listed but answers {status}");
            return Vec::new();
        }
        Err(e) => return vec![Err(e.into())],
    };
    let mut items = Vec::new();
    if found.product.is_none() && found.notes.is_empty() {
        tracing::info!("{place} tells of no product; `scraper probe` shows what it has");
    }
    let address = found.address(url);
    // A note matters where it may be the reason that the product is missing.
    for reason in found.notes {
        match &found.product {
            Some(_) => tracing::info!("{place}: {reason}"),
            None => items.push(Err(SourceError::Product { place: place.clone(), reason })),
        }
    }
    if let Some(mut product) = found.product {
        match key(home, &address, url, &product.title, told) {
            Some(id) => {
                product.id = id;
                items.push(Ok(product));
            }
            None => {
                tracing::info!("{place} is another address of {address}, which is read already")
            }
        }
    }
    items
}

/// The key of a page's product; `None` for one that another page gave already. A canonical address
/// counts only among pages of one title: shops point whole categories to one page by mistake.
fn key(
    home: &Url,
    address: &Url,
    listed: &Url,
    title: &Option<String>,
    told: &Told,
) -> Option<String> {
    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
    let of = |url: &Url| match page::same_site(home, url) {
        true => page_id(url),
        false => {
            let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}{port}/{}", url.host_str().unwrap_or_default(), page_id(url))
        }
    };
    let id = of(address);
    match told.get(&id) {
        None => {
            told.insert(id.clone(), title.clone());
            Some(id)
        }
        Some(known) if known == title => None,
        Some(_) => Some(of(listed)),
    }
}

/// Pages have no key but their address: its path, and the query where there is one.
pub(super) fn page_id(url: &Url) -> String {
    let path = url.path().trim_matches('/');
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let id = format!("{path}{query}");
    if id.is_empty() { url.to_string() } else { id }
}

/// Reads a sitemap: XML, or addresses line by line.
fn entries(bytes: &[u8], place: &Url) -> Result<Entries, SourceError> {
    let wrong = |reason: String| SourceError::Format { place: place.to_string(), reason };
    let start = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    if !start.starts_with(b"<") && !start.contains(&0) {
        return Ok(lines(&String::from_utf8_lossy(start), place));
    }
    let (mut entries, mut root) = (Entries::default(), None);
    let (mut loc, mut lastmod, mut text) = (String::new(), String::new(), String::new());
    let mut foreign = false;
    let mut xml = xml::of(bytes).map_err(wrong)?;
    while let Some(node) = xml.next().map_err(wrong)? {
        match node {
            Node::Open { name, prefixed, .. } => {
                if root.is_none() && !matches!(name.as_str(), "urlset" | "sitemapindex") {
                    return Err(wrong(format!("not a sitemap: its root is <{name}>")));
                }
                root = root.or(Some(name));
                // The image extension has `image:loc`.
                foreign = prefixed;
                text.clear();
            }
            Node::Text(more) => text.push_str(&more),
            Node::Close { name } => {
                match name.as_str() {
                    "loc" if !foreign => loc = text.trim().to_owned(),
                    "lastmod" => lastmod = text.trim().to_owned(),
                    "url" | "sitemap" => {
                        let lastmod = Some(std::mem::take(&mut lastmod)).filter(|t| !t.is_empty());
                        let loc = Some(std::mem::take(&mut loc)).filter(|t| !t.is_empty());
                        if let Some(url) = loc.and_then(|loc| place.join(&loc).ok()) {
                            let listed = Listed { url, lastmod };
                            match name.as_str() {
                                "sitemap" => entries.sitemaps.push(listed),
                                _ => entries.pages.push(listed),
                            }
                        }
                    }
                    _ => {}
                }
                text.clear();
            }
        }
    }
    match root {
        Some(_) => Ok(entries),
        None => Err(wrong("not a sitemap: it has no root element".into())),
    }
}

fn lines(text: &str, place: &Url) -> Entries {
    let pages = text
        .lines()
        .map(|line| line.trim_start_matches('\u{feff}').trim())
        .filter(|line| line.contains("://"))
        .filter_map(|line| place.join(line).ok())
        .map(|url| Listed { url, lastmod: None });
    Entries { pages: pages.collect(), ..Entries::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Entries, String> {
        let place = Url::parse("https://shop.example/maps/s.xml").unwrap();
        entries(text.as_bytes(), &place).map_err(|e| e.to_string())
    }

    #[test]
    fn pages_with_dates_and_images() {
        let found = read(
            "\u{feff}<?xml version='1.0'?><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9' \
             xmlns:image='http://www.google.com/schemas/sitemap-image/1.1'>\
             <url><loc> https://shop.example/p/1?a=1&amp;b=2 </loc><lastmod>2026-01-02</lastmod>\
             <image:image><image:loc>https://cdn/1.jpg</image:loc></image:image></url>\
             <url><loc><![CDATA[/p/2]]></loc></url><url><priority>1</priority></url></urlset>",
        )
        .unwrap();
        let pages: Vec<_> =
            found.pages.iter().map(|p| (p.url.as_str(), p.lastmod.as_deref())).collect();
        assert_eq!(
            pages,
            [
                ("https://shop.example/p/1?a=1&b=2", Some("2026-01-02")),
                ("https://shop.example/p/2", None)
            ]
        );
    }

    #[test]
    fn indexes_texts_and_nonsense() {
        let index = "<sitemapindex><sitemap><loc>a.xml.gz</loc></sitemap></sitemapindex>";
        let found = read(index).unwrap();
        assert_eq!(found.sitemaps[0].url.as_str(), "https://shop.example/maps/a.xml.gz");
        assert_eq!(
            read("https://shop.example/1\n\nhttps://shop.example/2\n").unwrap().pages.len(),
            2
        );
        assert!(read("<html><body>Hi</body></html>").unwrap_err().contains("<html>"));
        assert!(read("<urlset><url><loc>https://x</lo").is_err());
    }

    #[test]
    fn one_product_one_key() {
        let url = |text: &str| Url::parse(text).unwrap();
        let home = url("https://www.a.example/sitemap.xml");
        let told = Told::default();
        let key = |canonical: &str, listed: &str, title: &str| {
            key(&home, &url(canonical), &url(listed), &Some(title.into()), &told)
        };
        let page = "https://a.example/p/1";
        assert_eq!(key(page, page, "A").as_deref(), Some("p/1"));
        assert_eq!(key("https://b.example/p/1", page, "B").as_deref(), Some("b.example/p/1"));
        let twin = "https://a.example/p/1?color=red";
        assert_eq!(key(page, twin, "A"), None, "told already");
        // All pages of a category name it as their canonical address, by mistake.
        let wrong = "https://a.example/p/2";
        assert_eq!(key(page, wrong, "C").as_deref(), Some("p/2"), "nothing is lost");
    }

    #[test]
    fn ids_are_paths() {
        let id = |url: &str| page_id(&Url::parse(url).unwrap());
        assert_eq!(id("https://shop.example/products/red-dress/"), "products/red-dress");
        assert_eq!(id("https://shop.example/item?id=3"), "item?id=3");
        assert_eq!(id("https://shop.example/"), "https://shop.example/");
    }
}
