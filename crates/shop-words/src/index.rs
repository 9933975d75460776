//! Words and the products they are found in.

use std::{collections::HashMap, ops::Range};

use crate::{
    Columns, Damaged,
    flat::{Flat, Texts, Writer},
    fold::{key, words},
};

/// Where in a product a word stands: a bit of a set.
pub(crate) mod field {
    pub(crate) const TITLE: u8 = 1;
    pub(crate) const BRAND: u8 = 2;
    pub(crate) const CATEGORY: u8 = 4;
    pub(crate) const ATTRIBUTE: u8 = 8;
    pub(crate) const ID: u8 = 16;
}

/// A product and the fields in which it has a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Posting {
    pub(crate) product: u32,
    pub(crate) fields: u8,
}

/// The words of a catalogue, ready to be searched: columns that are read where they lie.
#[derive(Debug)]
pub struct Index {
    flat: Flat,
}

/// Sections. Texts take two.
mod section {
    /// Sorted.
    pub(super) const TERMS: usize = 0;
    /// Terms without digits: those of ids are many, and nobody slips in them.
    pub(super) const PLAIN: usize = 2;
    /// Where each term's products begin, and the last one's end.
    pub(super) const STARTS: usize = 3;
    pub(super) const PRODUCTS: usize = 4;
    /// A byte for each of these.
    pub(super) const FIELDS: usize = 5;
    /// Ids and codes, sorted.
    pub(super) const KEYS: usize = 6;
    /// Their products.
    pub(super) const KEYED: usize = 8;
    /// Words of each title.
    pub(super) const LENGTHS: usize = 9;
    pub(super) const IDS: usize = 10;
    pub(super) const TITLES: usize = 12;
    /// Different ones, and one more than the number of each product's; 0 for none.
    pub(super) const SOURCES: usize = 14;
    pub(super) const SOURCE: usize = 16;
    /// As for sources.
    pub(super) const BRANDS: usize = 17;
    pub(super) const BRAND: usize = 19;
    pub(super) const COUNT: usize = 20;
}

impl Index {
    /// Takes products apart.
    ///
    /// # Errors
    /// Columns of different lengths.
    pub fn new(columns: Columns) -> Result<Self, Damaged> {
        columns.check()?;
        let mut numbers: HashMap<String, u32> = HashMap::new();
        let mut found: Vec<(u32, Posting)> = Vec::new();
        let mut keys = Vec::new();
        let mut lengths = Vec::new();
        // Brands, categories and values of attributes repeat.
        let mut taken: HashMap<&str, Vec<u32>> = HashMap::new();
        for at in 0..columns.len() {
            let product = u32::try_from(at).map_err(|_| Damaged::TOO_MANY)?;
            let mut term = |word: String| {
                let next = numbers.len() as u32;
                *numbers.entry(word).or_insert(next)
            };
            let of = columns.product(at);
            for text in columns.codes(at).chain([of.id]) {
                let key = key(text);
                if !key.is_empty() {
                    keys.push((key.into_boxed_str(), product));
                }
                for word in words(text) {
                    found.push((term(word.text), Posting { product, fields: field::ID }));
                }
            }
            lengths.push(0);
            for word in words(of.title.unwrap_or_default()) {
                if let Some(length) = lengths.last_mut() {
                    *length += u32::from(!word.joined);
                }
                found.push((term(word.text), Posting { product, fields: field::TITLE }));
            }
            let brand = of.brand.map(|text| (text, field::BRAND));
            let category = of.category.map(|text| (text, field::CATEGORY));
            let attributes = of.attributes.iter().map(|&(_, text)| (text, field::ATTRIBUTE));
            for (text, fields) in brand.into_iter().chain(category).chain(attributes) {
                let terms = taken.entry(text).or_insert_with(|| {
                    words(text).into_iter().map(|word| term(word.text)).collect()
                });
                found.extend(terms.iter().map(|&term| (term, Posting { product, fields })));
            }
        }
        drop(taken);
        keys.sort_unstable();
        let mut terms: Vec<(Box<str>, u32)> =
            numbers.into_iter().map(|(text, number)| (text.into_boxed_str(), number)).collect();
        terms.sort_unstable();
        let mut place = vec![0u32; terms.len()];
        for (at, (_, number)) in (0u32..).zip(&terms) {
            if let Some(place) = place.get_mut(*number as usize) {
                *place = at;
            }
        }
        for (term, _) in &mut found {
            *term = place.get(*term as usize).copied().unwrap_or_default();
        }
        found.sort_unstable();
        found.dedup_by(|next, kept| {
            let same = next.0 == kept.0 && next.1.product == kept.1.product;
            if same {
                kept.1.fields |= next.1.fields;
            }
            same
        });
        let mut starts = vec![0u32; terms.len() + 1];
        for (term, _) in &found {
            if let Some(count) = starts.get_mut(*term as usize + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let plain = (0..).zip(&terms).filter(|(_, (text, _))| !text.chars().any(char::is_numeric));
        let plain: Vec<u32> = plain.map(|(term, _)| term).collect();
        let mut flat = Writer::default();
        let texts = |flat: &mut Writer, texts| flat.texts(texts).ok_or(Damaged::TOO_MANY);
        texts(&mut flat, terms.iter().map(|(text, _)| &**text).collect())?;
        drop(terms);
        flat.numbers(plain);
        flat.numbers(starts);
        flat.numbers(found.iter().map(|(_, posting)| posting.product));
        flat.bytes(found.iter().map(|(_, posting)| posting.fields).collect());
        drop(found);
        texts(&mut flat, keys.iter().map(|(key, _)| &**key).collect())?;
        flat.numbers(keys.into_iter().map(|(_, product)| product));
        flat.numbers(lengths);
        let products = || (0..columns.len()).map(|at| columns.product(at));
        texts(&mut flat, products().map(|product| product.id).collect())?;
        texts(&mut flat, products().map(|product| product.title.unwrap_or_default()).collect())?;
        for column in [columns.sources(), columns.brands()] {
            texts(&mut flat, column.values().iter().map(String::as_str).collect())?;
            let of = |at| column.number(at).map_or(0, |number| number as u32 + 1);
            flat.numbers((0..columns.len()).map(of));
        }
        drop(columns);
        Index::open(flat.finish().collect::<Vec<_>>().concat())
    }

    /// Opens what [`Index::bytes`] gave.
    ///
    /// # Errors
    /// It is something else, or not whole.
    pub fn open(bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self, Damaged> {
        let index = Index { flat: Flat::open(bytes).ok_or(Damaged::DAMAGED)? };
        let (flat, products) = (&index.flat, index.products());
        let postings = flat.numbers(section::PRODUCTS).len();
        let fits = flat.sections() == section::COUNT
            && flat.numbers(section::STARTS).len() == index.terms().len() + 1
            && flat.section(section::FIELDS).len() == postings
            && flat.numbers(section::KEYED).len() == flat.texts(section::KEYS).len()
            && flat.numbers(section::LENGTHS).len() == products
            && flat.texts(section::TITLES).len() == products
            && flat.numbers(section::SOURCE).len() == products
            && flat.numbers(section::BRAND).len() == products;
        fits.then_some(index).ok_or(Damaged::DAMAGED)
    }

    /// The columns, for a file of them; see [`crate::flat`].
    pub fn bytes(&self) -> &[u8] {
        self.flat.bytes()
    }

    /// Number of products.
    pub fn products(&self) -> usize {
        self.flat.texts(section::IDS).len()
    }

    /// The number of a product.
    pub fn product(&self, source: Option<&str>, id: &str) -> Option<u32> {
        let sources = self.flat.texts(section::SOURCES);
        let of = self.flat.numbers(section::SOURCE);
        let is = |at: usize| {
            let number = of.get(at).unwrap_or_default() as usize;
            let own = number.checked_sub(1).and_then(|number| sources.get(number));
            source.is_none_or(|source| own.unwrap_or_default() == source)
        };
        let ids = self.flat.texts(section::IDS);
        let found = (0u32..).zip(ids.iter()).find(|&(at, own)| own == id && is(at as usize));
        found.map(|(at, _)| at)
    }

    /// The title of a product; empty where it has none.
    pub(crate) fn title(&self, product: u32) -> &str {
        self.flat.texts(section::TITLES).get(product as usize).unwrap_or_default()
    }

    /// Words of a product's title.
    pub(crate) fn length(&self, product: u32) -> usize {
        self.flat.numbers(section::LENGTHS).get(product as usize).unwrap_or_default() as usize
    }

    /// All brands.
    pub(crate) fn brands(&self) -> Texts<'_> {
        self.flat.texts(section::BRANDS)
    }

    /// The number of a product's brand.
    pub(crate) fn brand(&self, product: u32) -> Option<usize> {
        let number = self.flat.numbers(section::BRAND).get(product as usize)?;
        (number as usize).checked_sub(1)
    }

    fn terms(&self) -> Texts<'_> {
        self.flat.texts(section::TERMS)
    }

    /// The products of a term, in their order.
    pub(crate) fn postings(&self, term: u32) -> impl Iterator<Item = Posting> + use<'_> {
        let starts = self.flat.numbers(section::STARTS);
        let at = |n: usize| starts.get(n).unwrap_or_default() as usize;
        let range = at(term as usize)..at(term as usize + 1);
        let fields = self.flat.section(section::FIELDS).get(range.clone()).unwrap_or_default();
        let products = self.flat.numbers(section::PRODUCTS).range(range);
        products.iter().zip(fields).map(|(product, &fields)| Posting { product, fields })
    }

    /// The terms without digits, with their numbers.
    pub(crate) fn plain(&self) -> impl Iterator<Item = (u32, &str)> {
        let terms = self.terms();
        let plain = self.flat.numbers(section::PLAIN).iter();
        plain.filter_map(move |term| Some((term, terms.get(term as usize)?)))
    }

    /// The number of a term.
    pub(crate) fn term(&self, text: &str) -> Option<u32> {
        let terms = self.terms();
        let at = terms.partition_point(|term| term < text);
        (terms.get(at)? == text).then(|| u32::try_from(at).ok()).flatten()
    }

    /// The terms that begin with `text`.
    pub(crate) fn beginning(&self, text: &str) -> Range<u32> {
        let terms = self.terms();
        let from = terms.partition_point(|term| term < text);
        let to = terms.partition_point(|term| term < text || term.starts_with(text));
        from as u32..to as u32
    }

    /// The products whose id or code is `text`.
    pub(crate) fn named(&self, text: &str) -> impl Iterator<Item = u32> {
        let key = key(text);
        let keys = self.flat.texts(section::KEYS);
        let from = keys.partition_point(|known| known < key.as_str());
        let products = self.flat.numbers(section::KEYED);
        let same = move |at: &usize| keys.get(*at) == Some(key.as_str());
        (from..products.len()).take_while(same).filter_map(move |at| products.get(at))
    }
}
