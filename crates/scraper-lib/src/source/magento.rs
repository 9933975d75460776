//! Magento 2 and Adobe Commerce, by their GraphQL interface
//! (<https://developer.adobe.com/commerce/webapi/graphql/schema/products/queries/products/>).
//!
//! What cannot be read at once is asked for in smaller pages, so that one product that breaks its
//! page costs no other. Its search tells of 10,000 products at most: larger shops are read by
//! ranges of prices.

mod answer;
mod product;
mod query;

use std::collections::HashSet;

use reqwest::{
    Url,
    header::{HeaderName, HeaderValue},
};
use serde_json::Value;
use tokio::sync::mpsc::Sender;

use super::{Base, Product, Running, Source, SourceError, SourceItem, product_of, web::Web};
use crate::fetch::{FetchError, Sent};
use answer::{Answer, Failure};
use query::{Range, Select};

/// Sizes of pages: the largest that the shop allows is used.
const SIZES: [usize; 6] = [100, 50, 20, 10, 5, 1];
/// A search tells of so many products (Elasticsearch's window).
const WINDOW: u64 = 10_000;
/// Pages of one search, at most.
const MOST_PAGES: u64 = 10_000;
/// So many products that cannot be read, or so many failures in a row, and no more is asked for.
const MOST_FAILURES: usize = 100;
const MOST_IN_A_ROW: usize = 20;
/// Products that are asked for one by one where the first page cannot be read.
const FIRST_TRIES: u64 = 10;
/// Fields that a shop may not know, at most.
const MOST_UNKNOWN: usize = 32;
const INSTEAD: &str = "the shop's sitemap may work instead (kind = \"sitemap\")";

/// A shop as a [`Source`].
#[derive(Debug)]
pub struct Magento {
    places: Vec<Url>,
    store: Option<HeaderValue>,
    web: Web,
    /// Whether it takes questions in the address only.
    by_get: bool,
    /// Fields and types that this version does not know.
    unknown: HashSet<String>,
    size: usize,
    seen: HashSet<String>,
    failures: usize,
    in_a_row: usize,
    site: product::Site,
}

/// Nobody receives any more.
struct Gone;

impl Magento {
    /// `shop` is its address, or that of the interface; `store` the code of a store view.
    ///
    /// # Errors
    /// Why `store` is no such code.
    pub fn new(shop: &Url, store: Option<&str>, web: Web) -> Result<Self, String> {
        let is_code = |code: &&str| code.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let store = match store {
            None => None,
            Some(code) => Some(
                Some(code)
                    .filter(is_code)
                    .and_then(|code| HeaderValue::from_str(code).ok())
                    .ok_or_else(|| format!("{code:?} is no code of a store view (\"default\")"))?,
            ),
        };
        let mut base = shop.clone();
        base.set_query(None);
        base.set_fragment(None);
        let mut places = Vec::new();
        if base.path().trim_end_matches('/').ends_with("/graphql") {
            places.push(base.clone());
        } else {
            for path in ["graphql", "/graphql"] {
                let place = base.join(path).ok();
                places.extend(place.filter(|place| !places.contains(place)));
            }
        }
        Ok(Magento {
            site: product::Site::new(places.first().unwrap_or(&base)),
            places,
            store,
            web,
            by_get: false,
            unknown: HashSet::new(),
            size: 100,
            seen: HashSet::new(),
            failures: 0,
            in_a_row: 0,
        })
    }

    fn place(&self) -> String {
        self.places.first().map(Url::to_string).unwrap_or_default()
    }

    fn wrong(&self, reason: impl Into<String>) -> SourceError {
        SourceError::Format { place: self.place(), reason: reason.into() }
    }

    fn sent(&self, sent: Sent) -> Sent {
        match &self.store {
            Some(store) => sent.header(HeaderName::from_static("store"), store.clone()),
            None => sent,
        }
    }

    /// The answer to one question.
    async fn ask(&self, place: &Url, by_get: bool, query: &str) -> Result<Value, Failure> {
        let answer = if by_get {
            let mut url = place.clone();
            url.query_pairs_mut().append_pair("query", query);
            self.web.api(&url, &self.sent(Sent::get())).await
        } else {
            let body = serde_json::json!({ "query": query }).to_string();
            self.web.api(place, &self.sent(Sent::json(body))).await
        };
        match answer {
            Ok(bytes) => answer::value(&bytes).map_err(Failure::NotGraphQl),
            Err(refusal) => match answer::value(&refusal.said) {
                // Errors come with a status at times.
                Ok(value) => Ok(value),
                Err(_) => Err(Failure::Fetch(refusal.error)),
            },
        }
    }

    /// Finds out where and how the shop can be asked, and what it says of itself.
    async fn find(&mut self) -> Result<(), SourceError> {
        let mut first = None;
        for place in self.places.clone() {
            for by_get in [false, true] {
                match self.ask(&place, by_get, query::SITE).await {
                    Ok(value) => {
                        self.site.read(&value);
                        (self.places, self.by_get) = (vec![place], by_get);
                        return Ok(());
                    }
                    Err(Failure::Fetch(e @ FetchError::Robots { .. })) => {
                        return Err(self.wrong(format!("{e}; {INSTEAD}")));
                    }
                    // Closed, or closed to this way of asking.
                    Err(
                        e @ (Failure::NotGraphQl(_)
                        | Failure::Fetch(FetchError::Status {
                            status: 400..=407 | 410..=424 | 501,
                            ..
                        })),
                    ) => {
                        first.get_or_insert(e);
                    }
                    Err(e) => return Err(self.failed(e)),
                }
            }
        }
        let why = first.map(|e| e.to_string()).unwrap_or_default();
        Err(self.wrong(format!(
            "no GraphQL interface ({why}): the shop is not Magento's, or closes it to visitors; {INSTEAD}"
        )))
    }

    /// One page; asks again where fields are not known.
    async fn page(&mut self, select: &Select, size: usize, page: u64) -> Result<Answer, Failure> {
        loop {
            let query = query::products(select, size, page, &self.unknown);
            let Some(place) = self.places.first() else {
                return Err(Failure::NotGraphQl("no address to ask at".into()));
            };
            let value = self.ask(place, self.by_get, &query).await?;
            let known = self.unknown.len();
            self.unknown.extend(answer::unknown(&value));
            if self.unknown.len() == known || self.unknown.len() > MOST_UNKNOWN {
                return Answer::read(value);
            }
        }
    }

    /// The first page of all products: of all that can be found, or of all that have a price.
    async fn first(&mut self) -> Result<Option<(Select, Answer)>, SourceError> {
        let mut failed = None;
        for select in [Select::All, Select::Price(Range::ALL)] {
            loop {
                match self.page(&select, self.size, 1).await {
                    Ok(answer) if answer.total > 0 => return Ok(Some((select, answer))),
                    Ok(_) => {}
                    Err(e) => {
                        if let Some(most) = e.largest_page() {
                            let size =
                                SIZES.into_iter().find(|size| *size <= most && *size < self.size);
                            if let Some(size) = size {
                                self.size = size;
                                continue;
                            }
                        }
                        failed.get_or_insert(e);
                    }
                }
                break;
            }
        }
        match failed {
            None => Ok(None), // an empty shop
            // Perhaps one product breaks the first page: another tells how many there are.
            Some(e) if e.is_of_the_page() => {
                for page in 1..=FIRST_TRIES {
                    if let Ok(Answer { total, .. }) = self.page(&Select::All, 1, page).await {
                        return Ok(Some((Select::All, Answer { total, items: None })));
                    }
                }
                Err(self.failed(e))
            }
            Some(e) => Err(self.failed(e)),
        }
    }

    fn failed(&self, e: Failure) -> SourceError {
        match e {
            Failure::Fetch(e) => SourceError::Fetch(e),
            e => self.wrong(e.to_string()),
        }
    }

    async fn read(mut self, out: &Sender<SourceItem>) -> Result<(), SourceError> {
        self.find().await?;
        let Some((select, first)) = self.first().await? else { return Ok(()) };
        if first.total < WINDOW {
            return self.search(&select, first, out).await.map(|_| ());
        }
        let mut ranges = vec![Range::ALL];
        while let Some(range) = ranges.pop() {
            let select = Select::Price(range);
            let answer = self.page(&select, self.size, 1).await.map_err(|e| self.failed(e))?;
            match range.halves().filter(|_| answer.total >= WINDOW) {
                Some((low, high)) => ranges.extend([high, low]),
                None => {
                    if answer.total >= WINDOW {
                        let reason = format!(
                            "more than {WINDOW} products cost {range}; not all can be read"
                        );
                        if out.send(Err(self.wrong(reason))).await.is_err() {
                            return Ok(());
                        }
                    }
                    if self.search(&select, answer, out).await?.is_err() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// All pages of one search, of which the first is there.
    async fn search(
        &mut self,
        select: &Select,
        first: Answer,
        out: &Sender<SourceItem>,
    ) -> Result<Result<(), Gone>, SourceError> {
        let pages = first.total.div_ceil(self.size as u64).min(MOST_PAGES);
        // What failed is asked for again in smaller pages: (size, number) of each.
        let mut waiting: Vec<(usize, u64)> =
            (1..=pages).rev().map(|page| (self.size, page)).collect();
        let mut first = Some(first).filter(|first| first.items.is_some());
        while let Some((size, number)) = waiting.pop() {
            let read = match first.take() {
                Some(answer) => Ok(answer),
                None => self.page(select, size, number).await,
            };
            let e = match read {
                Ok(answer) => {
                    self.in_a_row = 0;
                    for item in answer.items.into_iter().flatten() {
                        let place = match &item {
                            Ok(item) => product_of(self.place(), item),
                            Err(_) => format!("{}, page {number} of {size} each", self.place()),
                        };
                        let item = match item.and_then(|item| product::read(&item, &self.site)) {
                            Ok(product) if !self.seen.insert(product.id.clone()) => continue,
                            Ok(product) => Ok(product),
                            Err(reason) => Err(SourceError::Product { place, reason }),
                        };
                        if out.send(item).await.is_err() {
                            return Ok(Err(Gone));
                        }
                    }
                    continue;
                }
                Err(e) if e.is_behind_the_end() => continue,
                Err(e) if e.is_of_the_page() => e,
                Err(e) => return Err(self.failed(e)),
            };
            self.in_a_row += 1;
            if self.in_a_row > MOST_IN_A_ROW || self.failures > MOST_FAILURES {
                return Err(self.wrong(format!("{e}; too much fails, no more is asked for")));
            }
            if size > 1 {
                let part = smaller(size);
                let parts = (size / part) as u64;
                waiting.extend((0..parts).rev().map(|i| (part, (number - 1) * parts + i + 1)));
                continue;
            }
            self.failures += 1;
            let reason = format!("the product at this place of the list cannot be read: {e}");
            let e = SourceError::Record { place: self.place(), record: number, reason };
            if out.send(Err(e)).await.is_err() {
                return Ok(Err(Gone));
            }
        }
        Ok(Ok(()))
    }
}

/// The size of the parts of a page that cannot be read at once.
fn smaller(size: usize) -> usize {
    match size {
        50.. => size / 10,
        _ => 1,
    }
}

/// The products of an answer, whatever it is, for the fuzz target.
pub(super) fn fuzz(data: &[u8], place: &Url) -> Vec<Product> {
    let Ok(value) = answer::value(data) else { return Vec::new() };
    let mut site = product::Site::new(place);
    site.read(&value);
    let _ = answer::unknown(&value);
    let items = Answer::read(value).ok().and_then(|answer| answer.items).unwrap_or_default();
    items.iter().flatten().filter_map(|item| product::read(item, &site).ok()).collect()
}

impl Source for Magento {
    fn describe(&self) -> String {
        format!("Magento shop {}", self.place())
    }

    fn base(&self) -> Base {
        Base::Web
    }

    fn run(self: Box<Self>, out: Sender<SourceItem>) -> Running {
        Box::pin(async move { self.read(&out).await })
    }
}
