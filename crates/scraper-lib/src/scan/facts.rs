//! What filters ask of products, by column, and what names a hit.

use std::collections::HashMap;

use rayon::prelude::*;
use shop_words::flat::{Flat, Numbers, Texts, TextsWriter, Writer};

use crate::{
    source::Product,
    store::{Condition, Filter, ImageHash, Row, value},
};

/// Bytes of an attribute; a filter on a name with a longer one is left to the store.
const LONGEST: usize = 200;
/// The columns of texts that repeat: `source` first.
const COLUMNS: [&str; 6] = ["source", "brand", "category", "currency", "availability", "price"];

/// Sections of the file. Texts take two.
mod section {
    pub(super) const IDS: usize = 0;
    pub(super) const TITLES: usize = 2;
    /// A byte for each product: whether it has a title.
    pub(super) const TITLED: usize = 4;
    /// Different values and, of each product, one more than the number of its value, or 0; three for
    /// each of [`super::COLUMNS`].
    pub(super) const COLUMNS: usize = 5;
    /// Different pairs of name and value.
    pub(super) const NAMES: usize = 23;
    pub(super) const VALUES: usize = 25;
    /// A byte for each pair: whether its value is left out.
    pub(super) const LONG: usize = 27;
    /// Where each product's pairs begin, and the last one's end.
    pub(super) const STARTS: usize = 28;
    pub(super) const PAIRS: usize = 29;
    /// Of each row.
    pub(super) const IMAGES: usize = 30;
    pub(super) const HASHES: usize = 32;
    pub(super) const COUNT: usize = 33;
}

/// Texts that repeat.
#[derive(Default)]
struct Column {
    values: TextsWriter,
    seen: HashMap<Box<str>, u32>,
    of: Vec<u32>,
}

/// Collects the columns.
#[derive(Default)]
pub(super) struct FactsWriter {
    ids: TextsWriter,
    titles: TextsWriter,
    titled: Vec<u8>,
    columns: [Column; 6],
    names: TextsWriter,
    values: TextsWriter,
    long: Vec<u8>,
    seen: HashMap<(Box<str>, Box<str>), u32>,
    starts: Vec<u32>,
    pairs: Vec<u32>,
    images: TextsWriter,
    hashes: Vec<u8>,
}

impl FactsWriter {
    /// Adds the next product.
    pub(super) fn product(&mut self, product: &Product) {
        self.ids.push(&product.id);
        self.titles.push(product.title.as_deref().unwrap_or_default());
        self.titled.push(product.title.is_some().into());
        for (column, name) in self.columns.iter_mut().zip(COLUMNS) {
            let value = value(product, name);
            let number = value.map_or(0, |value| match column.seen.get(&*value) {
                Some(&number) => number,
                None => {
                    column.values.push(&value);
                    let number = column.seen.len() as u32 + 1;
                    column.seen.insert(value.into(), number);
                    number
                }
            });
            column.of.push(number);
        }
        self.starts.push(self.pairs.len() as u32);
        for (name, value) in &product.attributes {
            let long = value.len() > LONGEST;
            let value = if long { "" } else { value };
            // A long one is not the same as an empty one.
            let key = (format!("{}{name}", u8::from(long)).into(), value.into());
            let number = self.seen.len() as u32;
            let number = *self.seen.entry(key).or_insert_with(|| {
                self.names.push(name);
                self.values.push(value);
                self.long.push(long.into());
                number
            });
            self.pairs.push(number);
        }
    }

    /// Adds the next image of the last product.
    pub(super) fn row(&mut self, row: &Row) {
        self.images.push(&row.image);
        self.hashes.extend(row.hash);
    }

    /// The file; `None` if it were too large.
    pub(super) fn finish(mut self) -> Option<Writer> {
        let mut file = Writer::default();
        file.texts(self.ids)?;
        file.texts(self.titles)?;
        file.bytes(self.titled);
        for column in self.columns {
            file.texts(column.values)?;
            file.numbers(column.of);
        }
        file.texts(self.names)?;
        file.texts(self.values)?;
        file.bytes(self.long);
        self.starts.push(self.pairs.len() as u32);
        file.numbers(self.starts);
        file.numbers(self.pairs);
        file.texts(self.images)?;
        file.bytes(self.hashes);
        Some(file)
    }
}

/// The columns, open to be read.
#[derive(Debug)]
pub(crate) struct Facts(Flat);

impl Facts {
    /// `None` if they are damaged.
    pub(super) fn open(
        bytes: impl AsRef<[u8]> + Send + Sync + 'static,
        rows: usize,
        products: usize,
    ) -> Option<Self> {
        let facts = Facts(Flat::open(bytes)?);
        let flat = &facts.0;
        let fits = flat.sections() == section::COUNT
            && flat.texts(section::IDS).len() == products
            && flat.section(section::TITLED).len() == products
            && flat.numbers(section::STARTS).len() == products + 1
            && flat.texts(section::IMAGES).len() == rows
            && flat.section(section::HASHES).len() == 32 * rows;
        fits.then_some(facts)
    }

    /// Source and id of a product.
    pub(crate) fn name(&self, product: u32) -> Option<(&str, &str)> {
        let (values, of) = self.column(0);
        let source = (of.get(product as usize)? as usize).checked_sub(1)?;
        Some((values.get(source)?, self.0.texts(section::IDS).get(product as usize)?))
    }

    /// The number of a product; of the first one, where no source is named.
    pub(crate) fn number(&self, source: Option<&str>, id: &str) -> Option<u32> {
        let ids = self.0.texts(section::IDS);
        let is = |number: u32| {
            let own = self.name(number).map(|(source, _)| source);
            source.is_none_or(|source| own == Some(source))
        };
        let mut found = (0u32..).zip(ids.iter()).filter(|&(_, own)| own == id);
        found.find(|&(number, _)| is(number)).map(|(number, _)| number)
    }

    /// Address of the image of a row.
    pub(crate) fn image(&self, row: u32) -> Option<&str> {
        self.0.texts(section::IMAGES).get(row as usize)
    }

    /// Of the image files, by row.
    pub(super) fn hashes(&self) -> &[ImageHash] {
        self.0.section(section::HASHES).as_chunks().0
    }

    fn column(&self, number: usize) -> (Texts<'_>, Numbers<'_>) {
        let first = section::COLUMNS + 3 * number;
        (self.0.texts(first), self.0.numbers(first + 2))
    }

    /// Whether each product passes the filter. `None` where only the store can tell: of descriptions
    /// and long attributes.
    pub(crate) fn passing(&self, filter: &Filter) -> Option<Vec<bool>> {
        let mut passing = vec![true; self.0.section(section::TITLED).len()];
        for condition in filter.conditions() {
            self.narrow(&mut passing, condition)?;
        }
        Some(passing)
    }

    fn narrow(&self, passing: &mut [bool], condition: &Condition) -> Option<()> {
        match condition.field() {
            "description" => return None,
            "id" => {
                let ids = self.0.texts(section::IDS);
                each(passing, |product| condition.holds(ids.get(product)));
            }
            "title" => {
                let (titles, titled) =
                    (self.0.texts(section::TITLES), self.0.section(section::TITLED));
                let title = |at: usize| titles.get(at).filter(|_| titled.get(at) == Some(&1));
                each(passing, |product| condition.holds(title(product)));
            }
            field => match COLUMNS.iter().position(|&name| name == field) {
                Some(number) => {
                    let (values, of) = self.column(number);
                    let none = condition.holds(None);
                    let holds: Vec<bool> =
                        values.iter().map(|v| condition.holds(Some(v))).collect();
                    let value = |product| Some((of.get(product)? as usize).checked_sub(1)?);
                    each(passing, |product| {
                        let value = value(product).and_then(|value| holds.get(value));
                        value.copied().unwrap_or(none)
                    });
                }
                None => self.narrow_by_attribute(passing, condition)?,
            },
        }
        Some(())
    }

    fn narrow_by_attribute(&self, passing: &mut [bool], condition: &Condition) -> Option<()> {
        let (names, values) = (self.0.texts(section::NAMES), self.0.texts(section::VALUES));
        let long = self.0.section(section::LONG);
        let none = condition.holds(None);
        // Of each pair: none of another name.
        let mut holds: Vec<Option<bool>> = Vec::with_capacity(names.len());
        for (at, name) in names.iter().enumerate() {
            let named = name.to_lowercase() == condition.field();
            if named && long.get(at) == Some(&1) {
                return None;
            }
            holds.push(named.then(|| condition.holds(values.get(at))));
        }
        let (starts, pairs) = (self.0.numbers(section::STARTS), self.0.numbers(section::PAIRS));
        each(passing, |product| {
            let at = |n: usize| starts.get(n).unwrap_or_default() as usize;
            let own = pairs.range(at(product)..at(product + 1));
            let mut known =
                own.iter().filter_map(|pair| holds.get(pair as usize).copied().flatten());
            known.next().unwrap_or(none)
        });
        Some(())
    }
}

/// Takes away the products for which `holds` does not.
fn each(passing: &mut [bool], holds: impl Fn(usize) -> bool + Sync) {
    passing.par_iter_mut().enumerate().with_min_len(4096).for_each(|(product, passes)| {
        *passes = *passes && holds(product);
    });
}
