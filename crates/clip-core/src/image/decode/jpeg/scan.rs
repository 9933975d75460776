//! Scans: units of blocks in their order, restarts, and where coefficients go
//! (`jdinput.c`, `jdhuff.c`).

use clip_kernels::{Integers, vectorized};

use super::{
    bits::Bits,
    headers::{Headers, NATURAL},
    huffman::Table,
    picture::{Channel, Picture},
    progressive::Band,
    source::{Source, Step, Stop, failed},
    upsample::Painter,
};
use crate::image::ImageError;

/// T.81 B.2.3: an interleaved scan holds at most 10 blocks in a unit.
const MAX_BLOCKS: usize = 10;

/// What goes on from one unit to the next.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct State {
    pub bits: Bits,
    /// The latest mean of each component of the scan.
    pub dc: [i32; 4],
    /// Blocks that follow without a coefficient of the band.
    pub eob_run: u32,
}

impl Picture {
    /// Reads the scan that `headers` is at; an image that is complete with it is painted meanwhile.
    pub(super) fn scan(
        &mut self,
        headers: &Headers,
        source: &mut Source<'_>,
        painter: &mut Painter,
    ) -> Result<(), ImageError> {
        let setup = self.set_up(headers).map_err(|stop| match stop {
            Stop::Failed(error) => error,
            Stop::Suspended => unreachable!("nothing is read"),
        })?;
        vectorized(Units { picture: self, headers, setup: &setup, source, painter })
    }

    fn set_up(&mut self, headers: &Headers) -> Step<Setup> {
        let (Some(frame), scan) = (&headers.frame, &headers.scan) else {
            return failed("a scan before its frame");
        };
        let mut blocks = Vec::new();
        for (slot, at) in scan.components.iter().enumerate() {
            let channel = &mut self.channels[*at];
            let (h, v) = if scan.components.len() == 1 { (1, 1) } else { (channel.h, channel.v) };
            blocks.extend((0..v).flat_map(|y| (0..h).map(move |x| Block { slot, x, y, h, v })));
            let number = usize::from(frame.components[*at].quantizer);
            if channel.quantizers.is_none() {
                channel.quantizers = headers.quantizers.get(number).copied().flatten();
            }
            if channel.quantizers.is_none() {
                return failed("a quantization table is missing");
            }
        }
        if blocks.len() > MAX_BLOCKS {
            return failed(format!("{} blocks in a unit, 10 allowed", blocks.len()));
        }
        let band = match frame.progressive {
            true => Some(Band::new(scan, &mut self.channels, headers.scans)?),
            false => None,
        };
        let mut tables = Vec::new();
        for at in &scan.components {
            let component = &frame.components[*at];
            let dc = || {
                let slot = headers.dc.get(usize::from(component.dc_table));
                Table::new(slot.and_then(Option::as_ref), true)
            };
            let ac = || {
                let slot = headers.ac.get(usize::from(component.ac_table));
                Table::new(slot.and_then(Option::as_ref), false)
            };
            tables.push(match &band {
                None => (Some(dc()?), Some(ac()?)),
                Some(band) if band.needs_dc() => (Some(dc()?), None),
                Some(band) if band.needs_ac() => (None, Some(ac()?)),
                Some(_) => (None, None),
            });
        }
        let quantizers = scan.components.iter().map(|at| self.channels[*at].steps()).collect();
        Ok(Setup { blocks, tables, band, quantizers })
    }
}

/// The units of a scan, in their order.
struct Units<'a, 'b> {
    picture: &'a mut Picture,
    headers: &'a Headers,
    setup: &'a Setup,
    source: &'a mut Source<'b>,
    painter: &'a mut Painter,
}

impl Integers for Units<'_, '_> {
    type Output = Result<(), ImageError>;

    #[inline(always)]
    fn run(mut self) -> Result<(), ImageError> {
        let scan = &self.headers.scan;
        let first = &self.picture.channels[scan.components[0]];
        let (v, (across, down)) = match scan.components.len() {
            1 => (first.v, (first.columns, first.rows)),
            _ => (1, self.picture.units),
        };
        let mut state = State::default();
        let mut unit = [[0; 64]; MAX_BLOCKS];
        let interval = u32::from(self.headers.restart_interval);
        let (mut to_go, mut next_restart) = (interval, 0);
        for y in 0..down {
            if self.picture.one_pass && y % v == 0 {
                self.picture.channels.iter_mut().for_each(|channel| channel.clear(y / v));
            }
            for x in 0..across {
                if interval > 0 && to_go == 0 {
                    self.restart(&mut state, next_restart)?;
                    next_restart = (next_restart + 1) & 7;
                    to_go = interval;
                }
                if !state.bits.insufficient {
                    self.picture.last_good_row = y / v;
                    let at = self.source.at;
                    let before = state;
                    while let Err(stop) = self.unit((x, y), &mut state, &mut unit) {
                        (self.source.at, state) = (at, before);
                        more(self.source, stop)?;
                    }
                }
                to_go = to_go.wrapping_sub(1);
            }
            if self.picture.one_pass && ((y + 1) % v == 0 || y + 1 == down) {
                self.painter.paint(&self.picture.channels, y / v);
            }
        }
        self.source.damaged |= state.bits.drop_all();
        self.source.in_scan = true;
        Ok(())
    }
}

impl Units<'_, '_> {
    #[cold]
    fn restart(&mut self, state: &mut State, expected: u8) -> Result<(), ImageError> {
        self.source.damaged |= state.bits.drop_all();
        self.source.in_scan = true;
        while let Err(stop) = self.source.restart_marker(expected) {
            more(self.source, stop)?;
        }
        (state.dc, state.eob_run) = ([0; 4], 0);
        // Before another marker the segment is empty.
        if self.source.marker.is_none() {
            state.bits.insufficient = false;
        }
        Ok(())
    }

    /// One unit, whose coefficients pass through `unit`. What it changed before it had to stop is changed
    /// again in the same way.
    #[inline(always)]
    fn unit(
        &mut self,
        (x, y): (usize, usize),
        state: &mut State,
        unit: &mut [[i16; 64]; MAX_BLOCKS],
    ) -> Step<()> {
        let Units { picture, headers, setup, source, .. } = self;
        let (scan, restarts) = (&headers.scan, headers.restart_interval > 0);
        if let Some(band) = &setup.band {
            for block in &setup.blocks {
                let channel = &mut picture.channels[scan.components[block.slot]];
                let at = channel.index(block, x, y);
                let tables = &setup.tables[block.slot];
                let block_and_mask = (&mut channel.coefficients[at], &mut channel.nonzero[at]);
                band.decode(source, state, block.slot, tables, block_and_mask)?;
            }
            return Ok(());
        }
        // libjpeg's test of whether a marker or the end can be near.
        let far = source.available() >= 512 * setup.blocks.len();
        let mut done = false;
        if far && !restarts && source.marker.is_none() {
            let (at, before) = (source.at, *state);
            done = blocks::<true>(setup, source, state, unit).is_ok();
            if !done {
                (source.at, *state) = (at, before);
            }
        }
        if !done {
            blocks::<false>(setup, source, state, unit)?;
        }
        for (block, coefficients) in setup.blocks.iter().zip(unit) {
            let channel = &mut picture.channels[scan.components[block.slot]];
            if picture.one_pass {
                let place = (x * block.h + block.x, y * block.v + block.y);
                channel.transform(place, coefficients, &setup.quantizers[block.slot]);
                continue;
            }
            // A second scan of a component adds to the first one.
            let at = channel.index(block, x, y);
            let kept = &mut channel.coefficients[at];
            kept[0] = coefficients[0];
            for (kept, new) in kept[1..].iter_mut().zip(&coefficients[1..]) {
                if *new != 0 {
                    *kept = *new;
                }
            }
        }
        Ok(())
    }
}

/// Asks for more bytes, or ends.
fn more(source: &mut Source<'_>, stop: Stop) -> Result<(), ImageError> {
    match stop {
        Stop::Suspended => source.grow(),
        Stop::Failed(error) => Err(error),
    }
}

/// A block's place in a unit.
#[derive(Debug)]
struct Block {
    /// Its component, by its place in the scan.
    slot: usize,
    x: usize,
    y: usize,
    /// Blocks of the component in a unit.
    h: usize,
    v: usize,
}

#[derive(Debug)]
struct Setup {
    blocks: Vec<Block>,
    /// Of means and of the rest, by place in the scan.
    tables: Vec<(Option<Table>, Option<Table>)>,
    band: Option<Band>,
    quantizers: Vec<[i16; 64]>,
}

impl Channel {
    fn index(&self, block: &Block, x: usize, y: usize) -> usize {
        (y * block.v + block.y) * self.stride + x * block.h + block.x
    }
}

/// `decode_mcu_fast` and `decode_mcu_slow`.
#[inline(always)]
fn blocks<const FAST: bool>(
    setup: &Setup,
    source: &mut Source<'_>,
    state: &mut State,
    unit: &mut [[i16; 64]; MAX_BLOCKS],
) -> Step<()> {
    let mut bits = state.bits;
    for (block, out) in setup.blocks.iter().zip(unit) {
        let (Some(dc), Some(ac)) = &setup.tables[block.slot] else {
            return failed("a Huffman table is missing");
        };
        *out = [0; 64];
        let mean = &mut state.dc[block.slot];
        *mean = mean.wrapping_add(bits.coefficient::<FAST>(source, dc)?.value);
        out[0] = *mean as i16;
        let mut k = 1;
        while k < 64 {
            let next = bits.coefficient::<FAST>(source, ac)?;
            k += next.run;
            if next.size > 0 {
                out[usize::from(NATURAL[k]) & 63] = next.value as i16;
                if k >= 63 {
                    bits.after_last::<FAST>(source, next.size)?;
                }
            } else if next.run != 15 {
                break;
            }
            k += 1;
        }
    }
    state.bits = bits;
    Ok(())
}
