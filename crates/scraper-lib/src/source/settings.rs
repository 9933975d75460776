//! What may be said of a source, kind by kind: a setting that would have no effect is refused.

use std::{collections::BTreeMap, num::NonZeroU32};

use serde::Deserialize;

use super::{FeedFormat, Mapping, PageReader, Select, cdn, columns::Renamed, text};

/// The kinds of sources: variant, name in `scraper.toml`, what it is, and the settings that have an
/// effect on it.
macro_rules! kinds {
    ($($kind:ident $name:literal $about:literal [$($setting:ident),*],)*) => {
        /// A kind of source.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
        pub enum Kind {
            $(#[doc = $about] #[serde(rename = $name)] $kind,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Kind] = &[$(Kind::$kind),*];

            /// As it is written in `scraper.toml`.
            pub fn as_str(self) -> &'static str {
                match self { $(Kind::$kind => $name),* }
            }

            /// What it is, in a line.
            pub fn about(self) -> &'static str {
                match self { $(Kind::$kind => $about),* }
            }

            /// Names of the [`Options`] that have an effect on it.
            fn settings(self) -> &'static [&'static str] {
                match self { $(Kind::$kind => &[$(stringify!($setting)),*]),* }
            }
        }
    };
}

kinds! {
    Shopify "shopify" "A Shopify shop, by its address" [currency, images],
    Woocommerce "woocommerce" "A WooCommerce shop, by its address" [images],
    Magento "magento" "A Magento 2 shop, by its address" [store, images],
    Sitemap "sitemap" "A sitemap or a shop that has one; products are read from the pages it lists"
        [include, select, images],
    Merchant "merchant" "A Google Merchant feed in XML (its tab-separated form is `tsv`)"
        [max_unpacked_gib, images],
    Xml "xml" "A list of products in XML of any shape" [max_unpacked_gib, item, columns, images],
    Csv "csv" "A table with a line of column names" [max_unpacked_gib, columns, images],
    Tsv "tsv" "The same with tabs" [max_unpacked_gib, columns, images],
    Jsonl "jsonl" "One JSON object per line" [max_unpacked_gib, images],
    Folder "folder" "A folder of images" [follow_symlinks],
    List "list" "A text file with an address of an image or a product page per line"
        [select, images],
}

/// All that can be said of a source besides its place, whatever its kind; `None` is unsaid.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Only pages of a sitemap whose address contains one of these; all if empty.
    pub include: Option<Vec<String>>,
    /// What the prices of a Shopify shop are in, where it does not say (ISO 4217).
    pub currency: Option<String>,
    /// Whether links in a folder may lead out of it.
    pub follow_symlinks: Option<bool>,
    /// The most that a gzip feed may be when it is unpacked, in GiB.
    pub max_unpacked_gib: Option<NonZeroU32>,
    /// The code of a Magento shop's store view.
    pub store: Option<String>,
    /// Which element of an XML list is a product.
    pub item: Option<String>,
    /// Which column of a table, or which part of such an element, is which field.
    pub columns: Option<BTreeMap<String, String>>,
    /// Selectors for what pages do not tell.
    pub select: Option<Select>,
    /// How images are asked for.
    pub images: Option<ImageOptions>,
}

/// How images are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageOptions {
    /// Width in pixels, where the address is of a content delivery network that makes it; at least
    /// 224. As listed, if `None`.
    pub width: Option<u32>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ShopifySettings {
    pub(super) currency: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct SitemapSettings {
    pub(super) include: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct MagentoSettings {
    pub(super) store: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct FeedSettings {
    /// In bytes.
    pub(super) max_unpacked: u64,
    /// Of an XML list.
    pub(super) mapping: Mapping,
    /// Of a table.
    pub(super) columns: Renamed,
}

impl Default for FeedSettings {
    fn default() -> Self {
        FeedSettings {
            max_unpacked: 16 << 30,
            mapping: Mapping::default(),
            columns: Renamed::new(),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct FolderSettings {
    pub(super) follow_symlinks: bool,
}

/// A source's kind with the settings that are its own.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum KindSettings {
    Shopify(ShopifySettings),
    Woocommerce,
    Magento(MagentoSettings),
    Sitemap(SitemapSettings),
    Feed(FeedFormat, FeedSettings),
    Folder(FolderSettings),
    List,
}

/// A setting that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// As it is written in `scraper.toml`.
    pub setting: &'static str,
    /// Why it cannot be.
    pub reason: String,
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Options {
    /// The names of the settings that are made.
    fn made(&self) -> impl Iterator<Item = &'static str> {
        let Options {
            include,
            currency,
            follow_symlinks,
            max_unpacked_gib,
            store,
            item,
            columns,
            select,
            images,
        } = self;
        let all = [
            ("include", include.is_some()),
            ("currency", currency.is_some()),
            ("follow_symlinks", follow_symlinks.is_some()),
            ("max_unpacked_gib", max_unpacked_gib.is_some()),
            ("store", store.is_some()),
            ("item", item.is_some()),
            ("columns", columns.is_some()),
            ("select", select.is_some()),
            ("images", images.is_some()),
        ];
        all.into_iter().filter_map(|(name, made)| made.then_some(name))
    }

    /// Whether a source of this kind takes all that is set.
    ///
    /// # Errors
    /// The first setting that has no effect on it, or has no such value.
    pub fn check(&self, kind: Kind) -> Result<(), Refused> {
        if let Some(setting) = self.made().find(|name| !kind.settings().contains(name)) {
            let takes = Kind::ALL.iter().filter(|kind| kind.settings().contains(&setting));
            let reason = format!(
                "{setting} has no effect on a source of the kind {}; it is for: {}",
                kind.as_str(),
                takes.map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
            );
            return Err(Refused { setting, reason });
        }
        let is_code = |code: &str| code.len() == 3 && text::currency(code).is_some();
        let refuse = |setting, reason| Err(Refused { setting, reason });
        if let Some(code) = self.currency.as_ref().filter(|code| !is_code(code)) {
            let reason = format!("currency = {code:?} is no code of ISO 4217, such as \"EUR\"");
            return refuse("currency", reason);
        }
        if let Some(Err(reason)) = self.select.as_ref().map(Select::check) {
            return refuse("select", reason);
        }
        match self.width() {
            Some(width) if width < cdn::LEAST_WIDTH => {
                let least = cdn::LEAST_WIDTH;
                let reason =
                    format!("images.width = {width}: at least {least}, which the model sees");
                refuse("images", reason)
            }
            _ => Ok(()),
        }
    }

    /// The width that images are asked for at.
    pub(super) fn width(&self) -> Option<u32> {
        self.images.as_ref()?.width
    }

    /// How pages are read.
    pub(super) fn reader(&self) -> PageReader {
        PageReader { select: self.select.clone().unwrap_or_default(), ..PageReader::default() }
    }

    /// The settings for one kind of source.
    ///
    /// # Errors
    /// Those of [`Options::check`].
    pub(super) fn of(&self, kind: Kind) -> Result<KindSettings, Refused> {
        self.check(kind)?;
        let Options {
            include,
            currency,
            follow_symlinks,
            max_unpacked_gib,
            store,
            item,
            columns,
            ..
        } = self.clone();
        let feed = |format| {
            let columns = columns.unwrap_or_default();
            let mapping = Mapping::new(item.as_deref(), &columns);
            let usual = FeedSettings::default().max_unpacked;
            let max_unpacked = max_unpacked_gib.map_or(usual, |gib| u64::from(gib.get()) << 30);
            KindSettings::Feed(format, FeedSettings { max_unpacked, mapping, columns })
        };
        Ok(match kind {
            Kind::Shopify => KindSettings::Shopify(ShopifySettings { currency }),
            Kind::Woocommerce => KindSettings::Woocommerce,
            Kind::Magento => KindSettings::Magento(MagentoSettings { store }),
            Kind::Sitemap => {
                KindSettings::Sitemap(SitemapSettings { include: include.unwrap_or_default() })
            }
            Kind::Merchant | Kind::Xml => feed(FeedFormat::Merchant),
            Kind::Csv => feed(FeedFormat::Csv),
            Kind::Tsv => feed(FeedFormat::Tsv),
            Kind::Jsonl => feed(FeedFormat::Jsonl),
            Kind::Folder => KindSettings::Folder(FolderSettings {
                follow_symlinks: follow_symlinks.unwrap_or(false),
            }),
            Kind::List => KindSettings::List,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn what_has_no_effect_is_refused() {
        let include = Options { include: Some(vec!["/p/".into()]), ..Options::default() };
        assert!(include.check(Kind::Sitemap).is_ok());
        let error = include.check(Kind::Csv).unwrap_err();
        assert_eq!(error.setting, "include");
        assert!(error.reason.contains("csv") && error.reason.contains("sitemap"), "{error}");
        let empty = Options { include: Some(Vec::new()), ..Options::default() };
        assert!(empty.check(Kind::List).is_err(), "also where it says nothing");
        let currency = |code: &str| Options { currency: Some(code.into()), ..Options::default() };
        assert!(currency("eur").check(Kind::Shopify).is_ok());
        assert!(currency("EUR").check(Kind::Sitemap).is_err());
        assert!(currency("Euro").check(Kind::Shopify).unwrap_err().reason.contains("ISO 4217"));
        let links = Options { follow_symlinks: Some(false), ..Options::default() };
        assert!(links.check(Kind::Folder).is_ok() && links.check(Kind::Jsonl).is_err());
        let size = Options { max_unpacked_gib: NonZeroU32::new(2), ..Options::default() };
        let feeds = [Kind::Merchant, Kind::Xml, Kind::Csv, Kind::Tsv, Kind::Jsonl];
        assert!(feeds.iter().all(|&kind| size.check(kind).is_ok()));
        let settings = FeedSettings { max_unpacked: 2 << 30, ..FeedSettings::default() };
        assert_eq!(size.of(Kind::Csv), Ok(KindSettings::Feed(FeedFormat::Csv, settings)));
        assert!(size.check(Kind::Folder).is_err());
        assert!(Options::default().check(Kind::List).is_ok());
        let width = |width| Options {
            images: Some(ImageOptions { width: Some(width) }),
            ..Options::default()
        };
        assert!(width(448).check(Kind::Sitemap).is_ok() && width(448).check(Kind::Folder).is_err());
        assert!(width(200).check(Kind::Csv).unwrap_err().reason.contains("224"));
        let select = |title: &str| Options {
            select: Some(Select { title: Some(title.into()), ..Select::default() }),
            ..Options::default()
        };
        assert!(select("h1").check(Kind::List).is_ok() && select("h1").check(Kind::Csv).is_err());
        assert!(select("h1[").check(Kind::Sitemap).unwrap_err().reason.contains("select.title"));
    }

    #[test]
    fn each_setting_has_an_effect_somewhere_and_each_of_the_table_can_be_made() {
        let all = Options {
            include: Some(Vec::new()),
            currency: Some("EUR".into()),
            follow_symlinks: Some(true),
            max_unpacked_gib: Some(NonZeroU32::MIN),
            store: Some(String::new()),
            item: Some(String::new()),
            columns: Some(BTreeMap::new()),
            select: Some(Select::default()),
            images: Some(ImageOptions::default()),
        };
        let made: BTreeSet<_> = all.made().collect();
        let table: BTreeSet<_> =
            Kind::ALL.iter().flat_map(|kind| kind.settings().iter().copied()).collect();
        assert_eq!(made, table);
    }
}
