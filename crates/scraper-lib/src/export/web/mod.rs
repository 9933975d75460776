//! A folder for any static host: the catalogue as the storefront searches it.
//!
//! | file | what it holds |
//! |---|---|
//! | `manifest.json` | provenance, sizes, and the names and digests of the other files |
//! | `scan-….safetensors` | int8 codes of all vectors ([`clip_core::index`]) |
//! | `exact-….safetensors` | the vectors themselves, row by row from byte `data` on |
//! | `facets-….json` | category, brand, price and availability of every product, for filters |
//! | `words-….json` | what is searched of the products' texts ([`shop_words::Columns`]): it is loaded first |
//! | `titles-….json` | the beginning of every title, for clients of older versions |
//! | `cards-NNNN-….json` | what is shown of a product, in pages |
//!
//! The manifest's `relevance` holds the floor that was learned ([`crate::relevance`]), where the model's text
//! tower was there; without it a text finds by meaning whatever is nearest.
//!
//! Addresses of products and pictures are those of the source; a relative one means the folder
//! itself, so a feed's pictures can lie beside the files.
//!
//! Names carry the digest of their content, so they may be cached for ever; the manifest is
//! replaced at the end, in one step. Files of the export before stay, for pages that still use its
//! manifest; older ones are removed.

mod cards;
mod columns;
mod spilled;
mod vectors;

use std::{collections::BTreeSet, fs, path::Path};

use clip_core::{Provenance, index::EXACT_HEADER};
use serde::{Deserialize, Serialize};

use crate::{
    Error,
    named::{Folder, Kinds, MANIFEST, Written},
    relevance::{Learner, Relevance},
    store::{Store, View},
};
use cards::{Finished, PER_PAGE};
use vectors::Vectors;

/// `manifest.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: String,
    version: u32,
    provenance: Provenance,
    /// Values of a vector.
    dim: usize,
    /// Vectors.
    rows: usize,
    products: usize,
    scan: Written,
    exact: Written,
    /// Offset of the first row in the exact file.
    data: usize,
    facets: Written,
    titles: Written,
    /// Exports of older versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    words: Option<Written>,
    /// What a text must reach to be found by meaning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    relevance: Option<Relevance>,
    cards_per_page: usize,
    cards: Vec<Written>,
}

impl Manifest {
    fn files(&self) -> impl Iterator<Item = &Written> {
        let always = [&self.scan, &self.exact, &self.facets, &self.titles];
        always.into_iter().chain(&self.words).chain(&self.cards)
    }
}

const KINDS: Kinds = &[
    ("scan", "safetensors"),
    ("exact", "safetensors"),
    ("facets", "json"),
    ("words", "json"),
    ("titles", "json"),
    ("cards", "json"),
];
const FORMAT: &str = "clip-catalogue";
const VERSION: u32 = 1;

/// Writes the vectors of `view` with their products into the folder `out`. `learner` takes in the
/// vectors and gives the floor of relevance. Returns the number of vectors.
///
/// # Errors
/// The store cannot be read or holds nothing, or the folder cannot be written.
pub fn web(
    store: &dyn Store,
    view: &View,
    mut learner: Option<Learner>,
    out: &Path,
) -> Result<usize, Error> {
    let Some(provenance) = store.provenance()? else {
        return Err(Error::Usage("the store is empty: there is nothing to export".into()));
    };
    let folder = Folder::open(out, KINDS)?;
    let written = match vectors::from_scan(store, view, &mut learner, &folder)? {
        Some(written) => written,
        None => vectors::from_store(store, view, learner, &folder, &provenance)?,
    };
    let Vectors { rows, dim, scan, exact, relevance, cards } = written;
    let Finished { products, facets, titles, words, pages } = cards.finish()?;
    let manifest = Manifest {
        format: FORMAT.into(),
        version: VERSION,
        dim,
        rows,
        products,
        scan,
        exact,
        data: EXACT_HEADER,
        facets,
        titles,
        words: Some(words),
        relevance,
        cards_per_page: PER_PAGE,
        cards: pages,
        provenance,
    };
    let json = serde_json::to_vec(&manifest).map_err(|e| Error::Internal(e.to_string()))?;
    let before = fs::read(folder.path(MANIFEST)).ok();
    let before: Option<Manifest> = before.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let files = before.iter().flat_map(Manifest::files).chain(manifest.files());
    let kept: BTreeSet<&str> = files.map(|written| written.file.as_str()).collect();
    folder.publish(&json, &kept)?;
    Ok(rows)
}
