//! What to ask instead.

use std::cmp::Reverse;

use crate::{Index, fold::words, index::field, near::distance};

/// Letters of a word that is worth a suggestion.
const SHORTEST: usize = 3;
/// Letters that may differ.
const MOST: usize = 2;

impl Index {
    /// Up to `most` words of the catalogue: first those that differ from a word of `text` by few
    /// letters, nearest first, then those that most products have. Lower case, accents folded.
    pub fn suggest(&self, text: &str, most: usize) -> Vec<String> {
        let asked: Vec<Vec<char>> = words(text)
            .into_iter()
            .map(|word| word.text.chars().collect())
            .filter(|word: &Vec<char>| word.len() >= SHORTEST)
            .take(8)
            .collect();
        let said = field::TITLE | field::BRAND | field::CATEGORY;
        let mut near: Vec<(usize, Reverse<usize>, &str)> = self
            .plain()
            .filter_map(|(number, term)| {
                let letters: Vec<char> = term.chars().collect();
                if letters.len() < SHORTEST {
                    return None;
                }
                // A short word becomes another by few changes.
                let reach = |word: &Vec<char>| MOST.min(word.len() / 3);
                let distances =
                    asked.iter().filter_map(|word| distance(word, &letters, reach(word)));
                let nearest = distances.min().unwrap_or(MOST + 1);
                let found = self.postings(number).filter(|posting| posting.fields & said != 0);
                match found.count() {
                    0 => None,
                    // Half of all say it: it names nothing.
                    count if nearest > MOST && 2 * count > self.products() => None,
                    _ if nearest > MOST && letters.len() <= SHORTEST => None,
                    count => Some((nearest, Reverse(count), term)),
                }
            })
            .collect();
        near.sort_unstable();
        near.into_iter().take(most).map(|(_, _, term)| term.to_owned()).collect()
    }
}
