//! Shopify shops: `/products.json?limit=250&page=N`, which every such shop has unless it hides it.
//!
//! Shops refuse to count beyond 25,000 products; what lies behind is read from the collections,
//! and where there are none, from the sitemap.

use std::collections::{BTreeMap, HashSet};

use reqwest::Url;
use serde_json::Value;
use tokio::sync::mpsc::Sender;

use super::{
    Base, Product, Running, Source, SourceError, SourceItem,
    images::Images,
    json, product_of,
    schema::Offers,
    sitemap::Sitemap,
    text,
    web::{PAGE_LIMIT, Wanted, Web},
};
use crate::fetch::FetchError;

/// The most that a page may have.
const PAGE: usize = 250;
/// Pages that a shop serves of one list.
const PAGES: usize = 25_000 / PAGE;

/// A shop as a [`Source`].
#[derive(Debug)]
pub struct Shopify {
    base: Url,
    web: Web,
    currency: Option<String>,
    seen: HashSet<u64>,
}

/// How a list ended.
enum End {
    /// With a page that was not full.
    Short,
    /// It goes on, but the shop tells no more.
    Cut,
    /// Nobody receives any more.
    Gone,
}

impl Shopify {
    /// `shop` is any address of it; `currency` is what its prices are in, which its product list
    /// does not say (`None`: asked of the shop).
    pub fn new(shop: &Url, currency: Option<String>, web: Web) -> Self {
        let mut base = shop.clone();
        base.set_path("/");
        base.set_query(None);
        base.set_fragment(None);
        Shopify { base, web, currency, seen: HashSet::new() }
    }

    fn url(&self, path: &str) -> Result<Url, SourceError> {
        self.base.join(path).map_err(|e| self.wrong(self.base.to_string(), e.to_string()))
    }

    fn wrong(&self, place: String, reason: impl Into<String>) -> SourceError {
        SourceError::Format { place, reason: reason.into() }
    }

    async fn json(&self, url: &Url) -> Result<Value, SourceError> {
        let accept = "application/json";
        let wanted = Wanted { url, accept, limit: PAGE_LIMIT, lastmod: None };
        let bytes = self.web.bytes(&wanted).await?;
        json::read(&bytes).map_err(|e| {
            let reason = if bytes.trim_ascii_start().starts_with(b"<") {
                "the answer is a web page, not a product list: the shop is not Shopify's, hides \
                 the list, or is closed; a sitemap may work (kind = \"sitemap\")"
                    .to_owned()
            } else {
                format!("not a product list: {e}")
            };
            self.wrong(url.to_string(), reason)
        })
    }

    async fn read(mut self, out: &Sender<SourceItem>) -> Result<(), SourceError> {
        if self.currency.is_none() {
            // Not every shop tells, and nothing depends on it.
            let meta = self.json(&self.url("meta.json")?).await;
            let told = meta.ok().and_then(|meta| text::currency(meta.get("currency")?.as_str()?));
            self.currency = told;
        }
        if let End::Short | End::Gone = self.list("products.json", out).await? {
            return Ok(());
        }
        match self.collections(out).await {
            Ok(()) => Ok(()),
            Err(SourceError::Fetch(FetchError::Status { .. }) | SourceError::Format { .. }) => {
                self.sitemap(out).await
            }
            Err(e) => Err(e),
        }
    }

    /// The pages of one list.
    async fn list(&mut self, path: &str, out: &Sender<SourceItem>) -> Result<End, SourceError> {
        for page in 1..=PAGES {
            let url = self.url(&format!("{path}?limit={PAGE}&page={page}"))?;
            let answer = match self.json(&url).await {
                Ok(answer) => answer,
                Err(SourceError::Fetch(FetchError::Status { status: 400, .. })) if page > 1 => {
                    return Ok(End::Cut);
                }
                Err(e) => return Err(e),
            };
            let Some(Value::Array(products)) = answer.get("products") else {
                return Err(self.wrong(url.to_string(), "not a product list: no \"products\""));
            };
            for value in products {
                let item = self.product(value).map_err(|reason| SourceError::Product {
                    place: product_of(&url, value),
                    reason,
                });
                if let Some(item) = item.transpose()
                    && out.send(item).await.is_err()
                {
                    return Ok(End::Gone);
                }
            }
            if products.len() < PAGE {
                return Ok(End::Short);
            }
        }
        Ok(End::Cut)
    }

    async fn collections(&mut self, out: &Sender<SourceItem>) -> Result<(), SourceError> {
        let mut found = 0;
        for page in 1..=PAGES {
            let url = self.url(&format!("collections.json?limit={PAGE}&page={page}"))?;
            let answer = self.json(&url).await?;
            let collections = answer.get("collections").and_then(Value::as_array);
            let handles: Vec<String> = collections
                .into_iter()
                .flatten()
                .filter_map(|c| Some(c.get("handle")?.as_str()?.to_owned()))
                .collect();
            for handle in &handles {
                let list = format!("collections/{handle}/products.json");
                if let End::Gone = self.list(&list, out).await? {
                    return Ok(());
                }
            }
            found += handles.len();
            if handles.len() < PAGE {
                break;
            }
        }
        if found == 0 {
            return Err(self.wrong(self.base.to_string(), "the shop lists no collections"));
        }
        Ok(())
    }

    /// One request per product, for what no list holds.
    async fn sitemap(&mut self, out: &Sender<SourceItem>) -> Result<(), SourceError> {
        let (send, mut pages) = tokio::sync::mpsc::channel(16);
        let sitemap =
            Sitemap::new(&self.base, self.web.clone()).including(vec!["/products/".into()]);
        let reading = tokio::spawn(async move { sitemap.pages(&send).await });
        while let Some(page) = pages.recv().await {
            let page = match page {
                Ok(page) => page.url,
                Err(e) => match out.send(Err(e)).await {
                    Ok(()) => continue,
                    Err(_) => return Ok(()),
                },
            };
            let mut url = page.clone();
            url.set_query(None);
            url.set_path(&format!("{}.json", url.path()));
            let item = match self.json(&url).await {
                Ok(answer) => {
                    let value = answer.get("product").cloned().unwrap_or_default();
                    let product = self.product(&value).map_err(|reason| SourceError::Page {
                        page: page.to_string(),
                        kind: SourceError::UNREADABLE,
                        reason,
                    });
                    let with_page = |product| Product { page: Some(page.to_string()), ..product };
                    product.map(|found| found.map(with_page)).transpose()
                }
                Err(SourceError::Fetch(e)) => Some(Err(SourceError::of_page(&page, &e))),
                Err(e) => Some(Err(e)),
            };
            if let Some(item) = item
                && out.send(item).await.is_err()
            {
                return Ok(());
            }
        }
        reading.await.map_err(|e| SourceError::Stopped(e.to_string()))?
    }

    /// `None` for a product that another list told already.
    fn product(&mut self, value: &Value) -> Result<Option<Product>, String> {
        let id = value.get("id").and_then(Value::as_u64).ok_or("a product without an id")?;
        if !self.seen.insert(id) {
            return Ok(None);
        }
        let string = |key: &str| text::some(value.get(key)?.as_str()?);
        let list = |key: &str| value.get(key).and_then(Value::as_array).into_iter().flatten();
        let mut offers = Offers::default();
        let mut images = Images::default();
        let mut add = |source: &Value| {
            // Addresses come without a scheme at times.
            let address = source.as_str().and_then(|s| self.base.join(s).ok());
            if let Some(address) = address {
                images.add(address.into());
            }
        };
        list("images").filter_map(|image| image.get("src")).for_each(&mut add);
        for variant in list("variants") {
            match variant.get("price") {
                Some(Value::String(price)) => offers.price(price, self.currency.as_deref()),
                Some(Value::Number(n)) => offers.price(&n.to_string(), self.currency.as_deref()),
                _ => {}
            }
            let available = variant.get("available").and_then(Value::as_bool);
            offers.availability(available.and_then(|a| text::availability(&a.to_string())));
            if let Some(image) = variant.pointer("/featured_image/src") {
                add(image);
            }
        }
        let images = images.finish().map_err(|e| format!("product {id}: {e}"))?;
        let handle = value.get("handle").and_then(Value::as_str);
        let url = handle.and_then(|handle| self.base.join(&format!("products/{handle}")).ok());
        Ok(Some(Product {
            id: id.to_string(),
            title: string("title"),
            description: value.get("body_html").and_then(Value::as_str).and_then(text::plain),
            url: url.map(String::from),
            brand: string("vendor"),
            category: string("product_type"),
            price: offers.price,
            currency: offers.currency,
            availability: offers.availability,
            attributes: attributes(value),
            images,
            source: String::new(),
            page: None,
            completes: None,
        }))
    }
}

/// Tags, and the options that can be chosen with their values.
fn attributes(value: &Value) -> BTreeMap<String, String> {
    let mut attributes = BTreeMap::new();
    let words = |list: &[Value]| {
        list.iter().filter_map(Value::as_str).filter_map(text::some).collect::<Vec<_>>().join(", ")
    };
    let tags = match value.get("tags") {
        Some(Value::Array(tags)) => words(tags),
        Some(Value::String(tags)) => text::some(tags).unwrap_or_default(),
        _ => String::new(),
    };
    if !tags.is_empty() {
        attributes.insert("tags".to_owned(), tags);
    }
    for option in value.get("options").and_then(Value::as_array).into_iter().flatten() {
        let name = option.get("name").and_then(Value::as_str).and_then(text::some);
        let values = option.get("values").and_then(Value::as_array).map(|v| words(v));
        // A product without options has one named so.
        if let (Some(name), Some(values)) = (name, values)
            && name != "Title"
            && !values.is_empty()
        {
            attributes.insert(name.to_lowercase(), values);
        }
    }
    attributes
}

impl Source for Shopify {
    fn describe(&self) -> String {
        format!("Shopify shop {}", self.base)
    }

    fn base(&self) -> Base {
        Base::Web
    }

    fn run(self: Box<Self>, out: Sender<SourceItem>) -> Running {
        Box::pin(async move { self.read(&out).await })
    }
}
