//! WooCommerce shops, by the Store API that their own pages use
//! (<https://developer.woocommerce.com/docs/apis/store-api/>):
//! `/wp-json/wc/store/v1/products?per_page=100&page=N`.
//!
//! It lists products; the images of their variations are in a list of its own, which is read
//! first.

mod product;

use std::collections::{HashMap, HashSet};

use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc::Sender;

use super::{
    Base, Product, Running, Source, SourceError, SourceItem, json, product_of,
    web::{Body, PAGE_LIMIT, Wanted, Web},
};
use crate::fetch::{FetchError, Sent};

/// The most that a page may have.
const PER_PAGE: usize = 100;
/// Pages of one list, at most: a million products.
const MOST_PAGES: usize = 10_000;
/// Names this reading, for what is kept of it.
const VERSION: &str = "woocommerce-1";
/// Where the interface is: usually, where WordPress has no "permalinks", and before 2022.
const PLACES: [&str; 3] = [
    "wp-json/wc/store/v1/products",
    "?rest_route=/wc/store/v1/products",
    "wp-json/wc/store/products",
];
const INSTEAD: &str = "the shop's sitemap may work instead (kind = \"sitemap\")";

/// A shop as a [`Source`].
#[derive(Debug)]
pub struct WooCommerce {
    shop: Url,
    web: Web,
}

/// One page of a list.
#[derive(Debug, Serialize, Deserialize)]
struct Listing {
    items: Vec<Value>,
    /// How many pages the list has, where that is said.
    pages: Option<usize>,
    /// Whether another page follows, where that is said.
    next: Option<bool>,
}

impl WooCommerce {
    /// `shop` is its address, or that of the interface.
    pub fn new(shop: &Url, web: Web) -> Self {
        let mut shop = shop.clone();
        shop.set_fragment(None);
        WooCommerce { shop, web }
    }

    /// Where to ask, most likely first. WordPress may lie in a folder.
    fn places(&self) -> Vec<Url> {
        let address = self.shop.as_str();
        if address.contains("/wc/store") || address.contains("%2Fwc%2Fstore") {
            return vec![self.shop.clone()];
        }
        let mut folder = self.shop.clone();
        folder.set_query(None);
        let mut bases = vec![folder.clone()];
        folder.set_path("/");
        if !bases.contains(&folder) {
            bases.push(folder);
        }
        let all =
            bases.iter().flat_map(|base| PLACES.iter().filter_map(|place| base.join(place).ok()));
        all.collect()
    }

    fn wrong(&self, reason: String) -> SourceError {
        SourceError::Format { place: self.shop.to_string(), reason }
    }

    /// One page of the list at `place`; `kind` is "&type=variation" or nothing.
    async fn page(&self, place: &Url, kind: &str, page: usize) -> Result<Listing, SourceError> {
        let mut url = place.clone();
        let before = place.query().map(|query| format!("{query}&")).unwrap_or_default();
        // By id: other orders change while they are read.
        let query = format!("{before}per_page={PER_PAGE}&page={page}&orderby=id&order=asc{kind}");
        url.set_query(Some(&query));
        let accept = "application/json";
        let wanted = Wanted { url: &url, accept, limit: PAGE_LIMIT, lastmod: None };
        let read = self.web.distilled(&wanted, VERSION, |body| Ok(listing(&body))).await?;
        read.map_err(|reason| SourceError::Format { place: url.to_string(), reason })
    }

    /// The place that answers, and its first page.
    async fn find(&self) -> Result<(Url, Listing), SourceError> {
        let (mut first, mut refused) = (None, None);
        for place in self.places() {
            match self.page(&place, "", 1).await {
                Ok(listing) => return Ok((place, listing)),
                Err(SourceError::Fetch(FetchError::Status {
                    status: 400..=407 | 410..=424,
                    ..
                })) => {
                    refused.get_or_insert(place);
                }
                Err(e @ SourceError::Format { .. }) => {
                    first.get_or_insert(e);
                }
                Err(SourceError::Fetch(e @ FetchError::Robots { .. })) => {
                    return Err(self.wrong(format!("{e}; {INSTEAD}")));
                }
                Err(e) => return Err(e),
            }
        }
        // What the usual place says is clearer than what a page says that is not there.
        match (refused, first) {
            (Some(place), _) => Err(self.refused(&place).await),
            (None, Some(e)) => Err(e),
            (None, None) => Err(self.wrong("no address to ask at".into())),
        }
    }

    /// Why the interface does not answer, in its own words where it has some.
    async fn refused(&self, place: &Url) -> SourceError {
        let told = match self.web.api(place, &Sent::get()).await {
            Ok(_) => "it answers this time".to_owned(),
            Err(refusal) => {
                let said: Value = serde_json::from_slice(&refusal.said).unwrap_or_default();
                let word = |key: &str| {
                    let text = said.get(key).and_then(Value::as_str)?;
                    Some(text.chars().filter(|c| !c.is_control()).take(200).collect::<String>())
                };
                match (word("code"), word("message")) {
                    (Some(code), message) => {
                        format!("{}: {code}, {:?}", refusal.error, message.unwrap_or_default())
                    }
                    _ => refusal.error.to_string(),
                }
            }
        };
        self.wrong(format!(
            "no WooCommerce Store API ({told}): the shop is not WooCommerce's, or closes it to \
             visitors; {INSTEAD}"
        ))
    }

    /// The images of variations, by product.
    async fn variations(&self, place: &Url) -> Result<HashMap<u64, Vec<String>>, SourceError> {
        let mut images = HashMap::<u64, Vec<String>>::new();
        let mut pages = Pages::of(self, place, "&type=variation", None);
        while let Some(items) = pages.next().await {
            let items = match items {
                Ok(items) => items,
                // Before 2021 nobody could ask for them.
                Err(SourceError::Fetch(FetchError::Status { status: 400, .. }))
                    if images.is_empty() =>
                {
                    break;
                }
                // Without them, products would lose images that the store has.
                Err(e) => return Err(e),
            };
            for item in &items {
                if let Some(parent) = item.get("parent").and_then(Value::as_u64) {
                    images.entry(parent).or_default().extend(product::images(item, place));
                }
            }
        }
        Ok(images)
    }

    async fn read(self, out: &Sender<SourceItem>) -> Result<(), SourceError> {
        let (place, first) = self.find().await?;
        let variations = self.variations(&place).await?;
        let mut seen = HashSet::new();
        let mut pages = Pages::of(&self, &place, "", Some(first));
        while let Some(items) = pages.next().await {
            let items = match items {
                Ok(items) => items,
                Err(e) => match out.send(Err(e)).await {
                    Ok(()) => continue,
                    Err(_) => return Ok(()),
                },
            };
            for item in items {
                // A product that is added meanwhile moves others to the next page.
                if !item.get("id").is_none_or(|id| seen.insert(id.to_string())) {
                    continue;
                }
                let read = product::read(&item, &place, &variations);
                let place = product_of(&place, &item);
                let read = read.map_err(|reason| SourceError::Product { place, reason });
                if out.send(read).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// The pages of a list, one after the other.
struct Pages<'a> {
    shop: &'a WooCommerce,
    place: &'a Url,
    /// "&type=variation" or nothing.
    kind: &'static str,
    /// The one that was read last, from 1.
    page: usize,
    /// How many there are, where that is said.
    of: Option<usize>,
    first: Option<Listing>,
    seen: HashSet<String>,
    over: bool,
}

impl<'a> Pages<'a> {
    /// `first` is the first page, where it is there already.
    fn of(
        shop: &'a WooCommerce,
        place: &'a Url,
        kind: &'static str,
        first: Option<Listing>,
    ) -> Self {
        Pages { shop, place, kind, page: 0, of: None, first, seen: HashSet::new(), over: false }
    }

    /// The items of the next page, or why it cannot be read; `None` behind the last one.
    async fn next(&mut self) -> Option<Result<Vec<Value>, SourceError>> {
        if self.over {
            return None;
        }
        self.page += 1;
        if self.page > MOST_PAGES {
            self.over = true;
            let reason = format!("more than {MOST_PAGES} pages; the rest is not read");
            return Some(Err(self.shop.wrong(reason)));
        }
        let listing = match self.first.take() {
            Some(listing) => listing,
            None => match self.shop.page(self.place, self.kind, self.page).await {
                Ok(listing) => listing,
                Err(e) => {
                    // Others may be well, if their number is known.
                    self.over = self.of.is_none_or(|of| self.page >= of);
                    let behind = self.of.is_none() && self.page > 1;
                    let status = |e: &SourceError| match e {
                        SourceError::Fetch(FetchError::Status { status, .. }) => Some(*status),
                        _ => None,
                    };
                    return match status(&e) {
                        // Nobody said which page is the last: the one before.
                        Some(400 | 404) if behind => None,
                        _ => Some(Err(e)),
                    };
                }
            },
        };
        self.of = listing.pages.or(self.of);
        let ids = listing.items.iter().filter_map(|item| item.get("id").map(Value::to_string));
        let before = self.seen.len();
        self.seen.extend(ids);
        self.over = match (self.of, listing.next) {
            (Some(of), _) => self.page >= of,
            (None, Some(next)) => !next,
            // A shop may give fewer than were asked for: only nothing new is the end.
            (None, None) => self.seen.len() == before,
        };
        Some(Ok(listing.items))
    }
}

/// Reads a page of a list.
fn listing(body: &Body) -> Result<Listing, String> {
    let text = body.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body.bytes).trim_ascii();
    let value = json::read(text).map_err(|e| match text.first() {
        Some(b'<') => format!(
            "a web page came, not a list of products: the shop is not WooCommerce's, or closes its \
             Store API; {INSTEAD}"
        ),
        _ => format!("not a list of products: {e}"),
    })?;
    let Value::Array(items) = value else { return Err("not a list of products".into()) };
    let header = |name: &str| body.headers.get(name).and_then(|value| value.to_str().ok());
    let link = header("link");
    Ok(Listing {
        items,
        pages: header("x-wp-totalpages").and_then(|pages| pages.trim().parse().ok()),
        next: link.map(|link| link.contains("rel=\"next\"") || link.contains("rel=next")),
    })
}

/// The products of a page of a list, whatever it is, for the fuzz target.
pub(super) fn fuzz(data: &[u8], place: &Url) -> Vec<Product> {
    let Ok(Value::Array(items)) = json::read(data) else { return Vec::new() };
    items.iter().filter_map(|item| product::read(item, place, &HashMap::new()).ok()).collect()
}

impl Source for WooCommerce {
    fn describe(&self) -> String {
        format!("WooCommerce shop {}", self.shop)
    }

    fn base(&self) -> Base {
        Base::Web
    }

    fn run(self: Box<Self>, out: Sender<SourceItem>) -> Running {
        Box::pin(async move { self.read(&out).await })
    }
}
