//! Texts of shops, servers and files as people may see them.

use std::borrow::Cow;

use super::secrets::redact;

/// Characters of a title, an id or an address in a line for people.
pub const SHORT: usize = 300;
/// Characters of a message.
pub const LONG: usize = 2000;

/// `text` on one line: without secrets, cut to `limit` characters, and with what would move the
/// cursor, change colours or turn the direction of writing shown as `\u{…}`.
pub fn shown(text: &str, limit: usize) -> Cow<'_, str> {
    escape(cut(redact(text), limit), |c| matches!(c, '\n' | '\t'))
}

/// The same for a text of several lines, which it keeps.
pub fn lines(text: &str, limit: usize) -> Cow<'_, str> {
    escape(cut(redact(text), limit), |_| false)
}

/// At most `limit` characters, the last one an ellipsis where something was cut.
pub fn cut(text: Cow<'_, str>, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit || text.chars().nth(limit).is_none() {
        return text;
    }
    Cow::Owned(text.chars().take(limit.saturating_sub(1)).chain(['…']).collect())
}

/// Characters that act instead of being seen: C0 and C1 controls, and those that turn the
/// direction of the text around them (<https://trojansource.codes>).
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn escape<'a>(text: Cow<'a, str>, also: impl Fn(char) -> bool) -> Cow<'a, str> {
    let bad = |c: char| acts(c) && (!matches!(c, '\n' | '\t') || also(c));
    if !text.contains(bad) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' if bad(c) => escaped += "\\n",
            '\t' if bad(c) => escaped += "\\t",
            c if bad(c) => escaped.extend(c.escape_unicode()),
            c => escaped.push(c),
        }
    }
    Cow::Owned(escaped)
}

/// JSON that means the same, with nothing in it that a terminal obeys. Where such characters are in
/// JSON, they are in its strings.
pub fn json(text: String) -> String {
    let bad = |c: char| acts(c) && !matches!(c, '\n' | '\t');
    if !text.contains(bad) {
        return text;
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            // All of them are below U+10000: one unit of UTF-16.
            c if bad(c) => safe += &format!("\\u{:04x}", c as u32),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_a_terminal() {
        let evil = "a\u{1b}[2J\u{9b}31m\u{202e}b\r\n\u{7f}\u{2066}c";
        assert_eq!(shown(evil, 100), "a\\u{1b}[2J\\u{9b}31m\\u{202e}b\\u{d}\\n\\u{7f}\\u{2066}c");
        assert_eq!(lines("a\n\tb\u{1b}", 9), "a\n\tb\\u{1b}");
        let kept = "Müller & 紅色 👗\u{200d}👠";
        assert_eq!(shown(kept, 100), kept);
    }

    #[test]
    fn long_texts_are_cut_by_characters() {
        assert_eq!(shown(&"é".repeat(10), 10), "é".repeat(10));
        assert_eq!(shown(&"é".repeat(11), 10), format!("{}…", "é".repeat(9)));
        // A secret is hidden before it could be cut in two.
        assert_eq!(shown("http://user:secret@host/a/b/c", 12), "http://host…");
    }

    #[test]
    fn json_stays_the_same_data() {
        let value = serde_json::json!({"t": "\u{1b}[2J\u{9b}x\u{202e}\u{feff}é\n"});
        let safe = json(value.to_string());
        assert!(safe.is_ascii() || !safe.contains(['\u{9b}', '\u{202e}', '\u{feff}']), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
    }
}
