//! One search: scan, then exact scores, best bounds first, until nothing left can win.

use super::{Index, IndexError, check};
use crate::NormalizedEmbedding;

/// Covers the rounding of the scores themselves (at most some 1e-6 for vectors of unit length).
const ROUNDING: f32 = 1e-5;

/// A group with its best row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Number of the group.
    pub group: u32,
    /// Number of its best row.
    pub row: u32,
    /// Cosine similarity: the bits of [`NormalizedEmbedding::cosine`].
    pub score: f32,
}

impl Hit {
    /// Best first; equal scores by group.
    fn before(&self, other: &Hit) -> bool {
        self.score > other.score || (self.score == other.score && self.group < other.group)
    }
}

/// A search between its scan and its end: rescore [`Search::wanted`] rows until there are none.
#[derive(Debug)]
pub struct Search {
    query: NormalizedEmbedding,
    top: usize,
    /// Rows that may be among the best, by the upper bounds of their scores, largest first.
    candidates: Vec<Candidate>,
    rescored: usize,
    /// Dot product of the query and the mean.
    base: f32,
    /// Best first, at most `top`, one per group.
    hits: Vec<Hit>,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    row: u32,
    group: u32,
    bound: f32,
}

/// Scores all codes and keeps the rows whose upper bound reaches the `top`-th lower bound.
pub(super) fn scan(
    index: &Index,
    query: &NormalizedEmbedding,
    top: usize,
    allowed: impl Fn(u32) -> bool,
) -> Result<Search, IndexError> {
    let q = query.values();
    check(q, index.dim, "the query")?;
    let codes = Query::new(q);
    let base = index.kernels.dot(q, &index.mean);
    // |q (v - v')| + |(q - q') (v' - mean)|, with lengths of at most 1 + small and 2 + small.
    let slack = 2.1 * codes.lost + ROUNDING;
    let mut all = Vec::new();
    // The best lower bound of each group.
    let mut lower: Vec<f32> = Vec::new();
    let mut last = None;
    let rows = index.codes.chunks_exact(index.dim);
    let facts = index.scale.iter().zip(&index.error).zip(&index.group);
    for ((row, code), ((scale, error), &group)) in (0u32..).zip(rows).zip(facts) {
        if !allowed(group) {
            continue;
        }
        let dot = index.kernels.dot_i8(code, &codes.values) as f32;
        let score = base + dot * codes.scale * scale;
        let reach = 1.001 * error + slack;
        all.push(Candidate { row, group, bound: score + reach });
        if last.replace(group) == Some(group) {
            if let Some(lower) = lower.last_mut() {
                *lower = lower.max(score - reach);
            }
        } else {
            lower.push(score - reach);
        }
    }
    if top == 0 {
        all.clear();
    } else if lower.len() > top {
        let (_, &mut threshold, _) = lower.select_nth_unstable_by(top - 1, |a, b| b.total_cmp(a));
        all.retain(|candidate| candidate.bound >= threshold);
    }
    all.sort_unstable_by(|a, b| b.bound.total_cmp(&a.bound).then(a.row.cmp(&b.row)));
    Ok(Search { query: query.clone(), top, candidates: all, rescored: 0, base, hits: Vec::new() })
}

impl Search {
    /// The next rows whose exact vectors are wanted, at most `limit`; empty at the end.
    pub fn wanted(&self, limit: usize) -> impl Iterator<Item = u32> + '_ {
        let worst = match self.hits.last() {
            Some(worst) if self.hits.len() == self.top => worst.score,
            _ => f32::NEG_INFINITY,
        };
        let rest = &self.candidates[self.rescored..];
        // An equal score may still win by its group.
        rest.iter().take(limit).take_while(move |c| c.bound >= worst).map(|c| c.row)
    }

    /// Dot product of the query and the mean of all vectors: what a score is when nothing is known of
    /// the row.
    pub fn base(&self) -> f32 {
        self.base
    }

    /// How many of the hits score at least `floor` more than the base: the first ones.
    pub fn above(&self, floor: f32) -> usize {
        self.hits.iter().take_while(|hit| hit.score - self.base >= floor).count()
    }

    /// Rows that the scan did not rule out.
    pub fn candidates(&self) -> usize {
        self.candidates.len()
    }

    /// Takes the exact vectors of the first `wanted` rows, `[rows, dim]`, in that order.
    ///
    /// # Errors
    /// A vector that is not of unit length: the exact file is not that of this index.
    pub fn rescore(&mut self, vectors: &[f32]) -> Result<(), IndexError> {
        let dim = self.query.values().len();
        if vectors.is_empty() || !vectors.len().is_multiple_of(dim) {
            return Err(IndexError::Dimension { found: vectors.len(), expected: dim });
        }
        for values in vectors.chunks_exact(dim) {
            let Some(&Candidate { row, group, bound }) = self.candidates.get(self.rescored) else {
                break;
            };
            check(values, dim, &format!("row {row}"))?;
            let score = self.query.cosine(&NormalizedEmbedding::from_unit(values.to_vec()));
            if score > bound {
                let text = format!("row {row} of the exact file is not that of the scan file");
                return Err(IndexError::Format(text));
            }
            self.rescored += 1;
            self.offer(Hit { group, row, score });
        }
        Ok(())
    }

    fn offer(&mut self, hit: Hit) {
        if let Some(known) = self.hits.iter().position(|h| h.group == hit.group) {
            let old = self.hits[known];
            // Of rows of a group with equal scores the first counts.
            if hit.score < old.score || (hit.score == old.score && hit.row > old.row) {
                return;
            }
            self.hits.remove(known);
        }
        let place = self.hits.partition_point(|h| h.before(&hit));
        self.hits.insert(place, hit);
        self.hits.truncate(self.top);
    }

    /// Best first. Final once [`Search::wanted`] is empty.
    pub fn hits(&self) -> &[Hit] {
        &self.hits
    }
}

/// The query in 15 bits: what it loses hardly matters beside what the codes lost.
struct Query {
    values: Vec<i16>,
    scale: f32,
    /// Length of what was lost.
    lost: f32,
}

impl Query {
    fn new(q: &[f32]) -> Self {
        // Sums of products with codes of at most 127 stay inside i32.
        let limit = (i32::MAX as usize / (127 * q.len())).min(16_383) as f32;
        let largest = q.iter().fold(0.0f32, |max, x| max.max(x.abs()));
        let scale = largest / limit;
        let mut lost = 0.0;
        let mut quantise = |x: f32| {
            let code = (x / scale).round().clamp(-limit, limit);
            let off = f64::from(x) - f64::from(code) * f64::from(scale);
            lost += off * off;
            code as i16
        };
        let values = q.iter().map(|&x| quantise(x)).collect();
        Query { values, scale, lost: (lost.sqrt() * 1.001) as f32 }
    }
}
