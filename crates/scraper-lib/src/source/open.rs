//! Which source a path or an address is.

use std::path::Path;

use super::{
    Feed, FeedFormat, Folder, Kind, Links, List, Magento, Options, PageList, Shopify, Sitemap,
    Source, SourceError, Web, WooCommerce, cdn::Sized, settings::KindSettings,
};
use reqwest::Url;

/// A source as it is asked for.
#[derive(Debug, Clone, Default)]
pub struct SourceSpec {
    /// `None`: by what is there.
    pub kind: Option<Kind>,
    /// A path, or an address of the web.
    pub place: String,
    /// What else is said of it.
    pub options: Options,
}

impl SourceSpec {
    /// Without further settings.
    pub fn of(place: &str, kind: Option<Kind>) -> Self {
        SourceSpec { kind, place: place.to_owned(), ..SourceSpec::default() }
    }

    /// Its kind, where it is said or the name of the place tells it.
    pub fn named_kind(&self) -> Option<Kind> {
        let name = |path: &str| kind_of_name(path.rsplit('/').next().unwrap_or_default());
        self.kind.or_else(|| match self.url() {
            Ok(Some(url)) => kind_of_address(&url),
            Ok(None) => name(&self.place),
            Err(_) => None,
        })
    }

    /// Opens the source; relative paths start at `folder`.
    ///
    /// # Errors
    /// There is nothing at the path, or its kind cannot be told.
    pub fn open(&self, folder: &Path, web: &Web) -> Result<Box<dyn Source>, SourceError> {
        let web = &web.clone().reading(self.options.reader());
        let source = match self.url()? {
            Some(url) => self.open_url(&web.authorize(url), web),
            None => self.open_path(&folder.join(&self.place), web),
        };
        Ok(self.sized(source?))
    }

    /// Single pages of the source, which could not be read before, as a source.
    pub fn pages(&self, pages: Vec<Url>, web: &Web) -> Box<dyn Source> {
        let web = web.clone().reading(self.options.reader());
        self.sized(Box::new(PageList::new(pages, web)))
    }

    fn sized(&self, inner: Box<dyn Source>) -> Box<dyn Source> {
        match self.options.width() {
            Some(width) => Box::new(Sized { inner, width }),
            None => inner,
        }
    }

    /// Whether it reads documents of the web.
    pub fn reads_pages(&self) -> bool {
        !matches!(self.url(), Ok(None))
            || self.kind == Some(Kind::List)
            || self.place.ends_with(".txt")
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

    fn settings(&self, kind: Kind) -> Result<KindSettings, SourceError> {
        self.options.of(kind).map_err(|refused| self.wrong(refused.reason))
    }

    fn open_url(&self, url: &Url, web: &Web) -> Result<Box<dyn Source>, SourceError> {
        let kind = self.named_kind();
        let kind = kind.ok_or_else(|| SourceError::Kind { place: self.place.clone() })?;
        Ok(match self.settings(kind)? {
            KindSettings::Shopify(settings) => {
                Box::new(Shopify::new(url, settings.currency, web.clone()))
            }
            KindSettings::Woocommerce => Box::new(WooCommerce::new(url, web.clone())),
            KindSettings::Magento(settings) => {
                let shop = Magento::new(url, settings.store.as_deref(), web.clone());
                Box::new(shop.map_err(|reason| self.wrong(reason))?)
            }
            KindSettings::Sitemap(settings) => {
                Box::new(Sitemap::new(url, web.clone()).including(settings.include))
            }
            KindSettings::Feed(format, settings) => {
                Box::new(Feed::url(url, format, web.clone()).with(settings))
            }
            _ => return Err(self.wrong("a folder or a list is a path on this machine")),
        })
    }

    fn open_path(&self, path: &Path, web: &Web) -> Result<Box<dyn Source>, SourceError> {
        let place = || path.display().to_string();
        let meta = std::fs::metadata(path)
            .map_err(|source| SourceError::Read { place: place(), source })?;
        let kind = match self.kind {
            Some(kind) => Some(kind),
            None if meta.is_dir() => Some(Kind::Folder),
            None => self.named_kind(),
        };
        let kind = kind.ok_or_else(|| {
            self.wrong(
                "neither a folder, nor a feed (.csv, .tsv, .jsonl, .xml, each also .gz), nor a \
                 list of addresses (.txt)",
            )
        })?;
        Ok(match self.settings(kind)? {
            KindSettings::Folder(settings) if meta.is_dir() => {
                let links = if settings.follow_symlinks { Links::Anywhere } else { Links::Inside };
                Box::new(Folder::new(path, links))
            }
            _ if meta.is_dir() => return Err(self.wrong("it is a folder")),
            KindSettings::Feed(format, settings) => {
                Box::new(Feed::file(path, format).with(settings))
            }
            KindSettings::List => Box::new(List::new(path, web.clone())),
            KindSettings::Folder(_) => return Err(self.wrong("it is not a folder")),
            _ => {
                return Err(self.wrong("a shop or a sitemap is given by its address, https://…"));
            }
        })
    }
}

/// What the ending of a file's name says.
fn kind_of_name(name: &str) -> Option<Kind> {
    match FeedFormat::of(name) {
        Some(FeedFormat::Csv) => Some(Kind::Csv),
        Some(FeedFormat::Tsv) => Some(Kind::Tsv),
        Some(FeedFormat::Jsonl) => Some(Kind::Jsonl),
        Some(FeedFormat::Merchant) => Some(Kind::Merchant),
        None => name.to_ascii_lowercase().ends_with(".txt").then_some(Kind::List),
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
    kind_of_name(name).filter(|&kind| kind != Kind::List)
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
