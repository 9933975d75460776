//! The bits of a scan (`jdhuff.c`). When libjpeg asks for more decides whether a file that stops early is
//! an image, so more is asked for here exactly when it does.

use super::{
    huffman::{Entry, Table, WIDTH, extend},
    source::{Source, Step, Stop},
};

/// libjpeg's `HUFF_LOOKAHEAD`.
const LOOKAHEAD: u32 = 8;
/// libjpeg's `MIN_GET_BITS` on 64-bit machines.
const FULL: u32 = 57;

/// What was read and not yet used. Copied where libjpeg may have to go back to it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bits {
    /// The next bit is the highest one; zeros behind the last.
    ahead: u64,
    left: u32,
    /// A marker came before the data was complete: the rest of the segment is zeros.
    pub insufficient: bool,
}

/// A symbol of run and size, and the number of that size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coefficient {
    pub run: usize,
    pub size: u32,
    /// 0 without a size.
    pub value: i32,
}

impl Coefficient {
    #[inline(always)]
    fn new(symbol: u32, value: i32) -> Self {
        Coefficient { run: symbol as usize >> 4, size: symbol & 15, value }
    }
}

impl Bits {
    /// At the end of a segment: what is left is dropped. Whether it was data and not padding.
    pub(super) fn drop_all(&mut self) -> bool {
        let whole = self.left / 8;
        // The low bytes are those that were read last.
        let bytes = self.ahead.checked_shr(64 - self.left).unwrap_or(0).to_le_bytes();
        (self.ahead, self.left) = (0, 0);
        !self.insufficient && bytes.iter().take(whole as usize).any(|b| !matches!(b, 0 | 0xff))
    }

    /// `jpeg_fill_bit_buffer`.
    #[inline(never)]
    fn fill(&mut self, source: &mut Source<'_>, wanted: u32) -> Step<()> {
        if source.marker.is_none() && self.left < FULL && self.fill_at_once(source) {
            return Ok(());
        }
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
            self.push(byte);
        }
        if source.marker.is_some() && wanted > self.left {
            self.insufficient = true;
            source.damaged = true;
            self.left = FULL;
        }
        Ok(())
    }

    /// The bytes that [`Bits::fill`] reads, if they are there and none is 0xff.
    fn fill_at_once(&mut self, source: &mut Source<'_>) -> bool {
        let Some(next) = source.data[..source.limit].get(source.at..).and_then(<[u8]>::first_chunk)
        else {
            return false;
        };
        let count = (64 - self.left) / 8;
        let word = u64::from_be_bytes(*next) & (u64::MAX << (64 - 8 * count));
        if has_ff(word) {
            return false;
        }
        self.ahead |= word >> self.left;
        self.left += 8 * count;
        source.at += count as usize;
        true
    }

    /// `FILL_BIT_BUFFER_FAST`: six bytes at once. A marker is left to the careful way.
    #[inline(always)]
    fn fill_fast(&mut self, source: &mut Source<'_>) -> Step<()> {
        if self.left > 16 {
            return Ok(());
        }
        let Some(next) = source.data.get(source.at..).and_then(<[u8]>::first_chunk) else {
            return Err(Stop::Suspended);
        };
        let word = u64::from_be_bytes(*next) >> 16;
        if has_ff(word) {
            return self.fill_past_ff(source);
        }
        self.ahead |= word << (16 - self.left);
        self.left += 48;
        source.at += 6;
        Ok(())
    }

    #[cold]
    fn fill_past_ff(&mut self, source: &mut Source<'_>) -> Step<()> {
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
            self.push(*byte);
        }
        Ok(())
    }

    fn push(&mut self, byte: u8) {
        self.ahead |= u64::from(byte) << (56 - self.left);
        self.left += 8;
    }

    #[inline(always)]
    fn skip(&mut self, count: u32) {
        self.ahead <<= count;
        self.left -= count;
    }

    /// One bit or more.
    #[inline(always)]
    fn take(&mut self, count: u32) -> u32 {
        let bits = self.ahead >> (64 - count);
        self.skip(count);
        bits as u32
    }

    /// The next `count` bits (1 to 16).
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

    /// What comes next.
    #[inline(always)]
    fn look<const FAST: bool>(&mut self, source: &mut Source<'_>, table: &Table) -> Step<Entry> {
        if FAST {
            self.fill_fast(source)?;
        } else if self.left < LOOKAHEAD {
            self.fill(source, 0)?;
        }
        Ok(table.lookup[(self.ahead >> (64 - WIDTH)) as usize])
    }

    /// The next symbol; 0 for a code that the table does not have.
    #[inline(always)]
    pub(super) fn symbol<const FAST: bool>(
        &mut self,
        source: &mut Source<'_>,
        table: &Table,
    ) -> Step<u32> {
        let entry = self.look::<FAST>(source, table)?;
        if entry.length() == 0 || !FAST && entry.length() > self.left {
            return self.long::<FAST>(source, table);
        }
        self.skip(entry.length());
        Ok(entry.symbol())
    }

    /// The next symbol, and the number that it announces.
    #[inline(always)]
    pub(super) fn coefficient<const FAST: bool>(
        &mut self,
        source: &mut Source<'_>,
        table: &Table,
    ) -> Step<Coefficient> {
        let entry = self.look::<FAST>(source, table)?;
        // Where its bits are there, libjpeg does not ask for more between the code and the number either,
        // or it asks for what it would ask for before the next code.
        if entry.whole() && (FAST || entry.bits() <= self.left) {
            self.skip(entry.bits());
            return Ok(Coefficient::new(entry.symbol(), entry.value()));
        }
        let symbol = self.symbol::<FAST>(source, table)?;
        let value = match symbol & 15 {
            0 => 0,
            size => extend(self.get::<FAST>(source, size)?, size),
        };
        Ok(Coefficient::new(symbol, value))
    }

    /// After a block's last coefficient, which no code follows: what [`Bits::coefficient`] left out.
    #[inline(always)]
    pub(super) fn after_last<const FAST: bool>(
        &mut self,
        source: &mut Source<'_>,
        size: u32,
    ) -> Step<()> {
        if FAST && self.left + size <= 16 { self.fill_fast(source) } else { Ok(()) }
    }

    /// `jpeg_huff_decode`: bit by bit.
    #[inline(never)]
    fn long<const FAST: bool>(&mut self, source: &mut Source<'_>, table: &Table) -> Step<u32> {
        let mut more = |bits: &mut Bits, count: u32| {
            if !FAST && bits.left < count {
                bits.fill(source, count)?;
            }
            Ok::<i32, Stop>(bits.take(count) as i32)
        };
        let mut length = if FAST || self.left >= LOOKAHEAD { LOOKAHEAD as usize + 1 } else { 1 };
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

/// Subtracting 1 from every byte of the complement borrows only where a byte is 0xff.
#[inline(always)]
fn has_ff(word: u64) -> bool {
    (!word).wrapping_sub(0x0101_0101_0101_0101) & word & 0x8080_8080_8080_8080 != 0
}

#[cfg(test)]
mod tests {
    use super::{super::standard, *};

    /// A block of coefficients, by numbers that come with their codes, or one after the other as libjpeg
    /// reads them.
    fn block<const FAST: bool>(
        together: bool,
        source: &mut Source<'_>,
        bits: &mut Bits,
        table: &Table,
    ) -> Step<Vec<(usize, i32)>> {
        let (mut found, mut k) = (Vec::new(), 1);
        while k < 64 {
            let next = if together {
                bits.coefficient::<FAST>(source, table)?
            } else {
                let symbol = bits.symbol::<FAST>(source, table)?;
                let value = match symbol & 15 {
                    0 => 0,
                    size => extend(bits.get::<FAST>(source, size)?, size),
                };
                Coefficient::new(symbol, value)
            };
            k += next.run;
            if next.size > 0 {
                found.push((k, next.value));
                if together && k >= 63 {
                    bits.after_last::<FAST>(source, next.size)?;
                }
            } else if next.run != 15 {
                break;
            }
            k += 1;
        }
        Ok(found)
    }

    /// The same numbers, and no byte is asked for earlier or later.
    fn both_ways<const FAST: bool>(data: &[u8]) -> usize {
        let [(_, ac), _] = standard::tables();
        let table = Table::new(Some(&ac), false).expect("the standard's table");
        let mut ways = [true, false].map(|together| (together, Source::new(data), Bits::default()));
        for count in 0.. {
            let [one, other] = ways.each_mut().map(|(together, source, bits)| {
                let found = block::<FAST>(*together, source, bits, &table).ok();
                (found, source.at, source.marker, bits.ahead, bits.left, bits.insufficient)
            });
            if one.0.is_none() || one.5 {
                assert_eq!((one.0, one.5), (other.0, other.5));
                return count;
            }
            assert_eq!(one, other, "block {count}");
        }
        0
    }

    #[test]
    fn bytes_are_asked_for_when_libjpeg_does() {
        let mut random = 17u64;
        for end in [&[][..], &[0xff, 0xd9]] {
            let mut data: Vec<u8> = (0..60_000)
                .flat_map(|_| {
                    random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
                    let byte = (random >> 56) as u8;
                    if byte == 0xff { vec![0xff, 0] } else { vec![byte] }
                })
                .collect();
            data.extend(end);
            assert!(both_ways::<true>(&data) > 1000);
            assert!(both_ways::<false>(&data) > 1000);
        }
    }
}
