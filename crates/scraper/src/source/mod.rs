//! Where products come from: shops on the web, feeds, folders, lists of addresses.

mod distinct;
mod feed;
mod folder;
mod html;
mod list;
mod magento;
mod merchant;
mod open;
mod pages;
mod record;
mod schema;
mod shopify;
mod sitemap;
mod text;
mod web;
mod woocommerce;
mod xml;
mod xml_list;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    pin::Pin,
};

use reqwest::Url;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::Sender;

pub use distinct::Distinct;
pub use feed::{Feed, FeedFormat};
pub use folder::{Folder, image_files};
pub use list::List;
pub use magento::Magento;
pub use open::{Kind, SourceSpec};
pub use pages::Pages;
pub use shopify::Shopify;
pub use sitemap::Sitemap;
pub use web::Web;
pub use woocommerce::WooCommerce;
pub use xml_list::Mapping;

use crate::fetch::FetchError;

/// One article of a shop. What a source does not tell is `None`, never a guess.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Product {
    /// The shop's own key; the same id in a later run is the same product.
    pub id: String,
    pub title: Option<String>,
    /// Plain text: markup is removed by the source that finds it.
    pub description: Option<String>,
    /// The product page.
    pub url: Option<String>,
    pub brand: Option<String>,
    pub category: Option<String>,
    /// What one costs now, in units of `currency` (19.95, not 1995); the lowest of its variants.
    pub price: Option<f64>,
    /// ISO 4217, upper case: "EUR".
    pub currency: Option<String>,
    pub availability: Option<Availability>,
    /// Images in the shop's order, each as written in the source. One that cannot be used is
    /// kept, so that it shows up among the failures.
    pub images: Vec<String>,
    /// Whatever else the source tells: "color", "material", "tags" …
    pub attributes: BTreeMap<String, String>,
    /// The name of the source in `scraper.toml`; empty where there is only one.
    pub source: String,
}

/// Whether it can be bought; the names are those of schema.org's `ItemAvailability`, reduced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    InStock,
    OutOfStock,
    Preorder,
    Backorder,
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

    /// Against this folder relative image paths are read.
    fn base(&self) -> PathBuf;

    /// Sends everything into `out`, which is bounded: a slow receiver slows the source down.
    /// Ends early, without an error, when the receiver is gone.
    fn run(self: Box<Self>, out: Sender<SourceItem>) -> Running;
}

/// A source, or one of its records, that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    #[error("cannot read {place}: {source}")]
    Read { place: String, source: io::Error },
    #[error("{place}: {reason}")]
    Format { place: String, reason: String },
    #[error("{place}, record {record}: {reason}")]
    Record { place: String, record: u64, reason: String },
    /// One product cannot be read from an answer or a page.
    #[error("{place}: {reason}")]
    Product { place: String, reason: String },
    #[error(
        "product {id} comes a second time, and different, from {place}; the first one counts: ids \
         must be unique within a source"
    )]
    Repeated { place: String, id: String },
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error("the source stopped unexpectedly: {0}")]
    Stopped(String),
}

impl SourceError {
    /// Whether products that the source has may be missing because of it, which would be there at
    /// the next attempt.
    pub fn hides_products(&self) -> bool {
        !matches!(
            self,
            SourceError::Record { .. } | SourceError::Product { .. } | SourceError::Repeated { .. }
        )
    }
}

/// Where the bytes of an image are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    Url(Url),
    File(PathBuf),
}

impl Location {
    /// Reads `http://…`, `https://…`, `file://…` or a path (relative to `base`).
    ///
    /// # Errors
    /// [`FetchError::Address`] for another scheme or a malformed URL.
    pub fn parse(text: &str, base: &Path) -> Result<Self, FetchError> {
        let bad = |reason: &str| FetchError::Address { text: text.into(), reason: reason.into() };
        let Some((scheme, _)) = text.split_once("://") else {
            return if text.is_empty() {
                Err(bad("it is empty"))
            } else {
                Ok(Location::File(base.join(text)))
            };
        };
        let url = Url::parse(text).map_err(|e| bad(&e.to_string()))?;
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => Ok(Location::Url(url)),
            "file" => {
                url.to_file_path().map(Location::File).map_err(|()| bad("it names no local file"))
            }
            _ => Err(bad("supported are http, https, file and plain paths")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations() {
        let base = Path::new("/feed");
        let parse = |text| Location::parse(text, base);
        assert_eq!(parse("a b.jpg").unwrap(), Location::File("/feed/a b.jpg".into()));
        assert_eq!(parse("/x/a.jpg").unwrap(), Location::File("/x/a.jpg".into()));
        assert!(matches!(parse("HTTPS://shop/a.jpg"), Ok(Location::Url(_))));
        assert_eq!(parse("file:///x/a.jpg").unwrap(), Location::File("/x/a.jpg".into()));
        for bad in ["", "ftp://shop/a.jpg", "http://", "data://x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
