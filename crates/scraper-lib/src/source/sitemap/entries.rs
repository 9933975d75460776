//! What a sitemap says: XML (<https://www.sitemaps.org/protocol.html>) with Google's images and
//! Google's alternates (`xhtml:link`), RSS and Atom, or addresses line by line.
//!
//! Prefixes of namespaces and case of names do not matter, nor what a server wrote before the
//! root, nor the character set. Of a document that breaks in the middle, what came before is kept.

use std::collections::HashSet;

use reqwest::Url;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::source::xml::{self, Node};

/// Names this reading, for what is kept of it; changed whenever it makes something else.
pub(super) const VERSION: &str = "sitemap-2";
/// Pages of one sitemap, at most: five times what the protocol allows.
const MOST_ENTRIES: usize = 250_000;
/// Images of one page, at most (the extension's own limit).
const MOST_IMAGES: usize = 1000;
/// Languages of one page, at most.
const MOST_ALTERNATES: usize = 500;

/// A page or a sitemap that is listed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// As written, without space around it.
    pub(super) loc: String,
    pub(super) lastmod: Option<String>,
    /// Its images, as written.
    pub(super) images: Vec<String>,
    /// Names the set of pages that say the same in other languages, this one included.
    pub(super) twins: Option<String>,
}

/// What a sitemap holds.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Entries {
    /// Where it was, after redirects.
    pub(super) at: String,
    pub(super) sitemaps: Vec<Entry>,
    pub(super) pages: Vec<Entry>,
    /// Why there may be more than what was read.
    pub(super) broken: Option<String>,
}

/// Reads a sitemap that was found at `place`.
///
/// # Errors
/// What it is instead, where it is none.
pub(super) fn read(
    bytes: &[u8],
    content_type: Option<&str>,
    place: &Url,
) -> Result<Entries, String> {
    let text = xml::decoded(bytes, content_type);
    let mut entries = Entries { at: place.to_string(), ..Entries::default() };
    match root(&text) {
        Root::Sitemap(start) => {
            let mut reading = Reading {
                place,
                entries,
                now: Entry::default(),
                link: None,
                alternates: Vec::new(),
            };
            reading.entries.broken = reading.xml(text.get(start..).unwrap_or_default()).err();
            Ok(reading.entries)
        }
        Root::Html => Err("not a sitemap: a web page (<html>) came".into()),
        Root::Other(name) => Err(format!("not a sitemap: its root is <{name}>")),
        Root::None => {
            lines(&text, &mut entries);
            match entries.pages.is_empty() && entries.sitemaps.is_empty() {
                true if text.trim().is_empty() => Err("not a sitemap: it is empty".into()),
                true => Err("not a sitemap: neither XML nor addresses line by line".into()),
                false => Ok(entries),
            }
        }
    }
}

/// What a document is, by its first elements.
#[derive(Debug, PartialEq)]
enum Root {
    /// A sitemap's or feed's root begins at this byte; what servers print before it is skipped.
    Sitemap(usize),
    Html,
    Other(String),
    /// There is no element.
    None,
}

/// Whether an element of this name in lower case is the root of a sitemap or of a feed.
fn is_root(name: &str) -> bool {
    matches!(name, "urlset" | "sitemapindex" | "rss" | "feed" | "rdf")
}

/// Looks for the root among what may come before it: declarations, comments, warnings of PHP.
fn root(text: &str) -> Root {
    let mut first = None;
    let mut at = 0;
    // An element that only comes after so much is no root.
    while let Some(found) = text.get(at..).filter(|_| at < 64 << 10).and_then(|t| t.find('<')) {
        let start = at + found;
        let rest = text.get(start + 1..).unwrap_or_default();
        at = start + 1;
        if let Some(comment) = rest.strip_prefix("!--") {
            at += 3 + comment.find("-->").unwrap_or(comment.len());
            continue;
        }
        let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '>' | '/' | '<'));
        let name = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        let local = name.rsplit(':').next().unwrap_or_default().to_ascii_lowercase();
        match local.as_str() {
            name if is_root(name) => return Root::Sitemap(start),
            "html" | "head" | "body" => return Root::Html,
            "!doctype" => {
                let kind = rest.get(8..).unwrap_or_default().trim_start().get(..4);
                if kind.is_some_and(|kind| kind.eq_ignore_ascii_case("html")) {
                    return Root::Html;
                }
            }
            _ if local.starts_with(|c: char| c.is_alphabetic()) => {
                first.get_or_insert_with(|| name.chars().take(40).collect::<String>());
            }
            _ => {}
        }
    }
    first.map_or(Root::None, Root::Other)
}

/// Where reading is.
struct Reading<'a> {
    place: &'a Url,
    entries: Entries,
    now: Entry,
    /// What stands for the address of a feed's item that has no link.
    link: Option<String>,
    alternates: Vec<String>,
}

impl Reading<'_> {
    fn xml(&mut self, text: &str) -> Result<(), String> {
        let mut xml = xml::of(text.as_bytes())?;
        let (mut open, mut text) = (Vec::<String>::new(), String::new());
        let mut whole = false;
        loop {
            let node = match xml.next() {
                Ok(Some(node)) => node,
                Ok(None) if open.is_empty() => return Ok(()),
                Ok(None) => return Err("it ends in the middle".into()),
                // What follows the root's end is no part of it, but for another one.
                Err(_) if whole && open.is_empty() => return Ok(()),
                Err(e) => return Err(e),
            };
            match node {
                Node::Open { name, attributes, .. } => {
                    text.clear();
                    let name = name.to_ascii_lowercase();
                    if whole && open.is_empty() && !is_root(&name) {
                        return Ok(());
                    }
                    self.attributes(open.last().map(String::as_str), &name, &attributes);
                    open.push(name);
                }
                Node::Text(more) => text.push_str(&more),
                Node::Close { .. } => {
                    let name = open.pop().unwrap_or_default();
                    let value = text.trim();
                    if !value.is_empty() {
                        self.field(open.last().map_or("", String::as_str), &name, value);
                    }
                    text.clear();
                    match (name.as_str(), open.len()) {
                        ("url" | "sitemap", 1) | ("item" | "entry", _) => {
                            self.end(name == "sitemap")?
                        }
                        (_, 0) => whole = true,
                        _ => {}
                    }
                }
            }
        }
    }

    fn attributes(&mut self, parent: Option<&str>, name: &str, attributes: &xml::Attributes) {
        let get = |name: &str| attributes.get(name).map(str::trim).filter(|v| !v.is_empty());
        let relation = get("rel").unwrap_or("alternate");
        let is_alternate = relation.split_whitespace().any(|r| r.eq_ignore_ascii_case("alternate"));
        match (parent, name, get("href"), get("url")) {
            (Some("url"), "link", Some(href), _)
                if is_alternate
                    && get("hreflang").is_some()
                    && self.alternates.len() < MOST_ALTERNATES =>
            {
                self.alternates.push(href.to_owned());
            }
            (Some("entry"), "link", Some(href), _) if is_alternate && self.now.loc.is_empty() => {
                self.now.loc = href.to_owned();
            }
            (Some("item" | "entry" | "group"), "enclosure" | "content", _, Some(url)) => {
                let kind = get("type").or_else(|| get("medium")).unwrap_or_default();
                if kind.to_ascii_lowercase().starts_with("image") {
                    self.image(url);
                }
            }
            // A permanent link may have any form, if it says so.
            (Some("item"), "guid", ..) => {
                self.link = (get("isPermaLink") != Some("false")).then(String::new);
            }
            _ => {}
        }
    }

    fn field(&mut self, parent: &str, name: &str, value: &str) {
        match (parent, name) {
            ("image", "loc") => self.image(value),
            ("url" | "sitemap", "loc") if self.now.loc.is_empty() => {
                self.now.loc = value.to_owned()
            }
            // `image:loc` that forgot its `image:image`.
            ("url", "loc") => self.image(value),
            ("url" | "sitemap", "lastmod") | ("entry", "updated") => {
                self.now.lastmod = Some(value.to_owned());
            }
            // RSS's `pubDate` is no date of a change.
            ("item", "link") if self.now.loc.is_empty() => self.now.loc = value.to_owned(),
            ("item", "guid") if self.link.is_some() && value.contains("://") => {
                self.link = Some(value.to_owned());
            }
            _ => {}
        }
    }

    fn image(&mut self, address: &str) {
        if self.now.images.len() < MOST_IMAGES {
            self.now.images.push(address.to_owned());
        }
    }

    /// The end of an entry; one without an address is none.
    fn end(&mut self, is_sitemap: bool) -> Result<(), String> {
        let mut entry = std::mem::take(&mut self.now);
        let alternates = std::mem::take(&mut self.alternates);
        let link = self.link.take().unwrap_or_default();
        if entry.loc.is_empty() {
            entry.loc = link;
        }
        if entry.loc.is_empty() {
            return Ok(());
        }
        let mut seen = HashSet::new();
        entry.images.retain(|image| seen.insert(image.clone()));
        entry.twins = twins(&entry.loc, &alternates, self.place);
        // Indexes and lists are mixed up at times.
        let lists = is_sitemap || is_sitemap_address(&entry.loc);
        let into = if lists { &mut self.entries.sitemaps } else { &mut self.entries.pages };
        if into.len() == MOST_ENTRIES {
            return Err(format!("more than {MOST_ENTRIES} entries; the rest is not read"));
        }
        into.push(entry);
        Ok(())
    }
}

/// Whether what a list of pages names is another sitemap by its name.
fn is_sitemap_address(loc: &str) -> bool {
    let path = loc.split(['?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let name = path.rsplit('/').next().unwrap_or_default();
    name.contains("sitemap") && (name.ends_with(".xml") || name.ends_with(".xml.gz"))
}

/// A name for the set of a page and its alternates: pages that name each other have the same.
fn twins(loc: &str, alternates: &[String], place: &Url) -> Option<String> {
    let whole = |address: &str| address_of(address, place).map(String::from).ok();
    let mut set: Vec<String> = alternates.iter().filter_map(|href| whole(href)).collect();
    set.push(whole(loc)?);
    set.sort_unstable();
    set.dedup();
    if set.len() < 2 {
        return None;
    }
    let digest = Sha256::digest(set.join("\n").as_bytes());
    Some(digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect())
}

/// The address that an entry means, without its fragment.
///
/// # Errors
/// Why it is none of the web.
pub(super) fn address_of(loc: &str, place: &Url) -> Result<Url, String> {
    let host = place.host_str().unwrap_or_default();
    let after_host = loc.strip_prefix(host).filter(|rest| rest.starts_with(['/', ':', '?']));
    // "www.shop.example/p/1" is meant as an address, not as a path.
    let joined = match loc.get(..4).is_some_and(|www| www.eq_ignore_ascii_case("www."))
        || after_host.is_some()
    {
        true => Url::parse(&format!("{}://{loc}", place.scheme())),
        false => place.join(loc),
    };
    let mut url = joined.map_err(|e| e.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("no address of the web".into());
    }
    url.set_fragment(None);
    Ok(url)
}

fn lines(text: &str, entries: &mut Entries) {
    for line in text.lines() {
        // Some write more behind it: a date, a priority.
        let line = line.trim().trim_matches('"');
        let end = line.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\u{feff}'));
        let loc = line.get(..end.unwrap_or(line.len())).unwrap_or_default();
        let is_address = |scheme| {
            loc.get(..8).is_some_and(|start| start.to_ascii_lowercase().starts_with(scheme))
        };
        if !is_address("http://") && !is_address("https://") {
            continue;
        }
        let into = match is_sitemap_address(loc) {
            true => &mut entries.sitemaps,
            false => &mut entries.pages,
        };
        if into.len() == MOST_ENTRIES {
            entries.broken =
                Some(format!("more than {MOST_ENTRIES} entries; the rest is not read"));
            return;
        }
        into.push(Entry { loc: loc.to_owned(), ..Entry::default() });
    }
}

#[cfg(test)]
mod tests;
