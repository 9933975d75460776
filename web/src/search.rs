//! A catalogue: its codes, the exact vectors that have come so far, and searches that wait for
//! more of them.

use clip_core::{
    NormalizedEmbedding, Provenance,
    index::{Index, IndexError},
};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::Failure;

/// Rows asked for besides those that the hits need at least, so that few rounds are enough.
const AHEAD: usize = 16;

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Self {
        Failure::new(error.kind(), error)
    }
}

fn parsed(provenance: &str) -> Result<Provenance, Failure> {
    serde_json::from_str(provenance).map_err(|e| Failure::new("input", e))
}

/// Whether vectors of the provenance `query` may be searched for among those of `index` (JSON, as in
/// manifests and exports).
///
/// # Errors
/// Another model, preprocessing or version of the numeric contract; no provenance.
#[wasm_bindgen]
pub fn accepts(index: &str, query: &str) -> Result<(), Failure> {
    Ok(clip_core::index::accepts(&parsed(index)?, &parsed(query)?)?)
}

/// An open catalogue.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Catalogue {
    index: Index,
    /// By row, verified.
    exact: Vec<Option<Box<[f32]>>>,
}

#[wasm_bindgen]
impl Catalogue {
    /// Takes a scan file of `scraper export --format web`.
    ///
    /// # Errors
    /// A damaged file, or one of another version.
    #[wasm_bindgen(constructor)]
    pub fn new(scan: Vec<u8>) -> Result<Catalogue, Failure> {
        let index = Index::parse(scan)?;
        let exact = vec![None; index.rows()];
        Ok(Catalogue { index, exact })
    }

    /// Number of vectors.
    #[wasm_bindgen(getter)]
    pub fn rows(&self) -> usize {
        self.index.rows()
    }

    /// Number of products.
    #[wasm_bindgen(getter)]
    pub fn products(&self) -> usize {
        self.index.groups()
    }

    /// Values of a vector.
    #[wasm_bindgen(getter)]
    pub fn dim(&self) -> usize {
        self.index.dim()
    }

    /// The rows of a product's images.
    #[wasm_bindgen(js_name = rowsOf)]
    pub fn rows_of(&self, product: u32) -> Vec<u32> {
        self.index.rows_of(product).collect()
    }

    /// A row that has come.
    pub fn row(&self, row: u32) -> Option<Vec<f32>> {
        self.exact.get(row as usize).and_then(|row| row.as_ref()).map(|row| row.to_vec())
    }

    /// Takes rows of the exact file, `ids` and as many vectors of little-endian f32. Gives the numbers
    /// of those that are not what the scan file says.
    #[wasm_bindgen(js_name = addRows)]
    pub fn add_rows(&mut self, ids: &[u32], vectors: &[u8]) -> Vec<u32> {
        let mut wrong = Vec::new();
        let mut vectors = vectors.chunks(4 * self.index.dim());
        for &row in ids {
            let values: Vec<f32> = floats(vectors.next().unwrap_or_default());
            match self.exact.get_mut(row as usize) {
                Some(place) if self.index.is_row(row as usize, &values) => {
                    *place = Some(values.into());
                }
                _ => wrong.push(row),
            }
        }
        wrong
    }

    /// Begins to search for the `top` products nearest to a vector of unit length, among those with
    /// a byte that is not 0 in `allowed` (all, if there is none).
    ///
    /// # Errors
    /// A query of another length, or not of unit length.
    pub fn search(
        &self,
        query: Vec<f32>,
        top: usize,
        allowed: Option<Vec<u8>>,
    ) -> Result<Search, Failure> {
        let query = NormalizedEmbedding::from_unit(query);
        let fits = |group: u32| {
            let of = |allowed: &Vec<u8>| allowed.get(group as usize).is_some_and(|&a| a != 0);
            allowed.as_ref().is_none_or(of)
        };
        Ok(Search { top, search: self.index.search(&query, top, fits)? })
    }

    /// Goes on with a search. Gives the rows that it needs, and none at its end: then it has its
    /// hits.
    ///
    /// # Errors
    /// A vector that is not of unit length.
    pub fn advance(&self, search: &mut Search) -> Result<Vec<u32>, Failure> {
        let exact = |row: u32| self.exact.get(row as usize).and_then(Option::as_deref);
        let Search { top, search } = search;
        loop {
            let next = search.wanted(1).next();
            let Some(row) = next else { return Ok(Vec::new()) };
            let Some(values) = exact(row) else {
                let ahead = search.wanted(top.saturating_add(AHEAD));
                return Ok(ahead.filter(|&row| exact(row).is_none()).collect());
            };
            search.rescore(values)?;
        }
    }
}

/// A search that may wait for rows; see [`Catalogue::advance`].
#[wasm_bindgen]
#[derive(Debug)]
pub struct Search {
    top: usize,
    search: clip_core::index::Search,
}

/// The hits, best first, when it has ended.
#[wasm_bindgen]
impl Search {
    /// Their numbers.
    #[wasm_bindgen(getter)]
    pub fn products(&self) -> Vec<u32> {
        self.search.hits().iter().map(|hit| hit.group).collect()
    }

    /// The row of each product's image that fits best.
    #[wasm_bindgen(getter)]
    pub fn rows(&self) -> Vec<u32> {
        self.search.hits().iter().map(|hit| hit.row).collect()
    }

    /// How many of them lie above the catalogue's floor of relevance: the first ones.
    pub fn above(&self, floor: f32) -> usize {
        self.search.above(floor)
    }

    /// Cosine similarities, in the bits of an exact search.
    #[wasm_bindgen(getter)]
    pub fn scores(&self) -> Vec<f32> {
        self.search.hits().iter().map(|hit| hit.score).collect()
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
}
