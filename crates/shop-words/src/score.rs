//! What a match is worth.

use crate::{
    Index, Matches,
    fold::{Word, words},
    fuse::{Ranked, Tier},
    index::field,
    near::Kind,
};

/// Percent of the best product's rarities that a product's must reach to be found by words.
pub const NEEDED: u64 = 60;
/// Words of a text that are searched for.
const WORDS: usize = 24;
/// Bits after the point of a logarithm.
const FRACTION: u32 = 8;
/// The least that a word's rarity counts: that of one which nearly all products have.
const LEAST: u32 = 1 << (FRACTION - 3);
/// Letters from which on the beginning of a brand names it.
const NAMES: usize = 3;

/// Logarithm to base 2, in 256ths, rounded down.
fn log2(x: u64) -> u32 {
    let x = x.max(1);
    let whole = x.ilog2();
    // 1 to 2, with 31 bits after the point.
    let mut rest = (x << (63 - whole)) >> 32;
    let mut log = whole;
    for _ in 0..FRACTION {
        rest = (rest * rest) >> 31;
        log <<= 1;
        if rest >= 1 << 32 {
            rest >>= 1;
            log |= 1;
        }
    }
    log
}

/// How rare a word is that is found in `found` of `all` products.
fn rarity(all: usize, found: usize) -> u32 {
    log2(2 * all as u64 + 2).saturating_sub(log2(2 * found as u64 + 1)).max(LEAST)
}

/// What the fields are worth that a word is found in: more of them are worth more, but less and less.
fn worth(fields: u8) -> u64 {
    const FIELDS: [(u8, u64); 5] = [
        (field::TITLE, 8),
        (field::BRAND, 8),
        (field::CATEGORY, 5),
        (field::ATTRIBUTE, 5),
        (field::ID, 8),
    ];
    let sum: u64 = FIELDS.iter().filter(|(bit, _)| fields & bit != 0).map(|(_, worth)| worth).sum();
    (sum << 10) / (sum + 8)
}

/// What a text has matched of a product so far.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    score: u64,
    /// Rarities of the words it matches.
    mass: u32,
    words: u8,
}

impl Index {
    /// The products that have words of `text`.
    pub fn search(&self, text: &str) -> Matches {
        let all = words(text);
        let mut parts: Vec<&Word> = all.iter().filter(|word| !word.joined).collect();
        let sequence: Vec<&str> = parts.iter().map(|word| word.text.as_str()).collect();
        let last = parts.last().map(|word| word.range.end);
        parts.truncate(WORDS);
        let mut sums = vec![Sum::default(); self.products()];
        let mut best: Vec<u64> = vec![0; self.products()];
        let mut matched: Vec<(u32, Kind)> = Vec::new();
        let mut known = 0;
        let mut distinct: Vec<&str> = Vec::new();
        for (at, word) in parts.iter().enumerate() {
            if distinct.contains(&word.text.as_str()) {
                continue;
            }
            distinct.push(&word.text);
            let left = at.checked_sub(1).and_then(|at| parts.get(at));
            let left = left.map(|left| format!("{}{}", left.text, word.text));
            let right = parts.get(at + 1).map(|right| format!("{}{}", word.text, right.text));
            let joined: Vec<String> = left.into_iter().chain(right).collect();
            let terms = self.near(&word.text, &joined, Some(word.range.end) == last);
            let mut touched: Vec<u32> = Vec::new();
            for &(term, kind) in &terms {
                for posting in self.postings(term) {
                    let Some(best) = best.get_mut(posting.product as usize) else { continue };
                    if *best == 0 {
                        touched.push(posting.product);
                    }
                    *best = (*best).max(worth(posting.fields) * kind.worth());
                }
            }
            if touched.is_empty() {
                continue;
            }
            known += 1;
            let rarity = rarity(self.products(), touched.len());
            for product in touched {
                let at = product as usize;
                let (Some(sum), Some(best)) = (sums.get_mut(at), best.get_mut(at)) else {
                    continue;
                };
                sum.score += u64::from(rarity) * std::mem::take(best);
                sum.mass += rarity;
                sum.words += 1;
            }
            matched.extend(terms);
        }
        matched.sort_unstable_by_key(|&(term, kind)| (term, std::cmp::Reverse(kind.worth())));
        matched.dedup_by_key(|(term, _)| *term);
        let brands = self.named_brands(&sequence, &matched);
        let most = sums.iter().map(|sum| u64::from(sum.mass)).max().unwrap_or_default();
        let mut ranked: Vec<Ranked> = (0u32..)
            .zip(&sums)
            .filter(|(_, sum)| sum.mass > 0 && u64::from(sum.mass) * 100 >= most * NEEDED)
            .map(|(product, sum)| {
                let whole = sum.words == known;
                let tier = if whole { self.tier(product, &sequence, &brands) } else { Tier::Rest };
                Ranked { product, tier, score: sum.score, words: sum.words }
            })
            .collect();
        let names: Vec<u32> = self.named(text).collect();
        for product in names {
            match ranked.iter_mut().find(|ranked| ranked.product == product) {
                Some(ranked) => ranked.tier = Tier::Id,
                None => ranked.push(Ranked { product, tier: Tier::Id, score: 0, words: 0 }),
            }
        }
        ranked.sort_unstable_by_key(|ranked| (std::cmp::Reverse(ranked.score), ranked.product));
        let words = u8::try_from(distinct.len()).unwrap_or(u8::MAX);
        let terms = matched.into_iter().map(|(term, _)| term).collect();
        Matches { ranked, words, terms }
    }

    /// The brands that a text names.
    fn named_brands(&self, text: &[&str], matched: &[(u32, Kind)]) -> Vec<bool> {
        let letters = text.last().map_or(0, |last| last.chars().count());
        let names = |word: &Word| {
            let term = self.term(&word.text);
            let at = |term| matched.binary_search_by_key(&term, |&(term, _)| term).ok();
            let kind = term.and_then(at).and_then(|at| matched.get(at)).map(|&(_, kind)| kind);
            kind.is_some_and(|kind| kind != Kind::Beginning || letters >= NAMES)
        };
        let named = |brand: &str| {
            let mut parts = words(brand).into_iter().filter(|word| !word.joined).peekable();
            parts.peek().is_some() && parts.all(|word| names(&word))
        };
        self.brands().iter().map(named).collect()
    }

    /// Of a product that all known words of the text match.
    fn tier(&self, product: u32, text: &[&str], brands: &[bool]) -> Tier {
        let same = || {
            let parts = words(self.title(product)).into_iter().filter(|word| !word.joined);
            parts.map(|word| word.text).eq(text.iter().copied())
        };
        if self.length(product) == text.len() && same() {
            return Tier::Title;
        }
        let brand = self.brand(product).and_then(|brand| brands.get(brand));
        if brand == Some(&true) { Tier::Brand } else { Tier::Rest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms() {
        assert_eq!(log2(0), 0);
        for (x, log) in [(1, 0), (2, 256), (3, 405), (1000, 2551), (1 << 40, 40 * 256)] {
            assert_eq!(log2(x), log, "{x}");
        }
        assert_eq!(rarity(10, 10), LEAST);
        assert!(rarity(10, 1) > rarity(10, 2));
    }

    #[test]
    fn more_fields_are_worth_more_and_less_and_less() {
        let (title, both, three) = (worth(1), worth(1 | 2), worth(1 | 2 | 8));
        assert!(title < both && both < three && three - both < both - title && three < 1 << 10);
    }
}
