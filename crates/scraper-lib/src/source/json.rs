//! JSON from outside, read as its writers meant it. For everything that a shop or a feed sends:
//!
//! ```text
//! pub(super) fn read(bytes: &[u8]) -> Result<serde_json::Value, serde_json::Error>
//! ```
//!
//! Strict JSON (RFC 8259), but for what would lose a whole document because of one value:
//! - half of a surrogate pair (`\ud83d` alone, which programs that cut texts by UTF-16 units leave)
//!   is U+FFFD, as in browsers;
//! - bytes that are no UTF-8 are U+FFFD;
//! - a number that no f64 holds (`1e400`), `NaN` and `Infinity` (Python writes them) are `null`.

use std::borrow::Cow;

use serde_json::Value;

/// Reads one document; a byte order mark is skipped.
///
/// # Errors
/// Why it is not JSON, with line and column.
pub(super) fn read(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes).or_else(|e| match mended(bytes) {
        Some(text) => serde_json::from_str(&text),
        None => Err(e),
    })
}

/// The text with what is forgiven put right; `None` if there is nothing of the sort.
fn mended(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let mut out = String::new();
    let (mut done, mut at, mut in_string) = (0, 0, false);
    let all = text.as_bytes();
    while let Some(&byte) = all.get(at) {
        let rest = all.get(at..).unwrap_or_default();
        let (length, instead) = match byte {
            b'"' => {
                in_string = !in_string;
                (1, None)
            }
            b'\\' if in_string => escape(rest),
            _ if in_string => (1, None),
            b'-' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => word(rest),
            _ => (1, None),
        };
        if let Some(instead) = instead {
            out.push_str(text.get(done..at)?);
            out.push_str(instead);
            done = at + length;
        }
        at += length;
    }
    if done == 0 && matches!(text, Cow::Borrowed(_)) {
        return None;
    }
    out.push_str(text.get(done..)?);
    Some(out)
}

/// The length of an escape, and what stands for it where it is half of a pair.
fn escape(rest: &[u8]) -> (usize, Option<&'static str>) {
    match unit(rest) {
        Some(0xd800..=0xdbff) => match rest.get(6..).and_then(unit) {
            Some(0xdc00..=0xdfff) => (12, None),
            _ => (6, Some("\\ufffd")),
        },
        Some(0xdc00..=0xdfff) => (6, Some("\\ufffd")),
        Some(_) => (6, None),
        None => (2, None),
    }
}

/// The UTF-16 unit of a `\uXXXX` that `rest` begins with.
fn unit(rest: &[u8]) -> Option<u16> {
    let digits = rest.strip_prefix(b"\\u")?.get(..4)?;
    let digits = std::str::from_utf8(digits).ok()?;
    // `from_str_radix` takes a sign.
    let plain = digits.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| u16::from_str_radix(digits, 16).ok()).flatten()
}

/// The length of a number or a name, and `null` where it is a number that cannot be had.
fn word(rest: &[u8]) -> (usize, Option<&'static str>) {
    let part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.');
    let length = rest.iter().position(|b| !part(b)).unwrap_or(rest.len()).max(1);
    let word = rest.get(..length).and_then(|word| std::str::from_utf8(word).ok());
    let word = word.unwrap_or_default();
    let none = match word {
        "NaN" | "Infinity" | "-Infinity" => true,
        // Rust reads more than JSON allows ("inf"); those begin with a letter.
        _ if word.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
            !word.contains("inf")
                && !word.contains("nan")
                && word.parse().is_ok_and(|number: f64| !number.is_finite())
        }
        _ => false,
    };
    (length, none.then_some("null"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn half_pairs_are_one_unknown_character() {
        let one = |text: &str| read(text.as_bytes()).unwrap();
        assert_eq!(one(r#"{"a": "x\ud83dy"}"#), json!({"a": "x\u{fffd}y"}));
        assert_eq!(one(r#"["\udc00\ud83d"]"#), json!(["\u{fffd}\u{fffd}"]), "a pair reversed");
        assert_eq!(one(r#"["\ud83d\ud83d\ude00\uDE00"]"#), json!(["\u{fffd}\u{1f600}\u{fffd}"]));
        assert_eq!(one(r#"{"\ud83d": 1}"#), json!({"\u{fffd}": 1}), "in a name");
        assert_eq!(one(r#"["\ud83d\n", "\\ud83d"]"#), json!(["\u{fffd}\n", "\\ud83d"]));
        assert_eq!(one(r#"["\ud83dA", "\ud83d\u0041"]"#), json!(["\u{fffd}A", "\u{fffd}A"]));
        assert_eq!(one(r#"["\ud83d"]"#), json!(["\u{fffd}"]), "at the end of a string");
    }

    #[test]
    fn numbers_that_are_none_are_null() {
        let one = |text: &str| read(text.as_bytes()).unwrap();
        let long = "9".repeat(400);
        assert_eq!(
            one(&format!("[1e400, -1E+999, {long}, {long}.5, NaN, -Infinity, 7, 1e-400]")),
            json!([null, null, null, null, null, null, 7, 0.0])
        );
        assert_eq!(one("{\"a\": NaN, \"b\": \"NaN 1e400\"}"), json!({"a": null, "b": "NaN 1e400"}));
    }

    #[test]
    fn bytes_that_are_no_text_cost_one_character() {
        assert_eq!(read(b"\xef\xbb\xbf[\"caf\xe9\"]").unwrap(), json!(["caf\u{fffd}"]));
        assert_eq!(read(b"[\"\xe9\\ud83d\"]").unwrap(), json!(["\u{fffd}\u{fffd}"]));
    }

    #[test]
    fn what_is_no_json_stays_so() {
        for bad in ["", "{oops}", "[1,]", "\\ud83d", "[inf]", "[-inf]", "[\"\\u12\"]", "[\"\\ud83d"]
        {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(read("[".repeat(100_000).as_bytes()).is_err());
    }
}
