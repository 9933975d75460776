//! Where products come from: shops on the web, feeds, folders, lists of addresses.
//!
//! ```
//! use scraper_lib::source::{Feed, FeedFormat, Source};
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = tempfile::NamedTempFile::new()?;
//! std::fs::write(
//!     &file,
//!     r#"{"id": "D-1", "title": "Red dress", "price": "19.95 EUR", "image": "d-1.jpg"}
//!        {"title": "A record without an image"}"#,
//! )?;
//! let (out, mut products) = tokio::sync::mpsc::channel(16);
//! let reading = tokio::spawn(Box::new(Feed::file(file.path(), FeedFormat::Jsonl)).run(out));
//!
//! let dress = products.recv().await.ok_or("no product")??;
//! assert_eq!((dress.id.as_str(), dress.price), ("D-1", Some(19.95)));
//! let bad = products.recv().await.ok_or("no second record")?;
//! println!("{}", bad.unwrap_err()); // the source goes on
//! assert!(products.recv().await.is_none());
//! reading.await??;
//! # Ok(())
//! # }
//! ```

mod address;
mod cdn;
mod columns;
mod distinct;
mod facts;
mod feed;
mod folder;
#[doc(hidden)]
pub mod fuzz;
mod images;
mod json;
mod key;
mod lines;
mod list;
mod magento;
mod merchant;
mod open;
mod page;
mod pages;
mod price;
mod record;
mod schema;
mod settings;
mod shopify;
mod sitemap;
mod table;
mod text;
mod through;
mod vendor;
mod web;
mod wide;
mod woocommerce;
mod xml;
mod xml_list;

use std::{collections::BTreeMap, io, pin::Pin};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::Sender;

pub use crate::fetch::{Base, Location};
pub use distinct::Distinct;
pub(crate) use facts::{Facts, publish};
pub use feed::{Feed, FeedFormat};
pub use folder::{Folder, Links, image_files};
pub(crate) use key::{former_page_key, page_key};
pub use list::List;
pub use magento::Magento;
pub use open::SourceSpec;
pub use page::{Found, Origin, PageBudget, PageReader, Reason, Refusal, Report, SameAs, Select};
pub use pages::Pages;
pub use settings::{ImageOptions, Kind, Options, Refused};
pub use shopify::Shopify;
pub use sitemap::{PageList, Sitemap};
pub(crate) use through::through;
pub use web::Web;
pub use woocommerce::WooCommerce;
pub use xml_list::Mapping;

use crate::fetch::FetchError;

/// One article of a shop. What a source does not tell is `None`, never a guess.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Product {
    /// The shop's own key; the same id in a later run is the same product.
    pub id: String,
    /// Plain text.
    pub title: Option<String>,
    /// Plain text: markup is removed by the source that finds it.
    pub description: Option<String>,
    /// The product page.
    pub url: Option<String>,
    /// Plain text.
    pub brand: Option<String>,
    /// The shop's own words.
    pub category: Option<String>,
    /// What one costs now, in units of `currency` (19.95, not 1995); the lowest of its variants.
    pub price: Option<f64>,
    /// ISO 4217, upper case: "EUR".
    pub currency: Option<String>,
    /// Where the shop says it.
    pub availability: Option<Availability>,
    /// Images in the shop's order, each as written in the source. One that cannot be used is
    /// kept, so that it shows up among the failures.
    pub images: Vec<String>,
    /// Whatever else the source tells: "color", "material", "tags" …
    pub attributes: BTreeMap<String, String>,
    /// The name of the source in `scraper.toml`; empty where there is only one.
    pub source: String,
    /// The page it was read from, as its source lists it: by this a product is known whose page
    /// cannot be read one night.
    #[serde(default)]
    pub page: Option<String>,
    /// It came before under the same id, with so many of its first images, and only now it has those of all
    /// its pages.
    #[serde(default)]
    pub completes: Option<usize>,
}

impl Product {
    /// Position of the first image that did not come before.
    pub(crate) fn first_new(&self) -> usize {
        self.completes.unwrap_or(0).min(self.images.len())
    }
}

/// Whether it can be bought; the names are those of schema.org's `ItemAvailability`, reduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// Ships now.
    InStock,
    /// Sold out for now.
    OutOfStock,
    /// Can be ordered before it is there.
    Preorder,
    /// Can be ordered though it is sold out.
    Backorder,
    /// Will not come back.
    Discontinued,
}

impl Availability {
    const NAMES: [(&str, Availability); 5] = [
        ("in_stock", Availability::InStock),
        ("out_of_stock", Availability::OutOfStock),
        ("preorder", Availability::Preorder),
        ("backorder", Availability::Backorder),
        ("discontinued", Availability::Discontinued),
    ];

    /// `"in_stock"` …, as it is serialised.
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(_, value)| *value == self).map_or("", |(name, _)| name)
    }

    /// The inverse of [`Availability::as_str`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// What a source sends: a product, or a record that could not be read (the source goes on).
pub type SourceItem = Result<Product, SourceError>;

/// The future of a running source.
pub type Running = Pin<Box<dyn Future<Output = Result<(), SourceError>> + Send>>;

/// A stream of products.
pub trait Source: Send {
    /// What it is, for messages ("folder ./images").
    fn describe(&self) -> String;

    /// [`Product::source`] of all its products.
    fn name(&self) -> String {
        String::new()
    }

    /// Who writes the addresses of its images, and where relative ones start.
    fn base(&self) -> Base;

    /// Sends everything into `out`, which is bounded: a slow receiver slows the source down.
    /// Ends early, without an error, when the receiver is gone.
    fn run(self: Box<Self>, out: Sender<SourceItem>) -> Running;
}

/// A source, or one of its records, that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A file cannot be read.
    #[error("cannot read {place}: {source}")]
    Read {
        /// Where: a path, or an address.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// It is not what its kind of source is.
    #[error("{place}: {reason}")]
    Format {
        /// Where: a path, or an address.
        place: String,
        /// Why, in words.
        reason: String,
    },
    /// An address tells less than a file's name.
    #[error(
        "{place}: its kind cannot be told from the address; say it (kind = … in scraper.toml): {}",
        Kind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
    )]
    Kind {
        /// Where: a path, or an address.
        place: String,
    },
    /// One record cannot be used; the others are.
    #[error("{place}, record {record}: {reason}")]
    Record {
        /// Where: a path, or an address.
        place: String,
        /// Its number, from 1.
        record: u64,
        /// Why, in words.
        reason: String,
    },
    /// One product cannot be read from an answer or a page.
    #[error("{place}: {reason}")]
    Product {
        /// Where: a path, or an address.
        place: String,
        /// Why, in words.
        reason: String,
    },
    /// Two different products under one id.
    #[error(
        "product {id} comes a second time, and different, from {place}; the first one counts: ids \
         must be unique within a source"
    )]
    Repeated {
        /// The source.
        place: String,
        /// The id.
        id: String,
    },
    /// A listed page gave no product.
    #[error("{}", about(.page, .reason))]
    Page {
        /// Its address.
        page: String,
        /// A short stable name for programs.
        kind: &'static str,
        /// Why, in words.
        reason: String,
    },
    /// One of the listed pages of a product could not be had, so that it is not known in full.
    #[error("{}", about(.page, .reason))]
    Variant {
        /// Address of the page that stands for all of them.
        page: String,
        /// As of [`SourceError::Page`].
        kind: &'static str,
        /// Why, in words.
        reason: String,
    },
    /// A listed page is one more of a product: no failure.
    #[error("{page}: the same product as {product}")]
    Twin {
        /// Its address.
        page: String,
        /// Id of the product.
        product: String,
    },
    /// A page, feed or API could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A defect ended the reading.
    #[error("the source stopped unexpectedly: {0}")]
    Stopped(String),
}

/// Where a product of a shop's interface is, with what tells it from others there.
fn product_of(answer: impl std::fmt::Display, product: &serde_json::Value) -> String {
    let name =
        ["id", "handle", "slug", "sku", "name", "title"].iter().find_map(|key| product.get(*key));
    match name {
        Some(serde_json::Value::String(name)) => format!("{answer}, product {name}"),
        Some(name) => format!("{answer}, product {name}"),
        None => format!("{answer}, a product without an id"),
    }
}

/// `reason` with its page, unless that says it.
fn about(page: &str, reason: &str) -> String {
    match reason.contains(page) {
        true => reason.to_owned(),
        false => format!("{page}: {reason}"),
    }
}

/// Which products an error may hide that would be there at the next attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hides<'a> {
    /// No product.
    Nothing,
    /// That of the page with this address.
    Page(&'a str),
    /// Any: the source was not read to its end.
    Any,
}

impl SourceError {
    /// A listed page that is no longer there: it may take its product along.
    pub const GONE: &'static str = "page.gone";
    /// A page that can be read and tells of no product.
    pub const NO_PRODUCT: &'static str = "page.no_product";
    /// A page of a product that another page stands for.
    pub const TWIN: &'static str = "page.same_product";
    /// A source, a record of it, or a part of its list.
    pub const SOURCE: &'static str = "source";
    /// A page that is there and cannot be read.
    pub const UNREADABLE: &'static str = "page.unreadable";

    /// Why a page could not be had.
    pub(crate) fn of_page(page: &reqwest::Url, e: &FetchError) -> Self {
        let kind = match e {
            FetchError::Status { status: 404 | 410, .. } => Self::GONE,
            e => e.kind(),
        };
        SourceError::Page { page: page.to_string(), kind, reason: e.to_string() }
    }

    /// A short stable name for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            SourceError::Page { kind, .. } | SourceError::Variant { kind, .. } => kind,
            SourceError::Twin { .. } => Self::TWIN,
            _ => Self::SOURCE,
        }
    }

    /// Which products it may hide. A record that cannot be read may be any product; that a page
    /// has none any more is no reason to believe that its product is sold out, as long as it is
    /// listed (a theme may have changed).
    pub fn hides(&self) -> Hides<'_> {
        match self {
            SourceError::Repeated { .. }
            | SourceError::Twin { .. }
            | SourceError::Page { kind: Self::GONE, .. } => Hides::Nothing,
            SourceError::Page { page, .. } | SourceError::Variant { page, .. } => Hides::Page(page),
            _ => Hides::Any,
        }
    }

    /// Whether it is no fault of the run: sitemaps list pages that are gone, pages that are no
    /// product's, and several pages of one.
    pub fn is_expected(&self) -> bool {
        let kind = self.kind();
        [Self::GONE, Self::NO_PRODUCT, Self::TWIN].contains(&kind)
    }

    /// The page, file or list that it is about, with what tells several of them apart: a store keeps one of a
    /// kind and a place. Only where that page alone can be read again, it is an address and nothing else.
    pub fn place(&self) -> String {
        match self {
            SourceError::Page { page, .. } | SourceError::Twin { page, .. } => page.clone(),
            SourceError::Variant { page, .. } => format!("{page}, with its variants"),
            SourceError::Record { place, record, .. } => format!("{place}, record {record}"),
            SourceError::Repeated { place, id } => format!("{place}, product {id}"),
            SourceError::Read { place, .. }
            | SourceError::Format { place, .. }
            | SourceError::Kind { place }
            | SourceError::Product { place, .. } => place.clone(),
            SourceError::Fetch(e) => e.url().unwrap_or_default().to_owned(),
            SourceError::Stopped(_) => String::new(),
        }
    }
}
