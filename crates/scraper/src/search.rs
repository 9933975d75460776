//! Exact cosine search over a store.

use std::collections::HashMap;

use clip_core::{Embedding, NormalizedEmbedding};
use serde::Serialize;

use crate::store::{Store, StoreError};

/// A product and its best image for the query.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hit {
    /// Cosine similarity, -1 to 1.
    pub score: f32,
    pub id: String,
    pub title: Option<String>,
    pub url: Option<String>,
    pub image: String,
}

/// The `top` products closest to `query`, best first; equal scores are ordered by id.
///
/// # Errors
/// The store cannot be read, or holds vectors of another length.
pub fn search(
    store: &dyn Store,
    query: &NormalizedEmbedding,
    top: usize,
) -> Result<Vec<Hit>, StoreError> {
    let mut best: HashMap<String, Hit> = HashMap::new();
    let mut odd = None;
    store.rows(&mut |row| {
        if row.values.len() != query.values().len() {
            odd = Some((row.product, row.values.len()));
            return false;
        }
        let score = query.cosine(&Embedding::from_raw(row.values).normalized());
        let hit = Hit { score, id: row.product, title: row.title, url: row.url, image: row.image };
        match best.get_mut(&hit.id) {
            Some(known) if known.score >= hit.score => {}
            Some(known) => *known = hit,
            None => {
                best.insert(hit.id.clone(), hit);
            }
        }
        true
    })?;
    if let Some((product, length)) = odd {
        return Err(StoreError::Damaged(format!("the vector of {product} has {length} values")));
    }
    let mut hits: Vec<Hit> = best.into_values().collect();
    hits.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
    hits.truncate(top);
    Ok(hits)
}
