//! Which source a path or an address is.

use std::{collections::BTreeMap, path::Path};

use reqwest::Url;
use serde::Deserialize;

use super::{
    Feed, FeedFormat, Folder, List, Magento, Mapping, Shopify, Sitemap, Source, SourceError, Web,
    WooCommerce,
};

/// A kind of source, as `scraper.toml` and `--kind` name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A Shopify shop, by its address.
    Shopify,
    /// A WooCommerce shop, by its address.
    Woocommerce,
    /// A Magento 2 shop, by its address.
    Magento,
    /// A sitemap or a shop that has one; products are read from the pages it lists.
    Sitemap,
    /// A Google Merchant feed in XML (its tab-separated form is `tsv`).
    Merchant,
    /// A list of products in XML of any shape.
    Xml,
    /// A table with a line of column names.
    Csv,
    /// The same with tabs.
    Tsv,
    /// One JSON object per line.
    Jsonl,
    /// A folder of images.
    Folder,
    /// A text file with an address of an image or a product page per line.
    List,
}

/// A source as it is asked for.
#[derive(Debug, Clone, Default)]
pub struct SourceSpec {
    /// `None`: by what is there.
    pub kind: Option<Kind>,
    /// A path, or an address of the web.
    pub place: String,
    /// Only pages of a sitemap whose address contains one of these; all if empty.
    pub include: Vec<String>,
    /// What the prices of a Shopify shop are in, where it does not say (ISO 4217).
    pub currency: Option<String>,
    /// The store view of a Magento shop.
    pub store: Option<String>,
    /// Which element of an XML list is a product.
    pub item: Option<String>,
    /// What of it is which field.
    pub columns: BTreeMap<String, String>,
}

impl SourceSpec {
    pub fn of(place: &str, kind: Option<Kind>) -> Self {
        SourceSpec { kind, place: place.to_owned(), ..SourceSpec::default() }
    }

    /// Opens the source; relative paths start at `folder`.
    ///
    /// # Errors
    /// There is nothing at the path, or its kind cannot be told.
    pub fn open(&self, folder: &Path, web: &Web) -> Result<Box<dyn Source>, SourceError> {
        match self.url()? {
            Some(url) => self.open_url(&url, web),
            None => self.open_path(&folder.join(&self.place), web),
        }
    }

    /// Whether it reads documents of the web.
    pub fn reads_pages(&self) -> bool {
        !matches!(self.url(), Ok(None))
            || self.kind == Some(Kind::List)
            || self.place.ends_with(".txt")
    }

    fn mapping(&self) -> Mapping {
        Mapping::new(self.item.as_deref(), &self.columns)
    }

    fn wrong(&self, reason: impl Into<String>) -> SourceError {
        SourceError::Format { place: self.place.clone(), reason: reason.into() }
    }

    /// The address, if it is one of the web.
    fn url(&self) -> Result<Option<Url>, SourceError> {
        let lower = self.place.to_ascii_lowercase();
        if !lower.starts_with("http://") && !lower.starts_with("https://") {
            return Ok(None);
        }
        Url::parse(&self.place).map(Some).map_err(|e| self.wrong(e.to_string()))
    }

    fn open_url(&self, url: &Url, web: &Web) -> Result<Box<dyn Source>, SourceError> {
        let kind = self.kind.or_else(|| kind_of_address(url)).ok_or_else(|| {
            self.wrong(
                "its kind cannot be told from the address; say it with --kind, or with kind = … in \
                 scraper.toml: shopify, woocommerce, magento, sitemap, merchant, xml, csv, tsv, \
                 jsonl",
            )
        })?;
        let feed = |format| Box::new(Feed::url(url, format, web.clone())) as Box<dyn Source>;
        Ok(match kind {
            Kind::Shopify => Box::new(Shopify::new(url, self.currency.clone(), web.clone())),
            Kind::Woocommerce => Box::new(WooCommerce::new(url, web.clone())),
            Kind::Magento => {
                let shop = Magento::new(url, self.store.as_deref(), web.clone());
                Box::new(shop.map_err(|reason| self.wrong(reason))?)
            }
            Kind::Sitemap => {
                Box::new(Sitemap::new(url, web.clone()).including(self.include.clone()))
            }
            Kind::Merchant => feed(FeedFormat::Merchant),
            Kind::Xml => {
                let feed = Feed::url(url, FeedFormat::Merchant, web.clone());
                Box::new(feed.mapped(self.mapping()))
            }
            Kind::Csv => feed(FeedFormat::Csv),
            Kind::Tsv => feed(FeedFormat::Tsv),
            Kind::Jsonl => feed(FeedFormat::Jsonl),
            Kind::Folder | Kind::List => {
                return Err(self.wrong("a folder or a list is a path on this machine"));
            }
        })
    }

    fn open_path(&self, path: &Path, web: &Web) -> Result<Box<dyn Source>, SourceError> {
        let place = || path.display().to_string();
        let meta = std::fs::metadata(path)
            .map_err(|source| SourceError::Read { place: place(), source })?;
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let by_name = || match FeedFormat::of(&name) {
            Some(FeedFormat::Csv) => Some(Kind::Csv),
            Some(FeedFormat::Tsv) => Some(Kind::Tsv),
            Some(FeedFormat::Jsonl) => Some(Kind::Jsonl),
            Some(FeedFormat::Merchant) => Some(Kind::Merchant),
            None => name.to_ascii_lowercase().ends_with(".txt").then_some(Kind::List),
        };
        let kind = self.kind.or_else(|| if meta.is_dir() { Some(Kind::Folder) } else { by_name() });
        let feed = |format| Box::new(Feed::file(path, format)) as Box<dyn Source>;
        Ok(match kind {
            Some(Kind::Folder) if meta.is_dir() => Box::new(Folder::new(path)),
            Some(_) if meta.is_dir() => return Err(self.wrong("it is a folder")),
            Some(Kind::Merchant) => feed(FeedFormat::Merchant),
            Some(Kind::Xml) => {
                Box::new(Feed::file(path, FeedFormat::Merchant).mapped(self.mapping()))
            }
            Some(Kind::Csv) => feed(FeedFormat::Csv),
            Some(Kind::Tsv) => feed(FeedFormat::Tsv),
            Some(Kind::Jsonl) => feed(FeedFormat::Jsonl),
            Some(Kind::List) => Box::new(List::new(path, web.clone())),
            Some(Kind::Folder) => return Err(self.wrong("it is not a folder")),
            Some(Kind::Shopify | Kind::Woocommerce | Kind::Magento | Kind::Sitemap) => {
                return Err(self.wrong("a shop or a sitemap is given by its address, https://…"));
            }
            None => {
                return Err(self.wrong(
                    "neither a folder, nor a feed (.csv, .tsv, .jsonl, .xml, each also .gz), nor \
                     a list of addresses (.txt)",
                ));
            }
        })
    }
}

/// What an address says of itself.
fn kind_of_address(url: &Url) -> Option<Kind> {
    let path = url.path().to_ascii_lowercase();
    if format!("{path}?{}", url.query().unwrap_or_default()).contains("/wc/store") {
        return Some(Kind::Woocommerce);
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    if name.contains("sitemap") {
        return Some(Kind::Sitemap);
    }
    match name {
        "products.json" => return Some(Kind::Shopify),
        "graphql" => return Some(Kind::Magento),
        _ => {}
    }
    match FeedFormat::of(name)? {
        FeedFormat::Csv => Some(Kind::Csv),
        FeedFormat::Tsv => Some(Kind::Tsv),
        FeedFormat::Jsonl => Some(Kind::Jsonl),
        FeedFormat::Merchant => Some(Kind::Merchant),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_tell_their_kind_or_not() {
        let kind = |url: &str| kind_of_address(&Url::parse(url).unwrap());
        assert_eq!(kind("https://shop/sitemap_products_1.xml?from=1"), Some(Kind::Sitemap));
        assert_eq!(kind("https://shop/sitemap.xml.gz"), Some(Kind::Sitemap));
        assert_eq!(kind("https://shop/feeds/google.xml"), Some(Kind::Merchant));
        assert_eq!(kind("https://shop/feed.csv.gz?key=1"), Some(Kind::Csv));
        assert_eq!(kind("https://shop/products.json"), Some(Kind::Shopify));
        assert_eq!(kind("https://shop/wp-json/wc/store/v1/products"), Some(Kind::Woocommerce));
        assert_eq!(kind("https://shop/?rest_route=/wc/store/v1/products"), Some(Kind::Woocommerce));
        assert_eq!(kind("https://shop/de/graphql"), Some(Kind::Magento));
        assert_eq!(kind("https://shop/"), None);
    }
}
