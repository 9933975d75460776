//! Bytes of a page as text.

use encoding_rs::{Encoding, UTF_8};

/// A page has its character set within so many bytes (HTML, 13.2.3.2).
const PRESCAN: usize = 1024;

/// By the byte order mark, the header, or what the page says of itself, else UTF-8.
pub(super) fn text(bytes: &[u8], content_type: Option<&str>) -> String {
    let label = |text: &str| {
        let text = text.to_ascii_lowercase();
        let (_, rest) = text.split_once("charset=")?;
        let end = |c: char| matches!(c, '"' | '\'' | ';' | '>' | '/') || c.is_whitespace();
        let name = rest.trim_start_matches(['"', '\'']).split(end).next()?;
        Encoding::for_label(name.as_bytes())
    };
    let head = String::from_utf8_lossy(bytes.get(..PRESCAN).unwrap_or(bytes));
    let encoding = content_type.and_then(label).or_else(|| label(&head)).unwrap_or(UTF_8);
    encoding.decode(bytes).0.into_owned()
}
