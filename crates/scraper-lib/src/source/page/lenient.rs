//! JSON with the mistakes that people and templates make in it, mended into JSON.
//!
//! Text that is JSON is read as it is. What is mended: comments and CDATA around or inside, commas
//! and semicolons too many, `&quot;` for quotes, single quotes, names without quotes, line ends,
//! quotes and unknown escapes in strings, `NaN` and the like, lone surrogates, several values one
//! after the other.

use serde_json::Value;

/// # Errors
/// What is wrong with the text as it stands.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let text = text.trim().trim_start_matches('\u{feff}');
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let strict = match serde_json::from_str(text) {
        Ok(value) => return Ok(value),
        Err(e) => e.to_string(),
    };
    if let Ok(value) = serde_json::from_str(&mended(text)) {
        return Ok(value);
    }
    if text.contains("&quot;") || text.contains("&#34;") || text.contains("&#039;") {
        let plain = text
            .replace("&quot;", "\"")
            .replace("&#34;", "\"")
            .replace("&#039;", "'")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&");
        if let Ok(value) = serde_json::from_str(&plain) {
            return Ok(value);
        }
        if let Ok(value) = serde_json::from_str(&mended(&plain)) {
            return Ok(value);
        }
    }
    Err(strict)
}

/// The text with its mistakes mended, in one pass.
fn mended(text: &str) -> String {
    let mut mender = Mender { text, at: 0, out: String::with_capacity(text.len() + 16), depth: 0 };
    let mut values = 0_usize;
    let mut starts = Vec::new();
    while let Some(byte) = mender.peek() {
        let top = mender.depth == 0;
        match byte {
            b' ' | b'\t' | b'\n' | b'\r' => mender.at += 1,
            b'/' | b'<' | b']' | b'-' if mender.comment() => {}
            b'"' | b'\'' => mender.string(byte),
            b'{' | b'[' => {
                if top {
                    starts.push(mender.out.len());
                    values += 1;
                }
                mender.depth += 1;
                mender.push(byte);
            }
            b'}' | b']' => {
                if top {
                    mender.at += 1; // one too many
                    continue;
                }
                mender.without_comma();
                mender.depth -= 1;
                mender.push(byte);
            }
            b',' => {
                // Not at the beginning, and not twice.
                let last = mender.out.bytes().next_back();
                match top || matches!(last, None | Some(b'{' | b'[' | b',' | b':')) {
                    true => mender.at += 1,
                    false => mender.push(byte),
                }
            }
            b':' => mender.push(byte),
            b';' => mender.at += 1,
            _ => mender.word(),
        }
    }
    mender.without_comma();
    let mut out = mender.out;
    if values > 1 {
        // From the last, so that places stay.
        for start in starts.iter().skip(1).rev() {
            out.insert(*start, ',');
        }
        out = format!("[{out}]");
    }
    out
}

struct Mender<'a> {
    text: &'a str,
    at: usize,
    out: String,
    depth: usize,
}

impl Mender<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn push(&mut self, byte: u8) {
        self.out.push(char::from(byte));
        self.at += 1;
    }

    fn without_comma(&mut self) {
        while self.out.ends_with(',') {
            self.out.pop();
        }
    }

    /// Passes a comment of JavaScript or HTML, or the mark of a CDATA section.
    fn comment(&mut self) -> bool {
        let rest = self.rest();
        let length = if rest.starts_with("/*") {
            // `/*<![CDATA[*/` ends where any comment ends.
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(mark) = ["//<![CDATA[", "//]]>"].iter().find(|m| rest.starts_with(**m)) {
            mark.len()
        } else if rest.starts_with("//") {
            rest.find(['\n', '\r']).unwrap_or(rest.len())
        } else {
            let marks = ["<![CDATA[", "]]>", "<!--", "-->"];
            match marks.iter().find(|mark| rest.starts_with(**mark)) {
                Some(mark) => mark.len(),
                None => return false,
            }
        };
        self.at += length;
        true
    }

    /// A string up to the quote that ends it: one that a sign of JSON follows.
    fn string(&mut self, quote: u8) {
        self.out.push('"');
        self.at += 1;
        loop {
            let rest = self.rest();
            let Some(next) = rest.chars().next() else { break };
            self.at += next.len_utf8();
            match next {
                '\\' => self.escape(),
                '"' if quote != b'"' => self.out.push_str("\\\""),
                c if c as u32 == u32::from(quote) => {
                    let after = self.rest().trim_start();
                    if after.is_empty() || after.starts_with([',', '}', ']', ':', ';', '/', '<']) {
                        break;
                    }
                    self.out.push_str(if quote == b'"' { "\\\"" } else { "'" });
                }
                c if c.is_control() => self.out.push(' '),
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }

    fn escape(&mut self) {
        let Some(next) = self.rest().chars().next() else { return };
        match next {
            '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' => {
                self.out.push('\\');
                self.out.push(next);
                self.at += 1;
            }
            'u' => self.unicode(),
            // "\'" and the like stand for what they show.
            c if c.is_control() => self.at += c.len_utf8(),
            c => {
                self.out.push(c);
                self.at += c.len_utf8();
            }
        }
    }

    /// `\uXXXX`; half of a pair is U+FFFD.
    fn unicode(&mut self) {
        let unit = |text: &str| u32::from_str_radix(text.get(..4)?, 16).ok();
        let rest = self.rest();
        let Some(first) = rest.get(1..).and_then(unit) else {
            self.out.push('u');
            self.at += 1;
            return;
        };
        let second = rest.get(5..).and_then(|text| text.strip_prefix("\\u")).and_then(unit);
        let (code, length) = match (first, second) {
            (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
                (0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00), 11)
            }
            _ => (first, 5),
        };
        self.at += length;
        match char::from_u32(code).unwrap_or('\u{fffd}') {
            '"' => self.out.push_str("\\\""),
            '\\' => self.out.push_str("\\\\"),
            c if c.is_control() => self.out.push(' '),
            c => self.out.push(c),
        }
    }

    /// A number, `true`, or what is none of JSON: a name without quotes, `NaN`, `undefined`.
    fn word(&mut self) {
        let rest = self.rest();
        let end = rest
            .find(|c: char| {
                c.is_whitespace()
                    || matches!(c, ',' | ':' | '{' | '}' | '[' | ']' | ';' | '"' | '\'')
            })
            .unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default().to_owned();
        self.at += match end {
            0 => rest.chars().next().map_or(1, char::len_utf8), // a space of another sort
            end => end,
        };
        let is_name = self.rest().trim_start().starts_with(':');
        if self.depth == 0 {
            return; // `var x =` before the value
        }
        if is_name {
            self.out.push_str(&Value::from(word).to_string());
        } else if serde_json::from_str::<Value>(&word).is_ok() {
            self.out.push_str(&word);
        } else if word.starts_with(|c: char| c.is_ascii_digit()) {
            self.out.push_str(&Value::from(word).to_string());
        } else {
            self.out.push_str("null");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn mistakes_are_mended() {
        let good = json!({"a": "b", "c": [1, 2]});
        for text in [
            r#"{"a": "b", "c": [1, 2]}"#,
            r#"{"a": "b", "c": [1, 2,],};"#,
            "/*<![CDATA[*/\n{\"a\": \"b\", \"c\": [1, 2]}\n/*]]>*/",
            "//<![CDATA[\n{\"a\": \"b\", \"c\": [1, 2]}\n//]]>",
            "<!-- {\"a\": \"b\", // why\n \"c\": [1, /* two */ 2]} -->",
            "{&quot;a&quot;: &quot;b&quot;, &quot;c&quot;: [1, 2]}",
            "{'a': 'b', c: [1, 2]}",
            "{\"a\": \"b\",, \"c\": [1, 2]}}",
            "var data = {\"a\": \"b\", \"c\": [1, 2]};",
        ] {
            assert_eq!(parse(text).unwrap(), good, "{text}");
        }
    }

    #[test]
    fn strings_as_they_were_meant() {
        let name = |text: &str| parse(text).unwrap()["n"].as_str().unwrap().to_owned();
        assert_eq!(name("{\"n\": \"two\nlines\"}"), "two lines");
        assert_eq!(name(r#"{"n": "a 5" screen, good"}"#), "a 5\" screen, good");
        assert_eq!(name(r#"{"n": "it\'s \d"}"#), "it's d");
        assert_eq!(name(r#"{"n": "\ud83d alone \ud83d\ude00"}"#), "\u{fffd} alone 😀");
        assert_eq!(name(r#"{'n': 'a "b" c'}"#), "a \"b\" c");
        assert_eq!(
            parse(r#"{"a": NaN, "b": undefined, "c": 1}"#).unwrap(),
            json!({"a": null, "b": null, "c": 1})
        );
        assert_eq!(parse("{\"a\":1}\n{\"b\":2}").unwrap(), json!([{"a": 1}, {"b": 2}]));
    }

    #[test]
    fn nonsense_is_an_error_and_ends() {
        for text in [
            "{\"@type\": \"Product\", \"name\": \"cut",
            "<html>",
            "{{ product | json }}",
            "{\"a\"",
            "\\",
        ] {
            let _ = parse(text);
        }
        assert!(parse("{\"a\": {\"b\": \"cut").is_err());
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&"\"".repeat(100_001)).unwrap().is_string());
        assert!(parse(&"{x".repeat(100_000)).is_err());
    }
}
