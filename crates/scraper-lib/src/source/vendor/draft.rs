//! A product while its rows come in.

use std::collections::BTreeMap;

use super::super::{Availability, Product, images::Images, price, text};

/// What one variant costs, and whether it can be had.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Offer {
    pub(super) price: Option<f64>,
    pub(super) currency: Option<String>,
    /// What it cost before, if that was more.
    pub(super) list: Option<f64>,
    pub(super) available: Option<Availability>,
}

impl Offer {
    /// `sale` is what it costs now, if there is a sale.
    pub(super) fn new(
        regular: Option<&str>,
        sale: Option<&str>,
        available: Option<Availability>,
    ) -> Self {
        let regular = regular.and_then(price);
        let sale = sale.and_then(price).filter(|(amount, _)| *amount > 0.0);
        let sale = sale.filter(|(amount, _)| regular.as_ref().is_none_or(|(r, _)| amount < r));
        let list = sale.as_ref().and(regular.as_ref()).map(|(amount, _)| *amount);
        let now = sale.or(regular);
        Offer {
            price: now.as_ref().map(|(amount, _)| *amount),
            currency: now.and_then(|(_, currency)| currency),
            list,
            available,
        }
    }
}

/// A price as programs write it ("49.950000" is 49.95), else as people do.
pub(super) fn price(text: &str) -> Option<(f64, Option<String>)> {
    let text = text.trim();
    let plain = |c: char| c.is_ascii_digit() || c == '.';
    match text.len() <= 20
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(plain)
    {
        true => {
            text.parse().ok().filter(|amount| *amount < price::MOST).map(|amount| (amount, None))
        }
        false => text::price_in(text, None),
    }
}

/// What is known so far.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) line: u64,
    pub(super) id: String,
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) url: Option<String>,
    pub(super) brand: Option<String>,
    pub(super) category: Option<String>,
    pub(super) attributes: BTreeMap<String, Vec<String>>,
    /// With their places; of equal places the first comes first.
    pub(super) images: Vec<(u32, String)>,
    pub(super) offers: Vec<Offer>,
}

impl Draft {
    pub(super) fn new(line: u64, id: &str) -> Self {
        Draft { line, id: id.to_owned(), ..Draft::default() }
    }

    /// Adds a value of an attribute, each once.
    pub(super) fn attribute(&mut self, name: &str, value: Option<&str>) {
        let Some(value) = value.and_then(text::some) else { return };
        let values = self.attributes.entry(name.to_lowercase()).or_default();
        if !values.contains(&value) {
            values.push(value);
        }
    }

    pub(super) fn image(&mut self, place: u32, address: &str) {
        if !address.trim().is_empty() {
            self.images.push((place, address.trim().to_owned()));
        }
    }

    pub(super) fn finish(mut self) -> (u64, Result<Product, String>) {
        self.images.sort_by_key(|(place, _)| *place);
        let mut images = Images::default();
        self.images.into_iter().for_each(|(_, address)| images.add(address));
        let id = self.id;
        let images = match images.finish() {
            Ok(images) => images,
            Err(e) => return (self.line, Err(format!("product {id}: {e}"))),
        };
        let open = |offer: &&Offer| {
            !matches!(offer.available, Some(Availability::OutOfStock | Availability::Discontinued))
        };
        let priced = || self.offers.iter().filter(|offer| offer.price.is_some());
        let cheapest = |a: &&Offer, b: &&Offer| {
            a.price.partial_cmp(&b.price).unwrap_or(std::cmp::Ordering::Equal)
        };
        let chosen = priced().filter(open).min_by(cheapest).or_else(|| priced().min_by(cheapest));
        let chosen = chosen.cloned().unwrap_or_default();
        let any = |wanted| self.offers.iter().any(|offer| offer.available == Some(wanted));
        let availability = [
            Availability::InStock,
            Availability::Preorder,
            Availability::Backorder,
            Availability::OutOfStock,
            Availability::Discontinued,
        ];
        let mut attributes: BTreeMap<String, String> =
            self.attributes.into_iter().map(|(name, values)| (name, values.join(", "))).collect();
        if let Some(list) = chosen.list {
            attributes.insert("list_price".into(), list.to_string());
        }
        let product = Product {
            id,
            title: self.title,
            description: self.description.as_deref().and_then(text::plain),
            url: self.url,
            brand: self.brand,
            category: self.category,
            price: chosen.price,
            currency: chosen.currency,
            availability: availability.into_iter().find(|wanted| any(*wanted)),
            images,
            attributes,
            ..Product::default()
        };
        (self.line, Ok(product))
    }
}
