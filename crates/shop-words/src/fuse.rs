//! One ranking of two.

use crate::{Index, fold::words};

/// How much the first ranks stand out; that of the paper.
const K: u64 = 60;
/// Products that are found by vectors, at most: nearer ones have ranks, farther ones would change no
/// order by more than a word does.
pub const DEPTH: usize = 100;
/// One, in the sums of reciprocal ranks.
const ONE: u64 = 1 << 32;

/// What comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    Id,
    Title,
    Brand,
    Rest,
}

/// A product that was found by words.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ranked {
    pub(crate) product: u32,
    pub(crate) tier: Tier,
    pub(crate) score: u64,
    /// Of the text, that match.
    pub(crate) words: u8,
}

/// What a text has found by words; see [`Index::search`].
#[derive(Debug, Clone)]
pub struct Matches {
    /// Best score first.
    pub(crate) ranked: Vec<Ranked>,
    /// Different ones of the text.
    pub(crate) words: u8,
    /// All that match, sorted.
    pub(crate) terms: Vec<u32>,
}

impl Matches {
    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.ranked.is_empty()
    }

    /// What was found by words among the products that `allowed` lets through, and by vectors
    /// (`nearest`, best first, all of them allowed), in the order of the crate's rule.
    pub fn fuse(&self, allowed: impl Fn(u32) -> bool, nearest: &[u32]) -> Vec<u32> {
        let products = self.ranked.iter().map(|ranked| &ranked.product).chain(nearest);
        let count = products.max().map_or(0, |&last| last as usize + 1);
        // By product; 0 for those that are not found.
        let mut sums: Vec<(Tier, u64)> = vec![(Tier::Rest, 0); count];
        let mut rank = 0;
        let mut before = None;
        let found = self.ranked.iter().filter(|ranked| allowed(ranked.product));
        for (place, ranked) in (1..).zip(found) {
            // Products with equal scores share a rank.
            if before.replace(ranked.score) != Some(ranked.score) {
                rank = place;
            }
            let words = u64::from(self.words.max(1));
            // One that only its id finds is found, too.
            let sum = (ONE * u64::from(ranked.words) / (words * (K + rank))).max(1);
            if let Some(place) = sums.get_mut(ranked.product as usize) {
                *place = (ranked.tier, sum);
            }
        }
        for (rank, &product) in (1..).zip(nearest) {
            if let Some((_, sum)) = sums.get_mut(product as usize) {
                *sum += ONE / (K + rank);
            }
        }
        let mut order: Vec<(Tier, u64, u32)> = (0..)
            .zip(sums)
            .filter(|(_, (_, sum))| *sum > 0)
            .map(|(product, (tier, sum))| (tier, u64::MAX - sum, product))
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(_, _, product)| product).collect()
    }

    /// The words of a product's title that match, as the title writes them; `index` is the one that was
    /// searched.
    pub fn marked<'a>(&self, index: &'a Index, product: u32) -> Vec<&'a str> {
        let title = index.title(product);
        let matches = |text: &str| {
            index.term(text).is_some_and(|term| self.terms.binary_search(&term).is_ok())
        };
        let mut marked: Vec<&str> = Vec::new();
        for word in words(title) {
            let written = title.get(word.range).unwrap_or_default();
            if matches(&word.text) && !marked.contains(&written) {
                marked.push(written);
            }
        }
        marked
    }
}
