//! Exact cosine search over a store.

use std::cmp::Ordering;

use clip_core::{Embedding, NormalizedEmbedding};
use serde::Serialize;

use super::{error::StoreError, row::Row};
use crate::source::{Facts, Product, publish};

/// A product and its best image for the query.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hit {
    /// Cosine similarity, -1 to 1.
    pub score: f32,
    /// Address of the image.
    pub image: String,
    /// Without its list of images.
    #[serde(flatten, serialize_with = "facts")]
    pub product: Product,
}

fn facts<S: serde::Serializer>(product: &Product, to: S) -> Result<S::Ok, S::Error> {
    Facts::of(product).serialize(to)
}

impl Hit {
    /// Addresses as they may be shown: without passwords.
    pub fn publish(&mut self) {
        publish(&mut self.image, &mut self.product);
    }

    /// Best first; equal scores by source and id.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let (a, b) = (&self.product, &other.product);
        let name = (&a.source, &a.id).cmp(&(&b.source, &b.id));
        other.score.total_cmp(&self.score).then(name)
    }
}

/// Yields rows, those of a product together and by position, until the visitor returns false.
pub(crate) type Rows<'a> = &'a mut dyn FnMut(&mut dyn FnMut(Row) -> bool) -> Result<(), StoreError>;

/// The `top` products among `rows` that are closest to `query`. Of images of a product with equal
/// scores the first counts.
///
/// # Errors
/// Those of `rows`; vectors of another length than the query's.
pub(crate) fn scan(
    query: &NormalizedEmbedding,
    top: usize,
    rows: Rows<'_>,
) -> Result<Vec<Hit>, StoreError> {
    let mut hits: Vec<Hit> = Vec::new();
    let mut best: Option<Hit> = None;
    let mut odd = None;
    // Memory stays flat: only the best so far are kept.
    let settle = |hit: Option<Hit>, hits: &mut Vec<Hit>| {
        hits.extend(hit);
        if hits.len() >= top.saturating_mul(2).max(1024) {
            hits.sort_by(Hit::order);
            hits.truncate(top);
        }
    };
    rows(&mut |row| {
        if row.values.len() != query.values().len() {
            odd = Some((row.product.id, row.values.len()));
            return false;
        }
        let score = query.cosine(&Embedding::from_raw(row.values).normalized());
        if score.is_nan() {
            return true; // a vector of zeros points nowhere
        }
        let hit = Hit { score, image: row.image, product: row.product };
        match &mut best {
            Some(known)
                if known.product.id == hit.product.id
                    && known.product.source == hit.product.source =>
            {
                if hit.score > known.score {
                    *known = hit;
                }
            }
            _ => settle(best.replace(hit), &mut hits),
        }
        true
    })?;
    settle(best, &mut hits);
    if let Some((product, length)) = odd {
        let query = query.values().len();
        return Err(StoreError::Damaged(format!(
            "the vector of {product} has {length} values, the query's {query}"
        )));
    }
    hits.sort_by(Hit::order);
    hits.truncate(top);
    Ok(hits)
}
