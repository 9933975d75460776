//! Lines of a text that nobody vouches for: none is held that is longer than any record.

use std::io::{self, BufRead};

/// The longest line that is read, and the longest record over several, in bytes. What is longer
/// is no product; reading it whole could exhaust memory.
pub(super) const MAX_LINE: usize = 4 << 20;
/// The same, for messages.
pub(super) const TOO_LONG: &str = "it is longer than 4 MiB";

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ends {
    /// A line feed.
    Feed,
    /// A line feed, a carriage return, or both, as in tables.
    Either,
}

/// A line without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    Text(Vec<u8>),
    /// More than [`MAX_LINE`]; it has been passed over.
    TooLong,
}

/// Lines with their numbers, from 1.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: R,
    ends: Ends,
    number: u64,
    /// The last line ended with a carriage return: a line feed right after it ends nothing.
    returned: bool,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R, ends: Ends) -> Self {
        Lines { reader, ends, number: 0, returned: false }
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// The reader's.
    pub(super) fn next(&mut self) -> io::Result<Option<(u64, Line)>> {
        let (mut line, mut long, mut begun) = (Vec::new(), false, false);
        loop {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            if available.is_empty() {
                if !begun {
                    return Ok(None);
                }
                break;
            }
            if std::mem::take(&mut self.returned) && available.first() == Some(&b'\n') {
                self.reader.consume(1);
                continue;
            }
            begun = true;
            let either = self.ends == Ends::Either;
            let end = available.iter().position(|&b| b == b'\n' || (either && b == b'\r'));
            let part = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
            if long || line.len() + part.len() > MAX_LINE {
                (long, line) = (true, Vec::new());
            } else {
                line.extend_from_slice(part);
            }
            let Some(end) = end else {
                let length = available.len();
                self.reader.consume(length);
                continue;
            };
            self.returned = available.get(end) == Some(&b'\r');
            self.reader.consume(end + 1);
            break;
        }
        self.number += 1;
        let line = if long { Line::TooLong } else { Line::Text(line) };
        Ok(Some((self.number, line)))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use super::*;

    fn all(text: &[u8], ends: Ends) -> Vec<String> {
        // Small pieces, so that ends fall between them.
        let mut lines = Lines::new(BufReader::with_capacity(3, text), ends);
        let mut found = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            assert_eq!(number as usize, found.len() + 1);
            found.push(match line {
                Line::Text(text) => String::from_utf8(text).unwrap(),
                Line::TooLong => "too long".into(),
            });
        }
        found
    }

    #[test]
    fn every_kind_of_end() {
        assert_eq!(all(b"a\nbc\r\n\nd", Ends::Feed), ["a", "bc\r", "", "d"]);
        assert_eq!(all(b"a\nbc\r\n\r\nd\re\r", Ends::Either), ["a", "bc", "", "d", "e"]);
        assert_eq!(all(b"", Ends::Either), [""; 0]);
        assert_eq!(all(b"\n", Ends::Feed), [""]);
    }

    #[test]
    fn a_line_without_end_takes_no_memory() {
        let endless = std::io::repeat(b'x').take(200 << 20).chain(&b"\nshort\n"[..]);
        let mut lines = Lines::new(BufReader::new(endless), Ends::Either);
        assert_eq!(lines.next().unwrap(), Some((1, Line::TooLong)));
        assert_eq!(lines.next().unwrap(), Some((2, Line::Text(b"short".to_vec()))));
        assert_eq!(lines.next().unwrap(), None);
    }
}
