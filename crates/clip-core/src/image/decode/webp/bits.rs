//! Bits and prefix codes of VP8L (RFC 9649, 3.7).

use super::corrupt;
use crate::image::ImageError;

/// Bits of a VP8L stream, the lowest of each byte first.
pub(super) struct Bits<'a> {
    rest: &'a [u8],
    buffer: u64,
    filled: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(rest: &'a [u8]) -> Self {
        Bits { rest, buffer: 0, filled: 0 }
    }

    /// After this, `buffer` has at least 56 bits, or all that there are.
    fn fill(&mut self) {
        if let Some(bytes) = self.rest.first_chunk::<8>() {
            let whole = (63 - self.filled) / 8;
            self.buffer |= u64::from_le_bytes(*bytes) << self.filled;
            self.rest = &self.rest[whole as usize..];
            self.filled += whole * 8;
            return;
        }
        while self.filled <= 56
            && let Some((byte, rest)) = self.rest.split_first()
        {
            self.buffer |= u64::from(*byte) << self.filled;
            (self.rest, self.filled) = (rest, self.filled + 8);
        }
    }

    fn skip(&mut self, count: u32) -> Result<(), ImageError> {
        if self.filled < count {
            return Err(corrupt("its data stops early"));
        }
        self.buffer >>= count;
        self.filled -= count;
        Ok(())
    }

    /// At most 24 bits.
    pub(super) fn take(&mut self, count: u32) -> Result<u32, ImageError> {
        if self.filled < count {
            self.fill();
        }
        let value = self.buffer & ((1 << count) - 1);
        self.skip(count)?;
        Ok(value as u32)
    }

    pub(super) fn flag(&mut self) -> Result<bool, ImageError> {
        Ok(self.take(1)? == 1)
    }
}

/// The longest code, bits.
const LONGEST: usize = 15;

/// Codes up to so many bits are looked up at once.
const DIRECT: usize = 8;

/// A canonical prefix code.
#[derive(Debug, Default)]
pub(super) struct Code {
    /// By the next bits: symbol and length, which is 0 where the code is longer. Empty where there is
    /// only one symbol, whose code has no bits.
    direct: Vec<(u16, u8)>,
    counts: [u16; LONGEST + 1],
    /// By length, then by value.
    symbols: Vec<u16>,
}

impl Code {
    /// From the length of each symbol's code, 0 for those that have none. Codes must be complete.
    pub(super) fn new(lengths: &[u8]) -> Result<Self, ImageError> {
        let mut counts = [0u16; LONGEST + 1];
        for length in lengths {
            counts[usize::from(*length)] += 1;
        }
        counts[0] = 0;
        let mut symbols: Vec<u16> = (0u16..).take(lengths.len()).collect();
        symbols.retain(|symbol| lengths[usize::from(*symbol)] != 0);
        symbols.sort_by_key(|symbol| lengths[usize::from(*symbol)]);
        if symbols.len() == 1 {
            return Ok(Code { direct: Vec::new(), counts, symbols });
        }
        let open = counts.iter().skip(1).try_fold(1i32, |open, count| {
            Some(open * 2 - i32::from(*count)).filter(|open| *open >= 0)
        });
        if open != Some(0) {
            return Err(corrupt("a prefix code that is not complete"));
        }
        let bits = counts.iter().rposition(|count| *count != 0).unwrap_or(1).min(DIRECT);
        let mut code = Code { direct: vec![(0, 0); 1 << bits], counts, symbols };
        let (mut next, mut rest) = (0usize, code.symbols.as_slice());
        for (length, count) in counts.iter().enumerate().take(bits + 1).skip(1) {
            next <<= 1;
            let (now, later) = rest.split_at(usize::from(*count));
            for symbol in now {
                // The code's first bit is the lowest of the stream.
                let reversed = next.reverse_bits() >> (usize::BITS as usize - length);
                for place in code.direct.iter_mut().skip(reversed).step_by(1 << length) {
                    *place = (*symbol, length as u8);
                }
                next += 1;
            }
            rest = later;
        }
        Ok(code)
    }

    /// The only symbol, whose code has no bits.
    pub(super) fn only(&self) -> Option<u16> {
        if self.direct.is_empty() { self.symbols.first().copied() } else { None }
    }

    pub(super) fn read(&self, bits: &mut Bits<'_>) -> Result<usize, ImageError> {
        if let Some(symbol) = self.only() {
            return Ok(symbol.into());
        }
        if bits.filled < LONGEST as u32 {
            bits.fill();
        }
        let index = bits.buffer as usize & (self.direct.len() - 1);
        let (symbol, length) = self.direct[index];
        if length > 0 {
            bits.skip(length.into())?;
            return Ok(symbol.into());
        }
        let (mut code, mut first, mut index) = (0usize, 0, 0);
        for (length, count) in self.counts.iter().enumerate().skip(1) {
            code = code << 1 | (bits.buffer >> (length - 1) & 1) as usize;
            first <<= 1;
            let count = usize::from(*count);
            if code - first < count {
                bits.skip(length as u32)?;
                return self
                    .symbols
                    .get(index + code - first)
                    .map(|s| usize::from(*s))
                    .ok_or_else(|| corrupt("an impossible code"));
            }
            (first, index) = (first + count, index + count);
        }
        Err(corrupt("an impossible code"))
    }
}
