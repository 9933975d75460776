//! Writes of one transaction, in order.

use std::collections::BTreeMap;

use super::{ImageHash, ImageKey, StoreError, Write};
use crate::{
    fetch::Validators,
    source::{Base, Product},
};

/// What became of an image.
pub(super) enum Fate<'a> {
    Image { hash: &'a ImageHash, bytes: u64, validators: &'a Validators },
    Unchanged,
    Failure { kind: &'a str, message: &'a str },
}

/// Writes in the order of their keys, which keeps workers out of each other's way; of several for
/// one key the last.
#[derive(Default)]
pub(super) struct Batch<'a> {
    pub(super) sources: BTreeMap<&'a str, &'a Base>,
    pub(super) products: BTreeMap<(&'a str, &'a str), (&'a Product, String)>,
    pub(super) fates: BTreeMap<(&'a str, &'a str, u32, &'a str), Fate<'a>>,
    pub(super) vectors: BTreeMap<&'a ImageHash, &'a [f32]>,
    /// Of damaged files.
    pub(super) damaged: Vec<&'a [u8]>,
    /// Message by source, place and kind.
    pub(super) failures: BTreeMap<(&'a str, &'a str, &'a str), &'a str>,
    /// Source, id before, page and id now.
    pub(super) renamed: Vec<[&'a str; 4]>,
    /// Page and id of products whose page could not be read, by source.
    pub(super) unread: Vec<(&'a str, &'a str, &'a str)>,
}

impl<'a> Batch<'a> {
    pub(super) fn of(writes: &'a [Write]) -> Result<Self, StoreError> {
        let mut batch = Batch::default();
        for write in writes {
            match write {
                Write::Source { name, base } => {
                    batch.sources.insert(name, base);
                }
                Write::Product(product) => {
                    let attributes = super::super::attributes_json(product)?;
                    let key = (product.source.as_str(), product.id.as_str());
                    batch.products.insert(key, (product, attributes));
                }
                Write::Image { key, hash, bytes, validators } => {
                    batch.fate(key, Fate::Image { hash, bytes: *bytes, validators });
                }
                Write::Unchanged { key } => batch.fate(key, Fate::Unchanged),
                Write::Failure { key, kind, message } => {
                    batch.fate(key, Fate::Failure { kind, message });
                }
                Write::Vector { hash, values, damaged } => {
                    batch.vectors.entry(hash).or_insert(values);
                    batch.damaged.extend(damaged.then_some(hash.as_slice()));
                }
                Write::SourceFailure { source, place, kind, message } => {
                    batch.failures.insert((source, place, kind), message);
                }
                Write::Renamed { source, from, page, to } => {
                    batch.renamed.push([source, from, page, to]);
                }
                Write::Unread { source, page, id } => batch.unread.push((source, page, id)),
            }
        }
        Ok(batch)
    }

    fn fate(&mut self, key: &'a ImageKey, fate: Fate<'a>) {
        let ImageKey { source, product, position, address } = key;
        self.fates.insert((source, product, *position, address), fate);
    }
}
