//! Normalisation and the split into words, as HF's normaliser and pre-tokenizer do both.

// The tables that HF's tokenizers link against, older than Unicode's newest: identical ids need
// the same age.
use unicode_normalization_alignments::UnicodeNormalization;

use super::{BOS, EOT, tables};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Letter,
    Number,
    Space,
    Other,
}

fn class(c: char) -> Class {
    match c {
        'a'..='z' | 'A'..='Z' => Class::Letter,
        '0'..='9' => Class::Number,
        '\t'..='\r' | ' ' => Class::Space,
        '\0'..='\x7f' => Class::Other,
        _ if within(&tables::LETTERS, c) => Class::Letter,
        _ if within(&tables::NUMBERS, c) => Class::Number,
        _ if within(&tables::SPACES, c) => Class::Space,
        _ => Class::Other,
    }
}

fn within(ranges: &[(u32, u32)], c: char) -> bool {
    let c = u32::from(c);
    let after = ranges.partition_point(|range| range.0 <= c);
    after.checked_sub(1).and_then(|i| ranges.get(i)).is_some_and(|range| c <= range.1)
}

/// NFC, runs of white space as one space, lower case per character (so a final sigma stays one).
pub(super) fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_space = false;
    for (c, _) in text.nfc() {
        let space = class(c) == Class::Space;
        if !space {
            out.extend(c.to_lowercase());
        } else if !in_space {
            out.push(' ');
        }
        in_space = space;
    }
    out
}

/// Part of a text: a special token's literal, or what is between two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Text(&'a str),
    Special(u32),
}

/// Splits at every occurrence of a literal. One pass.
pub(super) fn literals<'a>(mut rest: &'a str, specials: &[(&str, u32)]) -> Vec<Part<'a>> {
    let mut parts = Vec::new();
    let mut at = 0;
    while let Some(found) = rest[at..].find('<') {
        let start = at + found;
        let special = specials.iter().find(|(literal, _)| rest[start..].starts_with(literal));
        if let Some((literal, id)) = special {
            parts.extend([Part::Text(&rest[..start]), Part::Special(*id)]);
            rest = &rest[start + literal.len()..];
            at = 0;
        } else {
            at = start + 1;
        }
    }
    parts.push(Part::Text(rest));
    parts
}

/// Words of normalised text, by the pattern
/// `'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+`.
#[derive(Debug)]
pub(super) struct Words<'a> {
    rest: &'a str,
    /// What remains of a special token's literal: it starts and ends words even where it stayed
    /// plain text.
    literal: &'a str,
    literals: bool,
}

impl<'a> Words<'a> {
    /// `literals`: the pattern starts with the literals of both special tokens.
    pub(super) fn new(text: &'a str, literals: bool) -> Self {
        Words { rest: text, literal: "", literals }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.literal.is_empty() {
            self.rest = self.rest.trim_start_matches(|c| class(c) == Class::Space);
            let literal = [BOS, EOT].into_iter().find(|l| self.rest.starts_with(l));
            if self.literals
                && let Some(literal) = literal
            {
                (self.literal, self.rest) = self.rest.split_at(literal.len());
            }
        }
        let source = if self.literal.is_empty() { &mut self.rest } else { &mut self.literal };
        let (word, rest) = source.split_at(word_length(source)?);
        *source = rest;
        Some(word)
    }
}

/// Bytes of the first word of `text`, which does not start with white space.
fn word_length(text: &str) -> Option<usize> {
    const CONTRACTIONS: [&str; 7] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];
    let first = text.chars().next()?;
    if let Some(contraction) = CONTRACTIONS.iter().find(|c| text.starts_with(**c)) {
        return Some(contraction.len());
    }
    let kind = class(first);
    if kind == Class::Number {
        return Some(first.len_utf8());
    }
    Some(text.find(|c| class(c) != kind).unwrap_or(text.len()))
}
