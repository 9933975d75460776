//! Texts as Postgres can hold them: it has no NUL.
//!
//! NUL becomes `\u{1}\u{1}`, and `\u{1}` itself `\u{1}\u{2}`. So no two texts become one, what is read
//! is what was written, and the order by bytes stays: `\u{1}` is less than all that may follow
//! a text, and of the two escapes the one for NUL is less.

const ESCAPE: char = '\u{1}';

pub(super) fn encode(text: &str) -> String {
    if !text.contains(['\0', ESCAPE]) {
        return text.to_owned();
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\0' => escaped.extend([ESCAPE, '\u{1}']),
            ESCAPE => escaped.extend([ESCAPE, '\u{2}']),
            c => escaped.push(c),
        }
    }
    escaped
}

pub(super) fn decode(text: String) -> String {
    if !text.contains(ESCAPE) {
        return text;
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ESCAPE => match chars.next() {
                Some('\u{1}') => plain.push('\0'),
                Some('\u{2}') => plain.push(ESCAPE),
                // Not written by this program.
                other => plain.extend([ESCAPE].into_iter().chain(other)),
            },
            c => plain.push(c),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_and_the_order_stays() {
        let parts = ["", "a", "\0", "\u{1}", "\u{2}", "\u{fffd}", "\0\0", "\0\u{1}", "\u{1}\0"];
        let mut texts: Vec<String> = parts
            .iter()
            .flat_map(|a| parts.iter().flat_map(move |b| [format!("{a}{b}"), format!("a{a}{b}z")]))
            .collect();
        texts.sort();
        texts.dedup();
        let written: Vec<String> = texts.iter().map(|text| encode(text)).collect();
        assert!(written.iter().all(|text| !text.contains('\0')));
        assert!(written.is_sorted_by(|a, b| a < b), "distinct, and in the same order");
        let read: Vec<String> = written.into_iter().map(decode).collect();
        assert_eq!(read, texts);
    }
}
