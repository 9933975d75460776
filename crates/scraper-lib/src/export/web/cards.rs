//! What the storefront shows of products, and what it filters them by.

use std::collections::HashMap;

use serde::Serialize;
use shop_words::Columns;

use crate::{
    Error,
    named::{Folder, Written},
    report::shown::cut,
    search::push,
    source::{Availability, Product},
    store::Row,
};

/// Products of a page: some 30 KB.
pub(super) const PER_PAGE: usize = 128;
/// Characters of a title that older clients match.
const TITLE: usize = 200;
/// Characters of a title, a brand or a category that are shown.
const SHOWN: usize = 1000;

/// One product. Unknown fields are left out.
#[derive(Debug, Serialize)]
struct Card {
    id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    brand: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    availability: Option<Availability>,
    /// Row of the first image; the others follow.
    row: usize,
    /// Addresses of the images that have vectors.
    images: Vec<String>,
}

/// A column of repeated texts: `values[of[product]]`, null where it is not known.
#[derive(Debug, Default, Serialize)]
struct Column {
    values: Vec<String>,
    of: Vec<Option<usize>>,
    #[serde(skip)]
    seen: HashMap<String, usize>,
}

impl Column {
    fn push(&mut self, value: Option<&str>) {
        let index = value.map(|value| {
            *self.seen.entry(value.to_owned()).or_insert_with(|| {
                self.values.push(value.to_owned());
                self.values.len() - 1
            })
        });
        self.of.push(index);
    }
}

/// One entry per product, in the order of the groups.
#[derive(Debug, Default, Serialize)]
struct Facets {
    category: Column,
    brand: Column,
    currency: Column,
    price: Vec<Option<f64>>,
    availability: Vec<Option<Availability>>,
    /// Numbers of the runs that first saw them, where these differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    listed: Vec<Option<i64>>,
}

/// Takes rows in the store's order and writes pages.
pub(super) struct Cards<'a> {
    folder: &'a Folder,
    rows: usize,
    products: usize,
    page: Vec<Card>,
    pages: Vec<Written>,
    facets: Facets,
    /// In the order of the groups.
    titles: Vec<Option<String>>,
    words: Columns,
}

/// What [`Cards::finish`] wrote.
pub(super) struct Finished {
    pub(super) products: usize,
    pub(super) facets: Written,
    pub(super) titles: Written,
    pub(super) words: Written,
    pub(super) pages: Vec<Written>,
}

impl<'a> Cards<'a> {
    pub(super) fn new(folder: &'a Folder) -> Self {
        Cards {
            folder,
            rows: 0,
            products: 0,
            page: Vec::new(),
            pages: Vec::new(),
            facets: Facets::default(),
            titles: Vec::new(),
            words: Columns::default(),
        }
    }

    /// Whether the row is of the same product as the one before.
    pub(super) fn add(&mut self, row: &Row) -> Result<bool, Error> {
        let same = self
            .page
            .last()
            .is_some_and(|last| last.id == row.product.id && last.source == row.product.source);
        if !same {
            if self.page.len() == PER_PAGE {
                self.write_page()?;
            }
            let card = card(&row.product, self.rows);
            self.facets.category.push(card.category.as_deref());
            self.facets.brand.push(card.brand.as_deref());
            self.facets.currency.push(card.currency.as_deref());
            self.facets.price.push(card.price);
            self.facets.availability.push(card.availability);
            self.facets.listed.push(Some(row.born).filter(|&run| run > 0));
            push(&mut self.words, &row.product);
            let title = card.title.as_deref().map(|title| title.chars().take(TITLE).collect());
            self.titles.push(title);
            self.page.push(card);
            self.products += 1;
        }
        if let Some(card) = self.page.last_mut() {
            card.images.push(row.image.clone());
        }
        self.rows += 1;
        Ok(same)
    }

    fn write_page(&mut self) -> Result<(), Error> {
        let page = std::mem::take(&mut self.page);
        let written = json(self.folder, &format!("cards-{:04}", self.pages.len()), &page)?;
        self.pages.push(written);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Finished, Error> {
        self.write_page()?;
        let listed = &mut self.facets.listed;
        if listed.iter().all(|run| Some(run) == listed.first()) {
            listed.clear();
        }
        let words = json(self.folder, "words", &self.words)?;
        let facets = json(self.folder, "facets", &self.facets)?;
        let titles = json(self.folder, "titles", &self.titles)?;
        Ok(Finished { products: self.products, facets, titles, words, pages: self.pages })
    }
}

fn card(product: &Product, row: usize) -> Card {
    let Product { id, source, title, url, brand, category, price, currency, availability, .. } =
        product.clone();
    let short = |text: Option<String>| text.map(|text| cut(text.into(), SHOWN).into_owned());
    let (title, brand, category) = (short(title), short(brand), short(category));
    Card {
        id,
        source,
        title,
        url,
        brand,
        category,
        price,
        currency,
        availability,
        row,
        images: Vec::new(),
    }
}

fn json(folder: &Folder, part: &str, value: &impl Serialize) -> Result<Written, Error> {
    let mut file = folder.file()?;
    file.write(&serde_json::to_vec(value).map_err(|e| Error::Internal(e.to_string()))?)?;
    file.finish(part, "json")
}
