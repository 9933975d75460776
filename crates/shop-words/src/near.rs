//! Words that differ by little.

use crate::Index;

/// Endings by which words of many languages differ in number.
const ENDINGS: [&str; 7] = ["s", "es", "e", "n", "en", "er", "x"];
/// Letters that stay when an ending goes.
const STEM: usize = 3;
/// Letters of a word in which a slip is forgiven.
const FORGIVEN: usize = 4;
/// Letters that others may begin with.
const BEGINNING: usize = 2;

/// How a term matches a word of the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Same,
    Ending,
    Beginning,
    Slip,
}

impl Kind {
    /// What a match is worth, in 16ths.
    pub(crate) fn worth(self) -> u64 {
        match self {
            Kind::Same => 16,
            Kind::Ending => 15,
            Kind::Beginning => 10,
            Kind::Slip => 8,
        }
    }
}

fn letters(word: &str) -> usize {
    word.chars().count()
}

fn has_digit(word: &str) -> bool {
    word.chars().any(char::is_numeric)
}

impl Index {
    /// The terms that a word of a query matches, by the crate's rule. `joined` are its neighbours
    /// written together with it; `last` is for the last word.
    pub(crate) fn near(&self, word: &str, joined: &[String], last: bool) -> Vec<(u32, Kind)> {
        let same =
            joined.iter().map(String::as_str).chain([word]).filter_map(|text| self.term(text));
        let mut found: Vec<(u32, Kind)> = same.map(|term| (term, Kind::Same)).collect();
        for text in endings(word) {
            found.extend(self.term(&text).map(|term| (term, Kind::Ending)));
        }
        if found.is_empty() && last && (letters(word) >= BEGINNING || !word.is_ascii()) {
            found.extend(self.beginning(word).map(|term| (term, Kind::Beginning)));
        }
        if found.is_empty() && letters(word) >= FORGIVEN && !has_digit(word) {
            let chars: Vec<char> = word.chars().collect();
            let slips = self
                .plain()
                .filter(|(_, term)| term.len().abs_diff(word.len()) <= 4 && is_slip(&chars, term));
            found.extend(slips.map(|(term, _)| (term, Kind::Slip)));
        }
        found
    }
}

/// What the word would be with another light ending.
fn endings(word: &str) -> impl Iterator<Item = String> {
    let stem = |stem: &&str| letters(stem) >= STEM;
    // Numbers have no plural.
    let all = if has_digit(word) { &[][..] } else { &ENDINGS[..] };
    let longer =
        all.iter().filter(move |_| letters(word) >= STEM).map(move |end| format!("{word}{end}"));
    let shorter =
        all.iter().filter_map(move |end| word.strip_suffix(end)).filter(stem).map(str::to_owned);
    let ies = word.strip_suffix('y').filter(stem).map(|stem| format!("{stem}ies"));
    let y = word.strip_suffix("ies").filter(stem).map(|stem| format!("{stem}y"));
    longer.chain(shorter).chain(ies).chain(y)
}

/// Whether they differ by one letter: more, less, other, or two neighbours changed about.
fn is_slip(word: &[char], term: &str) -> bool {
    let mut rest = word;
    let mut other = term.chars();
    // Without what both begin and end with.
    while let (Some(a), Some(b)) = (rest.first(), other.clone().next()) {
        if *a != b {
            break;
        }
        rest = rest.get(1..).unwrap_or_default();
        other.next();
    }
    while let (Some(a), Some(b)) = (rest.last(), other.clone().next_back()) {
        if *a != b {
            break;
        }
        rest = rest.get(..rest.len() - 1).unwrap_or_default();
        other.next_back();
    }
    let (c, d, more) = (other.next(), other.next(), other.next());
    match (rest, c, d, more) {
        ([], None, ..) => false,
        ([_], None, ..) | ([_] | [], Some(_), None, _) => true,
        (&[a, b], Some(c), Some(d), None) => (a, b) == (d, c),
        _ => false,
    }
}

/// Letters to change, add, take away or exchange with their neighbours (optimal string alignment);
/// `None` where they are more than `most`.
pub(crate) fn distance(a: &[char], b: &[char], most: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > most {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut cost = (row[j] + usize::from(x != y)).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i - 1] == *y && b[j - 1] == *x {
                cost = cost.min(before[j - 1] + 1);
            }
            next.push(cost);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().filter(|&cost| cost <= most)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chars(text: &str) -> Vec<char> {
        text.chars().collect()
    }

    #[test]
    fn slips() {
        for (a, b, slip) in [
            ("norrfold", "norfold", true),
            ("norfold", "norrfold", true),
            ("dress", "drees", true),
            ("dress", "derss", true),
            ("dress", "dress", false),
            ("dress", "drsse", false),
            ("abcd", "badc", false),
            ("kleid", "kleidx", true),
            ("kleid", "leid", true),
            ("платье", "платя", false),
            ("платье", "платьё", true),
        ] {
            assert_eq!(is_slip(&chars(a), b), slip, "{a} {b}");
        }
    }

    #[test]
    fn endings_of_many_languages() {
        let has = |word: &str, other: &str| endings(word).any(|end| end == other);
        for (a, b) in [
            ("dress", "dresses"),
            ("hosen", "hose"),
            ("kleid", "kleider"),
            ("party", "parties"),
            ("jean", "jeans"),
        ] {
            assert!(has(a, b) && has(b, a), "{a} {b}");
        }
        assert!(!has("as", "a") && !has("501", "501s") && !has("dress", "dre"));
    }

    proptest! {
        #[test]
        fn a_slip_is_a_distance_of_one(a in "[abc]{0,6}", b in "[abc]{0,6}") {
            prop_assert_eq!(is_slip(&chars(&a), &b), distance(&chars(&a), &chars(&b), 1) == Some(1));
        }
    }
}
