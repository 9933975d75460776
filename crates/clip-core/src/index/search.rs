//! One search: scan, then exact scores, best bounds first, until nothing left can win.

use clip_kernels::{for_each_chunk, signed};

use super::{Index, IndexError, Rows, check};
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
        other.score.total_cmp(&self.score).then(self.group.cmp(&other.group)).is_lt()
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

/// Rows that one thread scans at a time.
const PART: usize = 1 << 14;

/// Of some rows, those that may be among the best.
#[derive(Default)]
struct Part {
    candidates: Vec<Candidate>,
    /// The best lower bounds of its groups, at most `top`.
    lower: Vec<f32>,
}

/// Scores all codes and keeps the rows whose upper bound reaches the `top`-th lower bound.
pub(super) fn scan(
    index: &Index,
    query: &NormalizedEmbedding,
    top: usize,
    allowed: impl Fn(u32) -> bool + Sync + Send,
) -> Result<Search, IndexError> {
    let q = query.values();
    check(q, index.dim, "the query")?;
    let codes = Query::new(q);
    let base = index.kernels.dot(q, &index.mean);
    let mut parts: Vec<Part> = Vec::new();
    if top > 0 {
        parts.resize_with(index.rows.div_ceil(PART), Part::default);
    }
    for_each_chunk(&mut parts, 1, PART * index.dim, |number, part| {
        let [part] = part else { return };
        part.scan(index, number, &codes, base, &allowed);
        part.keep(top);
    });
    let mut all = Part::default();
    for mut part in parts {
        all.candidates.append(&mut part.candidates);
        all.lower.append(&mut part.lower);
    }
    all.keep(top);
    let mut candidates = all.candidates;
    candidates.sort_unstable_by(|a, b| b.bound.total_cmp(&a.bound).then(a.row.cmp(&b.row)));
    Ok(Search { query: query.clone(), top, candidates, rescored: 0, base, hits: Vec::new() })
}

impl Part {
    /// Takes in part `number`: the groups that begin in its rows.
    fn scan(
        &mut self,
        index: &Index,
        number: usize,
        query: &Query,
        base: f32,
        allowed: &impl Fn(u32) -> bool,
    ) {
        let Rows { codes, scale, error, group, .. } = index.columns();
        // |q (v - v')| + |(q - q') (v' - mean)|, with lengths of at most 1 + small and 2 + small.
        let slack = 2.1 * query.lost + ROUNDING;
        let begins = |row: usize| row == 0 || group.get(row) != group.get(row - 1);
        let border = |row: usize| (row..index.rows).find(|&row| begins(row)).unwrap_or(index.rows);
        let rows = border(number * PART)..border((number + 1) * PART);
        let codes = codes[rows.start * index.dim..rows.end * index.dim].chunks_exact(index.dim);
        let facts = scale[rows.clone()].iter().zip(&error[rows.clone()]).zip(&group[rows.clone()]);
        // The last group, and whether it may be found.
        let mut last = None;
        for ((row, code), ((scale, error), &group)) in
            (0u32..).skip(rows.start).zip(codes).zip(facts)
        {
            let group = u32::from_le_bytes(group);
            let (scale, error) = (f32::from_le_bytes(*scale), f32::from_le_bytes(*error));
            let known = last.filter(|&(known, _)| known == group);
            let fits = known.map_or_else(|| allowed(group), |(_, fits)| fits);
            last = Some((group, fits));
            if !fits {
                continue;
            }
            let dot = index.kernels.dot_i8(signed(code), &query.values) as f32;
            let score = base + dot * query.scale * scale;
            let reach = 1.001 * error + slack;
            self.candidates.push(Candidate { row, group, bound: score + reach });
            match (known, self.lower.last_mut()) {
                (Some(_), Some(lower)) => *lower = lower.max(score - reach),
                _ => self.lower.push(score - reach),
            }
        }
    }

    /// Forgets what cannot be among the `top` best.
    fn keep(&mut self, top: usize) {
        if self.lower.len() <= top || top == 0 {
            return;
        }
        let best = |a: &f32, b: &f32| b.total_cmp(a);
        let (_, &mut threshold, _) = self.lower.select_nth_unstable_by(top - 1, best);
        self.lower.truncate(top);
        self.candidates.retain(|candidate| candidate.bound >= threshold);
    }
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
