//! What the storefront shows of products, and what it filters them by.

use serde::Serialize;

use super::{
    columns::{Facets, Words},
    spilled::object,
};
use crate::{
    Error,
    named::{Folder, NewFile, Written},
    report::shown::cut,
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
pub(super) struct Card {
    id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) brand: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) price: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) availability: Option<Availability>,
    /// Row of the first image; the others follow.
    row: usize,
    /// Addresses of the images that have vectors.
    images: Vec<String>,
}

/// Takes rows in the store's order and writes pages.
pub(super) struct Cards<'a> {
    folder: &'a Folder,
    rows: usize,
    products: usize,
    page: Vec<Card>,
    pages: Vec<Written>,
    facets: Facets,
    /// In the order of the groups, not yet closed.
    titles: NewFile<'a>,
    words: Words,
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
    pub(super) fn new(folder: &'a Folder) -> Result<Self, Error> {
        let mut titles = folder.file()?;
        titles.put(b"[")?;
        Ok(Cards {
            folder,
            rows: 0,
            products: 0,
            page: Vec::new(),
            pages: Vec::new(),
            facets: Facets::new(folder)?,
            titles,
            words: Words::new(folder)?,
        })
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
            let written = self.facets.push(&card, row.born);
            let written = written.and_then(|()| self.words.push(&row.product));
            written.map_err(self.folder.error())?;
            let title = card.title.as_deref();
            let title: Option<String> = title.map(|title| title.chars().take(TITLE).collect());
            if self.products > 0 {
                self.titles.put(b",")?;
            }
            self.titles.json(&title)?;
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
        let words = object(self.folder, "words", |to| self.words.write(to))?;
        let facets = object(self.folder, "facets", |to| self.facets.write(to))?;
        self.titles.put(b"]")?;
        let titles = self.titles.finish("titles", "json")?;
        Ok(Finished { products: self.products, facets, titles, words, pages: self.pages })
    }
}

pub(super) fn card(product: &Product, row: usize) -> Card {
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
    file.json(value)?;
    file.finish(part, "json")
}
