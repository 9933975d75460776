//! Words and the products they are found in.

use std::{collections::HashMap, ops::Range};

use crate::{
    Columns, Damaged,
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

/// The words of a catalogue, ready to be searched.
#[derive(Debug)]
pub struct Index {
    pub(crate) columns: Columns,
    /// Sorted.
    pub(crate) terms: Vec<Box<str>>,
    /// Of each term, and one more.
    starts: Vec<u32>,
    postings: Vec<Posting>,
    /// Ids and codes, sorted, with their products.
    keys: Vec<(Box<str>, u32)>,
    /// Terms without digits: those of ids are many, and nobody slips in them.
    pub(crate) plain: Vec<u32>,
    /// Words of each title.
    pub(crate) lengths: Vec<u32>,
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
        let plain = plain.map(|(term, _)| term).collect();
        Ok(Index {
            columns,
            plain,
            terms: terms.into_iter().map(|(text, _)| text).collect(),
            starts,
            postings: found.into_iter().map(|(_, posting)| posting).collect(),
            keys,
            lengths,
        })
    }

    /// Number of products.
    pub fn products(&self) -> usize {
        self.columns.len()
    }

    /// The number of a product.
    pub fn product(&self, source: Option<&str>, id: &str) -> Option<u32> {
        let is = |at: &u32| {
            let product = self.columns.product(*at as usize);
            product.id == id && source.is_none_or(|source| product.source == source)
        };
        (0..u32::try_from(self.products()).unwrap_or(u32::MAX)).find(is)
    }

    /// The products of a term, in their order.
    pub(crate) fn postings(&self, term: u32) -> &[Posting] {
        let at = |n: usize| self.starts.get(n).map_or(0, |&start| start as usize);
        let term = term as usize;
        self.postings.get(at(term)..at(term + 1)).unwrap_or_default()
    }

    /// The terms without digits, with their numbers.
    pub(crate) fn plain(&self) -> impl Iterator<Item = (u32, &str)> {
        self.plain.iter().filter_map(|&term| Some((term, &**self.terms.get(term as usize)?)))
    }

    /// The number of a term.
    pub(crate) fn term(&self, text: &str) -> Option<u32> {
        let at = self.terms.binary_search_by(|term| (**term).cmp(text)).ok()?;
        u32::try_from(at).ok()
    }

    /// The terms that begin with `text`.
    pub(crate) fn beginning(&self, text: &str) -> Range<u32> {
        let from = self.terms.partition_point(|term| **term < *text);
        let rest = self.terms.get(from..).unwrap_or_default();
        let count = rest.partition_point(|term| term.starts_with(text));
        from as u32..(from + count) as u32
    }

    /// The products whose id or code is `text`.
    pub(crate) fn named(&self, text: &str) -> impl Iterator<Item = u32> {
        let key = key(text);
        let from = self.keys.partition_point(|(known, _)| **known < *key);
        let rest = self.keys.get(from..).unwrap_or_default().iter();
        rest.take_while(move |(known, _)| **known == *key).map(|&(_, product)| product)
    }
}
