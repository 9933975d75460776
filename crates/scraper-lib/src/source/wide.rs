//! UTF-16 as UTF-8: what spreadsheets call "Unicode text".

use std::io::{self, BufRead, BufReader, Cursor, Read};

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_16BE, UTF_16LE};

/// Bytes of UTF-8 that are decoded at once.
const ROOM: usize = 32 << 10;

/// The same text as UTF-8 where it is UTF-16, told by its mark or by the zeros of its first
/// letters; else as it is. Halves of surrogate pairs are U+FFFD.
///
/// # Errors
/// The reader's.
pub(super) fn decoded<'a>(mut reader: impl BufRead + 'a) -> io::Result<Box<dyn BufRead + 'a>> {
    let mut start = Vec::new();
    reader.by_ref().take(4).read_to_end(&mut start)?;
    let encoding = match *start.as_slice() {
        [0xff, 0xfe, ..] => Some(UTF_16LE),
        [0xfe, 0xff, ..] => Some(UTF_16BE),
        [1..=255, 0, 1..=255, 0] => Some(UTF_16LE),
        [0, 1..=255, 0, 1..=255] => Some(UTF_16BE),
        _ => None,
    };
    let whole = Cursor::new(start).chain(reader);
    Ok(match encoding {
        Some(encoding) => Box::new(BufReader::new(Utf8::new(whole, encoding))),
        None => Box::new(whole),
    })
}

struct Utf8<R> {
    inner: R,
    decoder: Decoder,
    ready: Vec<u8>,
    /// How much of `ready` is text, and how much of that was given.
    filled: usize,
    given: usize,
    ended: bool,
}

impl<R: BufRead> Utf8<R> {
    fn new(inner: R, encoding: &'static Encoding) -> Self {
        let decoder = encoding.new_decoder_with_bom_removal();
        Utf8 { inner, decoder, ready: vec![0; ROOM], filled: 0, given: 0, ended: false }
    }
}

impl<R: BufRead> Read for Utf8<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.given == self.filled && !self.ended {
            let input = self.inner.fill_buf()?;
            let last = input.is_empty();
            let (result, read, written, _) =
                self.decoder.decode_to_utf8(input, &mut self.ready, last);
            self.inner.consume(read);
            (self.filled, self.given) = (written, 0);
            self.ended = last && result == CoderResult::InputEmpty;
        }
        let rest = self.ready.get(self.given..self.filled).unwrap_or_default();
        let count = rest.len().min(out.len());
        if let (Some(to), Some(from)) = (out.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8], pieces: usize) -> Vec<u8> {
        let mut text = Vec::new();
        let reader = BufReader::with_capacity(pieces, bytes);
        decoded(reader).unwrap().read_to_end(&mut text).unwrap();
        text
    }

    #[test]
    fn wide_text_in_pieces_of_any_size() {
        let long = format!("id,größe 👗\n{}", "é👗,x\n".repeat(9000));
        let units = |text: &str| text.encode_utf16().collect::<Vec<_>>();
        let little = |text: &str| units(text).iter().flat_map(|u| u.to_le_bytes()).collect();
        let big = |text: &str| units(text).iter().flat_map(|u| u.to_be_bytes()).collect();
        let marked = format!("\u{feff}{long}");
        let forms: [Vec<u8>; 4] = [little(&long), big(&long), little(&marked), big(&marked)];
        for bytes in forms {
            for pieces in [1, 3, 4096] {
                assert!(text(&bytes, pieces) == long.as_bytes());
            }
        }
        let half: Vec<u8> =
            [0x61, 0x62, 0xd83d, 0x63].iter().flat_map(|u: &u16| u.to_le_bytes()).collect();
        assert_eq!(text(&half, 2), "ab\u{fffd}c".as_bytes());
        for plain in [&b"id"[..], b"", b"i", b"\xff", b"id,image\n\x00"] {
            assert_eq!(text(plain, 1), plain);
        }
    }
}
