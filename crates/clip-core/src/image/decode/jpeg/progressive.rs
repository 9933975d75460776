//! The four kinds of progressive scan (`jdphuff.c`; T.81 annex G).

use super::{
    headers::{NATURAL, ScanHeader},
    huffman::Table,
    scan::{Channel, State},
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

    pub(super) fn decode(
        &self,
        source: &mut Source<'_>,
        state: &mut State,
        slot: usize,
        tables: &(Option<Table>, Option<Table>),
        block: &mut [i16; 64],
    ) -> Step<()> {
        match (tables, self.refines) {
            ((Some(dc), _), _) => {
                let difference = state.bits.coefficient::<false>(source, dc)?.value;
                state.dc[slot] = state.dc[slot].wrapping_add(difference);
                block[0] = (state.dc[slot] << self.low) as i16;
                Ok(())
            }
            ((_, Some(ac)), false) => self.first(source, state, ac, block),
            ((_, Some(ac)), true) => {
                // Until the block is complete, nothing of it counts.
                let mut refined = *block;
                self.refine(source, state, ac, &mut refined)?;
                *block = refined;
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

    /// Blocks without coefficients from here on, by an end-of-band code.
    fn run(&self, source: &mut Source<'_>, state: &mut State, size: u32) -> Step<()> {
        state.eob_run = 1 << size;
        if size > 0 {
            state.eob_run += state.bits.get::<false>(source, size)?;
        }
        Ok(())
    }

    fn first(
        &self,
        source: &mut Source<'_>,
        state: &mut State,
        table: &Table,
        block: &mut [i16; 64],
    ) -> Step<()> {
        if state.eob_run > 0 {
            state.eob_run -= 1;
            return Ok(());
        }
        let mut k = self.first;
        while k <= self.last {
            let next = state.bits.coefficient::<false>(source, table)?;
            if next.size > 0 {
                k += next.run;
                block[usize::from(NATURAL[k]) & 63] = (next.value << self.low) as i16;
            } else if next.run == 15 {
                k += 15;
            } else {
                self.run(source, state, next.run as u32)?;
                state.eob_run -= 1;
                break;
            }
            k += 1;
        }
        Ok(())
    }

    fn refine(
        &self,
        source: &mut Source<'_>,
        state: &mut State,
        table: &Table,
        block: &mut [i16; 64],
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
                let mut zeros = run;
                while k <= self.last {
                    let coefficient = &mut block[usize::from(NATURAL[k])];
                    if *coefficient != 0 {
                        self.correct(source, state, coefficient)?;
                    } else if zeros == 0 {
                        break;
                    } else {
                        zeros -= 1;
                    }
                    k += 1;
                }
                if value != 0 {
                    block[usize::from(NATURAL[k])] = value;
                }
                k += 1;
            }
        }
        if state.eob_run > 0 {
            for at in NATURAL.iter().take(self.last + 1).skip(k) {
                let coefficient = &mut block[usize::from(*at)];
                if *coefficient != 0 {
                    self.correct(source, state, coefficient)?;
                }
            }
            state.eob_run -= 1;
        }
        Ok(())
    }

    /// One more bit of a coefficient.
    fn correct(&self, source: &mut Source<'_>, state: &mut State, value: &mut i16) -> Step<()> {
        let bit = 1i16 << self.low;
        if state.bits.get::<false>(source, 1)? == 1 && *value & bit == 0 {
            *value = value.wrapping_add(if *value >= 0 { bit } else { -bit });
        }
        Ok(())
    }
}
