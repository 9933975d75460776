//! Huffman codes (`jdhuff.c`).

use super::source::{Step, failed};

/// A table as it stands in a DHT segment.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    /// Codes of each length; entry 0 is unused.
    pub counts: [u8; 17],
    pub symbols: [u8; 256],
}

impl Spec {
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Spec {
        let mut spec = Spec { counts: [0; 17], symbols: [0; 256] };
        spec.counts[1..].copy_from_slice(counts);
        for (to, from) in spec.symbols.iter_mut().zip(symbols) {
            *to = *from;
        }
        spec
    }
}

/// Bits that one look-up sees: most codes together with the number that follows.
pub(super) const WIDTH: u32 = 10;

/// What the next bits begin with, in one word: a look-up is one load.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry(u32);

impl Entry {
    /// The code is longer than a look-up.
    const LONG: Entry = Entry(0);
    const WHOLE: u32 = 1 << 19;

    fn new(length: u32, symbol: u8, following: u32) -> Entry {
        let size = u32::from(symbol & 15);
        let code = length << 6 | u32::from(symbol) << 11;
        if length + size > WIDTH {
            return Entry(code);
        }
        let number = following >> (WIDTH - length - size) & ((1 << size) - 1);
        let value = if size > 0 { extend(number, size) } else { 0 };
        Entry(code | (length + size) | Entry::WHOLE | (value as u32) << 22)
    }

    /// Whether the number that follows the code is in it too, or there is none.
    #[inline(always)]
    pub(super) fn whole(self) -> bool {
        self.0 & Entry::WHOLE != 0
    }

    /// Bits of code and number, if it is whole.
    #[inline(always)]
    pub(super) fn bits(self) -> u32 {
        self.0 & 63
    }

    /// Bits of the code; 0 if they are too many.
    #[inline(always)]
    pub(super) fn length(self) -> u32 {
        self.0 >> 6 & 31
    }

    #[inline(always)]
    pub(super) fn symbol(self) -> u32 {
        self.0 >> 11 & 0xff
    }

    /// The number, if it is whole.
    #[inline(always)]
    pub(super) fn value(self) -> i32 {
        self.0 as i32 >> 22
    }
}

/// `size` bits (one or more) as a signed number (T.81 F.2.2.1).
#[inline(always)]
pub(super) fn extend(bits: u32, size: u32) -> i32 {
    let bits = bits as i32;
    if bits < 1 << (size - 1) { bits - (1 << size) + 1 } else { bits }
}

/// A table made ready to decode (`jpeg_make_d_derived_tbl`).
#[derive(Debug)]
pub(super) struct Table {
    /// By the next [`WIDTH`] bits.
    pub lookup: [Entry; 1 << WIDTH],
    /// The last code of each length, -1 for none; 17 ends every search.
    pub last: [i32; 18],
    /// What to add to a code of that length to find its symbol.
    pub offset: [i32; 18],
    pub symbols: [u8; 256],
}

impl Table {
    pub(super) fn new(spec: Option<&Spec>, dc: bool) -> Step<Table> {
        let Some(spec) = spec else { return failed("a Huffman table is missing") };
        let impossible = || failed("an impossible Huffman table");
        let mut table = Table {
            lookup: [Entry::LONG; 1 << WIDTH],
            last: [-1; 18],
            offset: [0; 18],
            symbols: spec.symbols,
        };
        let total: usize = spec.counts.iter().map(|n| usize::from(*n)).sum();
        if total > 256 {
            return impossible();
        }
        let (mut code, mut index) = (0i32, 0usize);
        for length in 1..=16u32 {
            let count = i32::from(spec.counts[length as usize]);
            if count > 0 {
                table.offset[length as usize] = index as i32 - code;
                table.last[length as usize] = code + count - 1;
                for _ in 0..count {
                    if length <= WIDTH && code < 1 << length {
                        table.look_up(code as usize, length, spec.symbols[index]);
                    }
                    (code, index) = (code + 1, index + 1);
                }
                // No code is all ones.
                if code >= 1 << length {
                    return impossible();
                }
            }
            code <<= 1;
        }
        table.last[17] = i32::MAX;
        // T.81 F.1.2.1: they are numbers of bits.
        if dc && spec.symbols[..total].iter().any(|symbol| *symbol > 15) {
            return impossible();
        }
        Ok(table)
    }

    fn look_up(&mut self, code: usize, length: u32, symbol: u8) {
        let shift = WIDTH - length;
        let entries = &mut self.lookup[code << shift..(code + 1) << shift];
        for (following, entry) in (0..).zip(entries) {
            *entry = Entry::new(length, symbol, following);
        }
    }
}
