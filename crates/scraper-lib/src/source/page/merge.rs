//! Several sorts of evidence as one product: the first that tells a field is believed.

use std::collections::BTreeMap;

use reqwest::Url;

use super::{
    picture,
    place::{self, Match, Place},
    product::Told,
    report::Origin,
};
use crate::source::Product;

/// A product as far as it is known.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) told: Told,
    from: BTreeMap<&'static str, Origin>,
    structured: bool,
}

/// Fields in the order of [`Product`].
const FIELDS: [&str; 10] = [
    "title",
    "description",
    "url",
    "brand",
    "category",
    "price",
    "currency",
    "availability",
    "images",
    "attributes",
];

impl Merged {
    /// Takes in what JSON-LD, microdata or RDFa tell, unless it is of another product.
    pub(super) fn structured(&mut self, told: Told, origin: Origin, place: &Place) {
        if self.structured {
            let alike = match (&self.told.title, &told.title) {
                (Some(ours), Some(theirs)) => {
                    place::names(&place::words(ours), &place::words(theirs)) >= Match::Weak
                        || place.name(theirs) >= Match::Good
                }
                _ => true,
            };
            if !alike {
                return;
            }
        }
        self.structured = true;
        let images = told.images.clone();
        self.fill(told, origin);
        // Pictures of all of them, each once.
        let mut keys: Vec<String> = self.told.images.iter().map(|i| picture::key(i)).collect();
        for address in images {
            let key = picture::key(&address);
            if !keys.contains(&key) {
                keys.push(key);
                self.told.images.push(address);
            }
        }
    }

    pub(super) fn is_structured(&self) -> bool {
        self.structured
    }

    /// Whether nothing is left that a page's state could tell.
    pub(super) fn is_complete(&self) -> bool {
        let told = &self.told;
        self.structured
            && told.title.is_some()
            && told.brand.is_some()
            && told.offered.price.is_some()
            && told.images.len() > 1
    }

    /// Fills what is still open.
    pub(super) fn fill(&mut self, told: Told, origin: Origin) {
        let from = &mut self.from;
        let mut text = |name, ours: &mut Option<String>, theirs: Option<String>| {
            if ours.is_none() && theirs.is_some() {
                *ours = theirs;
                from.insert(name, origin);
            }
        };
        text("title", &mut self.told.title, told.title);
        text("description", &mut self.told.description, told.description);
        text("url", &mut self.told.url, told.url);
        text("brand", &mut self.told.brand, told.brand);
        text("category", &mut self.told.category, told.category);
        let (ours, theirs) = (&mut self.told.offered, told.offered);
        match (ours.price, theirs.price) {
            (None, Some(price)) => {
                ours.price = Some(price);
                from.insert("price", origin);
                if theirs.currency.is_some() {
                    ours.currency = theirs.currency;
                    from.insert("currency", origin);
                }
                ours.list_price = ours.list_price.or(theirs.list_price);
                ours.unit_price = ours.unit_price.or(theirs.unit_price);
            }
            // The currency of the same price, or of the whole page.
            (ours_price, theirs_price)
                if ours.currency.is_none()
                    && theirs.currency.is_some()
                    && (theirs_price.is_none() || ours_price == theirs_price) =>
            {
                ours.currency = theirs.currency;
                from.insert("currency", origin);
            }
            _ => {}
        }
        if ours.availability.is_none() && theirs.availability.is_some() {
            ours.availability = theirs.availability;
            from.insert("availability", origin);
        }
        if self.told.images.is_empty() && !told.images.is_empty() {
            self.told.images = told.images;
            from.insert("images", origin);
        }
        self.told.of_group |= told.of_group;
        for (name, value) in told.attributes {
            self.told.attributes.entry(name).or_insert(value);
            from.entry("attributes").or_insert(origin);
        }
    }

    /// Pictures that were found beside the known ones.
    pub(super) fn pictures(&mut self, images: Vec<String>, origin: Origin) {
        if images.len() > self.told.images.len() {
            self.told.images = images;
            self.from.entry("images").or_insert(origin);
        }
    }

    /// The breadcrumbs, unless the product itself tells a path.
    pub(super) fn category(&mut self, path: String, origin: Origin) {
        let own = self.told.category.as_deref();
        if own.is_none_or(|own| !own.contains('>') && (path.contains(" > ") || own.is_empty())) {
            self.told.category = Some(path);
            self.from.insert("category", origin);
        }
    }

    /// Where each field that is known came from.
    pub(super) fn fields(&self) -> Vec<(String, Origin)> {
        let known =
            FIELDS.iter().filter_map(|name| Some(((*name).to_owned(), *self.from.get(name)?)));
        known.collect()
    }

    pub(super) fn finish(self, page: &Url, canonical: Option<Url>, base: &Url) -> Product {
        let Told {
            title, description, url, brand, category, offered, images, mut attributes, ..
        } = self.told;
        for (name, value) in
            [("list_price", offered.list_price), ("unit_price", offered.unit_price)]
        {
            if let Some(value) = value {
                attributes.insert(name.to_owned(), value.to_string());
            }
        }
        let told = url.and_then(|url| base.join(url.trim()).ok());
        let told = told.filter(|url| place::same_site(url, page) && url.path() != "/");
        Product {
            title,
            description,
            url: Some(told.or(canonical).unwrap_or_else(|| page.clone()).into()),
            brand,
            category,
            price: offered.price,
            currency: offered.currency,
            availability: offered.availability,
            images,
            attributes,
            ..Product::default()
        }
    }
}
