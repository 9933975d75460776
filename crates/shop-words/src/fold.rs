//! Texts as words that can be compared: lower case, without accents.

use std::ops::Range;

/// Characters of a word that are compared; more tell nothing.
const LONGEST: usize = 64;

/// Lower-case letters with accents from `first` on, and what they are without; `.` stays.
const LATIN: [(u32, &str); 4] = [
    (0x1a1, "o..............u"),
    (
        0xe0,
        "aaaaaa.ceeeeiiiidnooooo.ouuuuy.y.a.a.a.c.c.c.c.d.d.e.e.e.e.e.g.g.g.g.h.h.i.i.i.i.i...j.kk.l.l.l...l\
         .n.n.n..n.o.o.o...r.r.r.s.s.s.s.t.t.t.u.u.u.u.u.u.w.y..z.z.zs",
    ),
    (
        0x1cd,
        ".a.i.o.u.u.u.u.u..a.a.....g.k.o.o..j....g...n.a.....a.a.e.e.i.i.o.o.r.r.u.u.s.t...h.......a.e.o.o.o\
         .o.y",
    ),
    (
        0x1e00,
        ".a.b.b.b.c.d.d.d.d.d.e.e.e.e.e.f.g.h.h.h.h.h.i.i.k.k.k.l.l.l.l.m.m.m.n.n.n.n.o.o.o.o.p.p.r.r.r.r.s.\
         s.s.s.s.t.t.t.t.u.u.u.u.u.v.v.w.w.w.w.w.x.x.y.z.z.zhtwy.s.....a.a.a.a.a.a.a.a.a.a.a.a.e.e.e.e.e.e.e\
         .e.i.i.o.o.o.o.o.o.o.o.o.o.o.o.u.u.u.u.u.u.u.y.y.y.y......",
    ),
];

/// Marks that stand on the letter before.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{591}'..='\u{5bd}' | '\u{5bf}' | '\u{5c1}'..='\u{5c2}'
        | '\u{5c4}'..='\u{5c5}' | '\u{5c7}' | '\u{610}'..='\u{61a}' | '\u{640}' | '\u{64b}'..='\u{65f}'
        | '\u{670}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{fe20}'..='\u{fe2f}')
}

/// Scripts without spaces between words.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{eff}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// Adds a character as it is compared.
fn fold(c: char, out: &mut String) {
    if c.is_ascii() {
        return out.push(c.to_ascii_lowercase());
    }
    // Full-width forms of ASCII.
    let c = match u32::from(c) {
        wide @ 0xff01..=0xff5e => char::from_u32(wide - 0xfee0).unwrap_or(c),
        _ => c,
    };
    for c in c.to_lowercase().filter(|&c| !is_mark(c)) {
        let latin = LATIN.iter().find_map(|(first, plain)| {
            let at = u32::from(c).checked_sub(*first)? as usize;
            plain.as_bytes().get(at).filter(|&&plain| plain != b'.').map(|&plain| char::from(plain))
        });
        match (latin, c) {
            (Some(plain), _) => out.push(plain),
            (None, 'ß') => out.push_str("ss"),
            (None, 'æ' | 'ǽ' | 'ǣ') => out.push_str("ae"),
            (None, 'œ') => out.push_str("oe"),
            (None, 'þ') => out.push_str("th"),
            (None, 'ά') => out.push('α'),
            (None, 'έ') => out.push('ε'),
            (None, 'ή') => out.push('η'),
            (None, 'ί' | 'ϊ' | 'ΐ') => out.push('ι'),
            (None, 'ό') => out.push('ο'),
            (None, 'ύ' | 'ϋ' | 'ΰ') => out.push('υ'),
            (None, 'ώ') => out.push('ω'),
            (None, 'ς') => out.push('σ'),
            (None, 'й' | 'ѝ') => out.push('и'),
            (None, 'ё' | 'ѐ') => out.push('е'),
            (None, 'ї') => out.push('і'),
            (None, 'ў') => out.push('у'),
            (None, 'ѓ') => out.push('г'),
            (None, 'ќ') => out.push('к'),
            (None, 'أ' | 'إ' | 'آ') => out.push('ا'),
            (None, 'ؤ') => out.push('و'),
            (None, 'ئ') => out.push('ي'),
            _ => out.push(c),
        }
    }
}

/// A word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    /// As it is compared.
    pub(crate) text: String,
    /// Where it stands, in bytes.
    pub(crate) range: Range<usize>,
    /// Parts written as one, with a hyphen or apostrophe between them: "tshirt" of "t-shirt". The parts
    /// come as words too.
    pub(crate) joined: bool,
}

/// The words of a text, in its order. A script without spaces gives pairs of characters.
pub(crate) fn words(text: &str) -> Vec<Word> {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let end = |at: usize| chars.get(at).map_or(text.len(), |&(byte, _)| byte);
    let is = |at: usize, what: fn(char) -> bool| chars.get(at).is_some_and(|&(_, c)| what(c));
    let mut words = Vec::new();
    // The parts of a compound begin here in `words`.
    let mut compound = 0;
    let mut at = 0;
    while let Some(&(_, first)) = chars.get(at) {
        if !first.is_alphanumeric() {
            at += 1;
            continue;
        }
        let unspaced = is_unspaced(first);
        let from = at;
        at += 1;
        while chars.get(at).is_some_and(|&(_, c)| {
            is_mark(c) || (c.is_alphanumeric() && is_unspaced(c) == unspaced)
        }) {
            at += 1;
        }
        // Each character of such a script begins a pair, but for the last one.
        let pieces = if unspaced { (at - from).saturating_sub(1).max(1) } else { 1 };
        for piece in from..from + pieces {
            let until = if unspaced { at.min(piece + 2) } else { at };
            let mut text = String::new();
            let inside = chars.get(piece..until.min(piece + LONGEST)).unwrap_or_default();
            inside.iter().for_each(|&(_, c)| fold(c, &mut text));
            // A mark alone is nothing.
            if !text.is_empty() {
                words.push(Word { text, range: end(piece)..end(until), joined: false });
            }
        }
        let joins = is(at, |c| matches!(c, '-' | '\'' | '’' | '‐' | '‑'));
        if joins && !unspaced && is(at + 1, |c| c.is_alphanumeric() && !is_unspaced(c)) {
            at += 1;
        } else {
            join(&mut words, compound);
            compound = words.len();
        }
    }
    words
}

/// Adds the compound that the words from `first` on are the parts of.
fn join(words: &mut Vec<Word>, first: usize) {
    let parts = words.get(first..).unwrap_or_default();
    // A run of pairs is no compound: they overlap.
    if let [begin, .., end] = parts
        && parts.is_sorted_by(|a, b| a.range.end <= b.range.start)
    {
        let text: String = parts.iter().flat_map(|part| part.text.chars()).take(LONGEST).collect();
        let range = begin.range.start..end.range.end;
        words.push(Word { text, range, joined: true });
    }
}

/// An id or a code as it is compared: letters and digits only.
pub(crate) fn key(text: &str) -> String {
    let mut key = String::new();
    text.chars().filter(|c| c.is_alphanumeric()).for_each(|c| fold(c, &mut key));
    key
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_normalization::UnicodeNormalization;

    use super::*;

    fn texts(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn case_accents_and_forms() {
        assert_eq!(texts("Été, ROBE à pois"), ["ete", "robe", "a", "pois"]);
        assert_eq!(texts("e\u{301}te\u{301}"), ["ete"]);
        assert_eq!(
            texts("Größe Œuvre Łódź İstanbul ﬁ"),
            ["grosse", "oeuvre", "lodz", "istanbul", "ﬁ"]
        );
        assert_eq!(
            texts("Ёлка й и\u{306} ΆΣ Ｔシャツ"),
            ["елка", "и", "и", "ασ", "t", "シャ", "ャツ"]
        );
        assert_eq!(texts("T-shirt Levi’s"), ["t", "shirt", "tshirt", "levi", "s", "levis"]);
        assert_eq!(texts("紅い服 帽"), ["紅い", "い服", "帽"]);
        assert_eq!(texts("- -a- <>"), ["a"]);
        assert_eq!(key("DS-00 001"), "ds00001");
    }

    #[test]
    fn ranges_are_where_the_words_stand() {
        let text = "Äcme T-Shirt, 紅い服";
        let found: Vec<&str> = words(text).iter().map(|w| &text[w.range.clone()]).collect();
        assert_eq!(found, ["Äcme", "T", "Shirt", "T-Shirt", "紅い", "い服"]);
    }

    /// The tables against the decompositions of Unicode.
    #[test]
    fn what_unicode_takes_apart_is_folded() {
        for c in ('\u{c0}'..='\u{24f}').chain('\u{1e00}'..='\u{1eff}') {
            let lower: String = c.to_lowercase().collect();
            let plain: String = lower.nfkd().filter(|&c| !is_mark(c)).collect();
            // Ligatures of the Dutch and Croats, and letters that Unicode does not take apart.
            if plain.len() == 1 && c.is_alphabetic() {
                let mut folded = String::new();
                fold(c, &mut folded);
                assert_eq!(folded, plain, "{c}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_text_has_words_within_it(text in ".{0,60}") {
            for word in words(&text) {
                prop_assert!(text.get(word.range.clone()).is_some());
                prop_assert!(word.text.chars().count() <= 3 * LONGEST);
            }
        }
    }
}
