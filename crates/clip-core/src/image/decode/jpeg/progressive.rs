//! The four kinds of progressive scan (`jdphuff.c`; T.81 annex G).

use super::{
    headers::{NATURAL, ScanHeader},
    huffman::Table,
    picture::Channel,
    scan::State,
    source::{Source, Step, failed},
};

/// Coefficients and bits that a scan brings.
#[derive(Debug)]
pub(super) struct Band {
    first: usize,
    last: usize,
    refines: bool,
    /// The bit that it brings.
    low: u32,
}

impl Band {
    /// Checks the scan, and keeps what is known of each coefficient after it.
    pub(super) fn new(scan: &ScanHeader, channels: &mut [Channel], scans: usize) -> Step<Band> {
        let (first, last) = (usize::from(scan.first), usize::from(scan.last));
        let band = match first {
            0 => last == 0,
            _ => first <= last && last < 64 && scan.components.len() == 1,
        };
        if !band || scan.high != 0 && scan.low != scan.high - 1 || scan.low > 13 {
            return failed("an impossible progressive scan");
        }
        for at in &scan.components {
            let channel = &mut channels[*at];
            for k in first.min(1)..=last.max(9) {
                channel.known_before[k] = if scans > 1 { channel.known[k] } else { 0 };
            }
            channel.known[first..=last].fill(i32::from(scan.low));
        }
        Ok(Band { first, last, refines: scan.high != 0, low: u32::from(scan.low) })
    }

    pub(super) fn needs_dc(&self) -> bool {
        self.first == 0 && !self.refines
    }

    pub(super) fn needs_ac(&self) -> bool {
        self.first > 0
    }

    /// One block; `nonzero` says which of its coefficients are not 0, by their place in the file.
    #[inline(always)]
    pub(super) fn decode(
        &self,
        source: &mut Source<'_>,
        state: &mut State,
        slot: usize,
        tables: &(Option<Table>, Option<Table>),
        (block, nonzero): (&mut [i16; 64], &mut u64),
    ) -> Step<()> {
        match (tables, self.refines) {
            ((Some(dc), _), _) => {
                let difference = state.bits.coefficient::<false>(source, dc)?.value;
                state.dc[slot] = state.dc[slot].wrapping_add(difference);
                block[0] = (state.dc[slot] << self.low) as i16;
                Ok(())
            }
            ((_, Some(ac)), false) => self.first(source, state, ac, (block, nonzero)),
            ((_, Some(ac)), true) => {
                if state.eob_run > 0 && *nonzero & self.rest(self.first) == 0 {
                    state.eob_run -= 1;
                    return Ok(());
                }
                // Until the block is complete, nothing of it counts.
                let (mut refined, mut known) = (*block, *nonzero);
                self.refine(source, state, ac, (&mut refined, &mut known))?;
                (*block, *nonzero) = (refined, known);
                Ok(())
            }
            ((None, None), _) => {
                if state.bits.get::<false>(source, 1)? == 1 {
                    block[0] |= 1 << self.low;
                }
                Ok(())
            }
        }
    }

    /// Places from `k` to the last.
    #[inline(always)]
    fn rest(&self, k: usize) -> u64 {
        if k > self.last { 0 } else { (u64::MAX << k) & (u64::MAX >> (63 - self.last)) }
    }

    /// Blocks without coefficients from here on, by an end-of-band code.
    #[inline(always)]
    fn run(&self, source: &mut Source<'_>, state: &mut State, size: u32) -> Step<()> {
        state.eob_run = 1 << size;
        if size > 0 {
            state.eob_run += state.bits.get::<false>(source, size)?;
        }
        Ok(())
    }

    #[inline(always)]
    fn first(
        &self,
        source: &mut Source<'_>,
        state: &mut State,
        table: &Table,
        (block, nonzero): (&mut [i16; 64], &mut u64),
    ) -> Step<()> {
        if state.eob_run > 0 {
            state.eob_run -= 1;
            return Ok(());
        }
        let mut k = self.first;
        while k <= self.last {
            let next = state.bits.coefficient::<false>(source, table)?;
            k += next.run;
            if next.size > 0 {
                set(block, nonzero, k, (next.value << self.low) as i16);
            } else if next.run < 15 {
                self.run(source, state, next.run as u32)?;
                state.eob_run -= 1;
                break;
            }
            k += 1;
        }
        Ok(())
    }

    #[inline(always)]
    fn refine(
        &self,
        source: &mut Source<'_>,
        state: &mut State,
        table: &Table,
        (block, nonzero): (&mut [i16; 64], &mut u64),
    ) -> Step<()> {
        let (plus, minus) = (1i16 << self.low, -1i16 << self.low);
        let mut k = self.first;
        if state.eob_run == 0 {
            while k <= self.last {
                let symbol = state.bits.symbol::<false>(source, table)?;
                let (run, size) = (symbol >> 4, symbol & 15);
                let mut value = 0;
                if size > 0 {
                    // A new coefficient can only have one bit.
                    source.damaged |= size != 1;
                    value = if state.bits.get::<false>(source, 1)? == 1 { plus } else { minus };
                } else if run != 15 {
                    self.run(source, state, run)?;
                    break;
                }
                // The run counts zeros; what is not 0 in between gets its bit.
                let rest = self.rest(k);
                let mut zeros = rest & !*nonzero;
                for _ in 0..run {
                    zeros &= zeros.wrapping_sub(1);
                }
                let stop = if zeros == 0 { self.last + 1 } else { zeros.trailing_zeros() as usize };
                self.correct(source, state, block, *nonzero & rest & !self.rest(stop))?;
                k = stop;
                if value != 0 {
                    set(block, nonzero, k, value);
                }
                k += 1;
            }
        }
        if state.eob_run > 0 {
            self.correct(source, state, block, *nonzero & self.rest(k))?;
            state.eob_run -= 1;
        }
        Ok(())
    }

    /// One more bit of each of these coefficients.
    #[inline(always)]
    fn correct(
        &self,
        source: &mut Source<'_>,
        state: &mut State,
        block: &mut [i16; 64],
        mut places: u64,
    ) -> Step<()> {
        while places != 0 {
            let value = &mut block[natural(places.trailing_zeros() as usize)];
            places &= places - 1;
            let bit = state.bits.get::<false>(source, 1)? as i16 & !(*value >> self.low);
            // Away from zero; without a branch, which would be a guess.
            let sign = *value >> 15;
            *value = value.wrapping_add(((bit << self.low) ^ sign) - sign);
        }
        Ok(())
    }
}

#[inline(always)]
fn natural(k: usize) -> usize {
    usize::from(NATURAL[k]) & 63
}

/// Damaged data may count beyond the last place.
#[inline(always)]
fn set(block: &mut [i16; 64], nonzero: &mut u64, k: usize, value: i16) {
    block[natural(k)] = value;
    let place = 1 << k.min(63);
    *nonzero = if value == 0 { *nonzero & !place } else { *nonzero | place };
}
