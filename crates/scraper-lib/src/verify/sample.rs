//! A stable choice of images: the same ones each night, as long as they are there.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::{
    source::{Base, Product},
    store::{ImageHash, Store, StoreError, View},
};

/// An image that may be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// As written in the source.
    pub address: String,
    /// Who wrote it.
    pub base: Base,
    /// What its bytes were when they were embedded, where known.
    pub hash: Option<ImageHash>,
}

/// The `size` candidates with the smallest keys; keys are digests, so the choice is fair.
#[derive(Debug)]
pub struct Sample {
    size: usize,
    chosen: BTreeMap<ImageHash, Candidate>,
}

impl Sample {
    pub fn new(size: usize) -> Self {
        Sample { size, chosen: BTreeMap::new() }
    }

    fn add(&mut self, key: ImageHash, candidate: impl FnOnce() -> Candidate) {
        let full = self.chosen.len() >= self.size;
        if full && self.chosen.last_key_value().is_none_or(|(last, _)| *last <= key) {
            return;
        }
        self.chosen.insert(key, candidate());
        if self.chosen.len() > self.size {
            self.chosen.pop_last();
        }
    }

    /// Images of a product that a source tells of.
    pub fn add_product(&mut self, product: &Product, base: &Base) {
        for address in &product.images {
            self.add(Sha256::digest(address).into(), || Candidate {
                address: address.clone(),
                base: base.clone(),
                hash: None,
            });
        }
    }

    /// The images of a store that have a vector.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn add_store(&mut self, store: &dyn Store) -> Result<(), StoreError> {
        let bases: BTreeMap<String, Base> = store.sources()?.into_iter().collect();
        store.rows(&View::default(), &mut |row| {
            self.add(row.hash, || Candidate {
                address: row.image,
                base: bases.get(&row.product.source).cloned().unwrap_or_default(),
                hash: Some(row.hash),
            });
            true
        })
    }

    pub fn into_candidates(self) -> Vec<Candidate> {
        self.chosen.into_values().collect()
    }
}
