//! What the words of a catalogue are: the file that the storefront loads first.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::Product;

/// Characters of a title, a brand or a category that are searched.
const LONGEST: usize = 200;
/// Characters of an attribute; what is longer is prose.
const ATTRIBUTE: usize = 100;
/// Attributes of a product.
const ATTRIBUTES: usize = 32;
/// Attributes that name a product as its id does.
const CODES: [&str; 12] = [
    "sku",
    "mpn",
    "gtin",
    "gtin8",
    "gtin12",
    "gtin13",
    "gtin14",
    "ean",
    "upc",
    "isbn",
    "barcode",
    "productid",
];

/// The products' texts by column, in the order of their numbers. As JSON it is what
/// [`Index`](crate::Index) is made of, natively as in the browser.
///
/// ```
/// use shop_words::{Columns, Product};
///
/// let mut columns = Columns::default();
/// columns.push(&Product { id: "D-1", title: Some("Red dress"), ..Product::default() });
/// let json = serde_json::to_string(&columns)?;
/// assert_eq!(json, r#"{"version":1,"id":["D-1"],"title":["Red dress"]}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Columns {
    version: u32,
    /// Empty in exports of older versions.
    #[serde(default)]
    id: Vec<String>,
    title: Vec<Option<String>>,
    #[serde(default, skip_serializing_if = "Column::is_empty")]
    source: Column,
    #[serde(default, skip_serializing_if = "Column::is_empty")]
    brand: Column,
    #[serde(default, skip_serializing_if = "Column::is_empty")]
    category: Column,
    #[serde(default, skip_serializing_if = "Lists::is_empty")]
    attributes: Lists,
    #[serde(default, skip_serializing_if = "Lists::is_empty")]
    codes: Lists,
}

impl Default for Columns {
    fn default() -> Self {
        Columns {
            version: Columns::VERSION,
            id: Vec::new(),
            title: Vec::new(),
            source: Column::default(),
            brand: Column::default(),
            category: Column::default(),
            attributes: Lists::default(),
            codes: Lists::default(),
        }
    }
}

/// Columns that do not fit together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged(&'static str);

impl Damaged {
    pub(crate) const DAMAGED: Damaged = Damaged("is damaged");
    pub(crate) const TOO_MANY: Damaged = Damaged("has more products than can be counted");
}

impl std::fmt::Display for Damaged {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "the file of words {}: export the catalogue again", self.0)
    }
}

impl std::error::Error for Damaged {}

/// Repeated texts: `values[of[product]]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Column {
    values: Vec<String>,
    of: Vec<Option<u32>>,
    #[serde(skip)]
    seen: HashMap<String, u32>,
}

/// Several repeated texts per product.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Lists {
    values: Vec<String>,
    of: Vec<Vec<u32>>,
    #[serde(skip)]
    seen: HashMap<String, u32>,
}

/// The number of a value, which may be new.
fn number(values: &mut Vec<String>, seen: &mut HashMap<String, u32>, value: &str) -> u32 {
    if let Some(&at) = seen.get(value) {
        return at;
    }
    let at = u32::try_from(values.len()).unwrap_or(u32::MAX);
    values.push(value.to_owned());
    seen.insert(value.to_owned(), at);
    at
}

impl Column {
    fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn push(&mut self, value: Option<&str>) {
        let at = value.map(|value| number(&mut self.values, &mut self.seen, value));
        self.of.push(at);
    }

    pub(crate) fn get(&self, product: usize) -> Option<&str> {
        self.values.get(self.number(product)?).map(String::as_str)
    }

    /// The number of a product's value.
    pub(crate) fn number(&self, product: usize) -> Option<usize> {
        Some((*self.of.get(product)?)? as usize)
    }

    pub(crate) fn values(&self) -> &[String] {
        &self.values
    }

    fn fits(&self, products: usize) -> bool {
        let known = |at: &Option<u32>| at.is_none_or(|at| (at as usize) < self.values.len());
        (self.is_empty() || self.of.len() == products) && self.of.iter().all(known)
    }
}

impl Lists {
    fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn push<'a>(&mut self, list: impl Iterator<Item = &'a str>) {
        let list = list.map(|value| number(&mut self.values, &mut self.seen, value)).collect();
        self.of.push(list);
    }

    pub(crate) fn get(&self, product: usize) -> impl Iterator<Item = &str> {
        let list = self.of.get(product).map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(|&at| self.values.get(at as usize)).map(String::as_str)
    }

    fn fits(&self, products: usize) -> bool {
        let known = |at: &u32| (*at as usize) < self.values.len();
        (self.is_empty() || self.of.len() == products) && self.of.iter().flatten().all(known)
    }
}

fn cut(text: &str, most: usize) -> &str {
    let end = text.char_indices().nth(most).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

/// Whether an attribute of this name is a code: `gtin`, `SKU`, `g:gtin`, `Product ID`.
fn is_code(name: &str) -> bool {
    let name = name.rsplit(':').next().unwrap_or(name);
    let key = crate::fold::key(name);
    CODES.contains(&key.as_str())
}

/// What the columns hold of a product: what is longer than a shop's title is cut; attributes that are
/// prose or addresses are left out. For those who write the columns themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Product")]
pub struct Texts<'a> {
    pub id: &'a str,
    pub title: Option<&'a str>,
    pub source: Option<&'a str>,
    pub brand: Option<&'a str>,
    pub category: Option<&'a str>,
    /// Values that are no codes.
    pub attributes: Vec<&'a str>,
    /// Values that name the product as its id does.
    pub codes: Vec<&'a str>,
}

impl<'a> From<&Product<'a>> for Texts<'a> {
    fn from(product: &Product<'a>) -> Self {
        let short = |value: &str| !value.contains("://") && value.chars().nth(ATTRIBUTE).is_none();
        let (codes, others): (Vec<_>, Vec<_>) = product
            .attributes
            .iter()
            .copied()
            .filter(|(_, value)| !value.is_empty() && short(value))
            .partition(|(name, _)| is_code(name));
        Texts {
            id: product.id,
            title: product.title.map(|title| cut(title, LONGEST)),
            source: Some(product.source).filter(|source| !source.is_empty()),
            brand: product.brand.map(|brand| cut(brand, LONGEST)),
            category: product.category.map(|category| cut(category, LONGEST)),
            attributes: others.into_iter().take(ATTRIBUTES).map(|(_, value)| value).collect(),
            codes: codes.into_iter().map(|(_, value)| value).collect(),
        }
    }
}

impl Columns {
    /// Of the format.
    pub const VERSION: u32 = 1;

    /// Adds the next product, of which they hold [`Texts`].
    pub fn push(&mut self, product: &Product<'_>) {
        let Texts { id, title, source, brand, category, attributes, codes } = product.into();
        self.id.push(id.to_owned());
        self.title.push(title.map(str::to_owned));
        self.source.push(source);
        self.brand.push(brand);
        self.category.push(category);
        self.attributes.push(attributes.into_iter());
        self.codes.push(codes.into_iter());
    }

    /// Products.
    pub fn len(&self) -> usize {
        self.title.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.title.is_empty()
    }

    /// Refuses columns of different lengths.
    pub(crate) fn check(&self) -> Result<(), Damaged> {
        let n = self.title.len();
        if self.version != Self::VERSION {
            return Err(Damaged("has a version that this program does not read"));
        }
        let ids = self.id.is_empty() || self.id.len() == n;
        let columns = [&self.source, &self.brand, &self.category].iter().all(|c| c.fits(n));
        match ids && columns && self.attributes.fits(n) && self.codes.fits(n) {
            true => Ok(()),
            false => Err(Damaged::DAMAGED),
        }
    }

    /// A product by its number. Its attributes have lost their names.
    pub(crate) fn product(&self, at: usize) -> Product<'_> {
        Product {
            source: self.source.get(at).unwrap_or_default(),
            id: self.id.get(at).map(String::as_str).unwrap_or_default(),
            title: self.title.get(at).and_then(Option::as_deref),
            brand: self.brand.get(at),
            category: self.category.get(at),
            attributes: self.attributes.get(at).map(|value| ("", value)).collect(),
        }
    }

    pub(crate) fn sources(&self) -> &Column {
        &self.source
    }

    pub(crate) fn brands(&self) -> &Column {
        &self.brand
    }

    pub(crate) fn codes(&self, at: usize) -> impl Iterator<Item = &str> {
        self.codes.get(at)
    }
}
