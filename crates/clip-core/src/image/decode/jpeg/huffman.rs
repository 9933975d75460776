//! Huffman codes and the bits they are made of (`jdhuff.c`).

use super::source::{Source, Step, Stop, failed};

/// A table as it stands in a DHT segment.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    /// Codes of each length; entry 0 is unused.
    pub counts: [u8; 17],
    pub symbols: [u8; 256],
}

impl Spec {
    /// The tables of T.81 K.3, which motion JPEG leaves out: `(dc, ac)` for brightness and colour.
    pub(super) fn standard() -> [(Spec, Spec); 2] {
        let dc = |counts: [u8; 16]| {
            let symbols: Vec<u8> = (0..12).collect();
            Spec::new(&counts, &symbols)
        };
        [
            (
                dc([0, 1, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]),
                Spec::new(&[0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7d], &LUMINANCE),
            ),
            (
                dc([0, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]),
                Spec::new(&[0, 2, 1, 2, 4, 4, 3, 4, 7, 5, 4, 4, 0, 1, 2, 0x77], &CHROMINANCE),
            ),
        ]
    }

    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Spec {
        let mut spec = Spec { counts: [0; 17], symbols: [0; 256] };
        spec.counts[1..].copy_from_slice(counts);
        for (to, from) in spec.symbols.iter_mut().zip(symbols) {
            *to = *from;
        }
        spec
    }
}

/// Bits that one look-up decides.
const LOOKAHEAD: u32 = 8;

/// A table made ready to decode (`jpeg_make_d_derived_tbl`).
#[derive(Debug)]
pub(super) struct Table {
    /// By the next 8 bits: the code's length in the high byte (9: longer), its symbol in the low one.
    lookup: [u16; 256],
    /// The last code of each length, -1 for none; 17 ends every search.
    last: [i32; 18],
    /// What to add to a code of that length to find its symbol.
    offset: [i32; 18],
    symbols: [u8; 256],
}

impl Table {
    pub(super) fn new(spec: Option<&Spec>, dc: bool) -> Step<Table> {
        let Some(spec) = spec else { return failed("a Huffman table is missing") };
        let impossible = || failed("an impossible Huffman table");
        let mut table = Table {
            lookup: [(LOOKAHEAD as u16 + 1) << 8; 256],
            last: [-1; 18],
            offset: [0; 18],
            symbols: spec.symbols,
        };
        let total: usize = spec.counts.iter().map(|n| usize::from(*n)).sum();
        if total > 256 {
            return impossible();
        }
        let (mut code, mut index) = (0i32, 0usize);
        for length in 1..=16usize {
            let count = i32::from(spec.counts[length]);
            if count > 0 {
                table.offset[length] = index as i32 - code;
                table.last[length] = code + count - 1;
                for _ in 0..count {
                    if length as u32 <= LOOKAHEAD && code < 1 << length {
                        let shift = LOOKAHEAD - length as u32;
                        let first = (code as usize) << shift;
                        let entry = (length as u16) << 8 | u16::from(spec.symbols[index]);
                        table.lookup[first..first + (1 << shift)].fill(entry);
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
}

/// The bits of a scan. Copied where libjpeg may have to go back to them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bits {
    buffer: u64,
    left: u32,
    /// A marker came before the data was complete: the rest of the segment is zeros.
    pub insufficient: bool,
}

/// libjpeg's `MIN_GET_BITS` on 64-bit machines.
const FULL: u32 = 57;

impl Bits {
    /// At the end of a segment: what is left is dropped. Whether it was data and not padding.
    pub(super) fn drop_all(&mut self) -> bool {
        let whole = self.left / 8;
        self.left = 0;
        let bytes = self.buffer.to_le_bytes();
        !self.insufficient && bytes.iter().take(whole as usize).any(|b| !matches!(b, 0 | 0xff))
    }

    /// `jpeg_fill_bit_buffer`.
    #[inline(never)]
    fn fill(&mut self, source: &mut Source<'_>, wanted: u32) -> Step<()> {
        while self.left < FULL && source.marker.is_none() {
            let mut byte = source.byte()?;
            if byte == 0xff {
                while byte == 0xff {
                    byte = source.byte()?;
                }
                if byte != 0 {
                    source.marker = Some(byte);
                    break;
                }
                byte = 0xff;
            }
            self.buffer = self.buffer << 8 | u64::from(byte);
            self.left += 8;
        }
        if source.marker.is_some() && wanted > self.left {
            self.insufficient = true;
            source.damaged = true;
            self.buffer <<= FULL - self.left;
            self.left = FULL;
        }
        Ok(())
    }

    /// `FILL_BIT_BUFFER_FAST`: six bytes at once. A marker is left to the careful way.
    #[inline(always)]
    fn fill_fast(&mut self, source: &mut Source<'_>) -> Step<()> {
        if self.left > 16 {
            return Ok(());
        }
        let Some(next) = source.data.get(source.at..).and_then(<[u8]>::first_chunk::<8>) else {
            return Err(Stop::Suspended);
        };
        let word = u64::from_be_bytes(*next) >> 16;
        // Subtracting 1 from every byte of the complement borrows only where a byte is 0xff.
        let complement = !word & 0xffff_ffff_ffff;
        if complement.wrapping_sub(0x0101_0101_0101) & word & 0x8080_8080_8080 == 0 {
            self.buffer = self.buffer << 48 | word;
            self.left += 48;
            source.at += 6;
            return Ok(());
        }
        for _ in 0..6 {
            let Some([byte, after]) =
                source.data.get(source.at..).and_then(<[u8]>::first_chunk::<2>)
            else {
                return Err(Stop::Suspended);
            };
            source.at += 1;
            if *byte == 0xff {
                if *after != 0 {
                    return Err(Stop::Suspended);
                }
                source.at += 1;
            }
            self.buffer = self.buffer << 8 | u64::from(*byte);
            self.left += 8;
        }
        Ok(())
    }

    #[inline(always)]
    fn peek(&self, count: u32) -> u32 {
        ((self.buffer >> (self.left - count)) & ((1 << count) - 1)) as u32
    }

    #[inline(always)]
    fn take(&mut self, count: u32) -> u32 {
        let bits = self.peek(count);
        self.left -= count;
        bits
    }

    /// The next `count` bits (up to 16).
    #[inline(always)]
    pub(super) fn get<const FAST: bool>(
        &mut self,
        source: &mut Source<'_>,
        count: u32,
    ) -> Step<u32> {
        if FAST {
            self.fill_fast(source)?;
        } else if self.left < count {
            self.fill(source, count)?;
        }
        Ok(self.take(count))
    }

    /// `count` bits as a signed number (T.81 F.2.2.1, EXTEND).
    #[inline(always)]
    pub(super) fn signed<const FAST: bool>(
        &mut self,
        source: &mut Source<'_>,
        count: u32,
    ) -> Step<i32> {
        let bits = self.get::<FAST>(source, count)? as i32;
        Ok(if bits < 1 << (count - 1) { bits - (1 << count) + 1 } else { bits })
    }

    /// The next symbol; 0 for a code that the table does not have.
    #[inline(always)]
    pub(super) fn symbol<const FAST: bool>(
        &mut self,
        source: &mut Source<'_>,
        table: &Table,
    ) -> Step<u32> {
        if FAST {
            self.fill_fast(source)?;
        } else if self.left < LOOKAHEAD {
            self.fill(source, 0)?;
            if self.left < LOOKAHEAD {
                return self.long::<FAST>(source, table, 1);
            }
        }
        let entry = table.lookup[self.peek(LOOKAHEAD) as usize];
        let length = u32::from(entry >> 8);
        if length <= LOOKAHEAD {
            self.left -= length;
            return Ok(u32::from(entry & 0xff));
        }
        self.long::<FAST>(source, table, LOOKAHEAD as usize + 1)
    }

    /// `jpeg_huff_decode`: bit by bit.
    fn long<const FAST: bool>(
        &mut self,
        source: &mut Source<'_>,
        table: &Table,
        mut length: usize,
    ) -> Step<u32> {
        let mut more = |bits: &mut Bits, count: u32| {
            if !FAST && bits.left < count {
                bits.fill(source, count)?;
            }
            Ok::<i32, Stop>(bits.take(count) as i32)
        };
        let mut code = more(self, length as u32)?;
        while code > table.last[length] {
            code = code << 1 | more(self, 1)?;
            length += 1;
        }
        if length > 16 {
            source.damaged = true;
            return Ok(0);
        }
        let at = (code + table.offset[length]) as usize & 0xff;
        Ok(u32::from(table.symbols[at]))
    }
}

const LUMINANCE: [u8; 162] = [
    0x01, 0x02, 0x03, 0x00, 0x04, 0x11, 0x05, 0x12, 0x21, 0x31, 0x41, 0x06, 0x13, 0x51, 0x61, 0x07,
    0x22, 0x71, 0x14, 0x32, 0x81, 0x91, 0xa1, 0x08, 0x23, 0x42, 0xb1, 0xc1, 0x15, 0x52, 0xd1, 0xf0,
    0x24, 0x33, 0x62, 0x72, 0x82, 0x09, 0x0a, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x25, 0x26, 0x27, 0x28,
    0x29, 0x2a, 0x34, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48, 0x49,
    0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69,
    0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89,
    0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
    0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3, 0xc4, 0xc5,
    0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xe1, 0xe2,
    0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];

const CHROMINANCE: [u8; 162] = [
    0x00, 0x01, 0x02, 0x03, 0x11, 0x04, 0x05, 0x21, 0x31, 0x06, 0x12, 0x41, 0x51, 0x07, 0x61, 0x71,
    0x13, 0x22, 0x32, 0x81, 0x08, 0x14, 0x42, 0x91, 0xa1, 0xb1, 0xc1, 0x09, 0x23, 0x33, 0x52, 0xf0,
    0x15, 0x62, 0x72, 0xd1, 0x0a, 0x16, 0x24, 0x34, 0xe1, 0x25, 0xf1, 0x17, 0x18, 0x19, 0x1a, 0x26,
    0x27, 0x28, 0x29, 0x2a, 0x35, 0x36, 0x37, 0x38, 0x39, 0x3a, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,
    0x49, 0x4a, 0x53, 0x54, 0x55, 0x56, 0x57, 0x58, 0x59, 0x5a, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68,
    0x69, 0x6a, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78, 0x79, 0x7a, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87,
    0x88, 0x89, 0x8a, 0x92, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a, 0xa2, 0xa3, 0xa4, 0xa5,
    0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xc2, 0xc3,
    0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca, 0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda,
    0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa,
];
