//! Scans: units of blocks in their order, restarts, and where coefficients go
//! (`jdinput.c`, `jdcoefct.c`, `jdhuff.c`).

use clip_kernels::{Integers, vectorized};

use super::{
    bits::Bits,
    headers::{Headers, NATURAL},
    huffman::Table,
    idct,
    progressive::Band,
    smooth::{self, Rows},
    source::{Source, Step, Stop, failed},
};
use crate::image::ImageError;

/// T.81 B.2.3: an interleaved scan holds at most 10 blocks in a unit.
const MAX_BLOCKS: usize = 10;

/// A component's place in the image, and its data.
#[derive(Debug)]
pub(super) struct Channel {
    pub h: usize,
    pub v: usize,
    /// Blocks that hold samples of the image.
    pub columns: usize,
    pub rows: usize,
    /// Blocks in a row of the arrays below, which hold whole units.
    pub stride: usize,
    /// As it was when the component's first scan began.
    pub quantizers: Option<[u16; 64]>,
    /// Blocks in rows; empty if one pass is enough.
    pub coefficients: Vec<[i16; 64]>,
    /// Progressive: which coefficients of each block are not 0, by their place in the file.
    pub nonzero: Vec<u64>,
    /// `8 * stride` samples in a row; grey until they are known.
    pub samples: Vec<u8>,
    /// Progressive: the lowest bit known of each coefficient (-1: none), and before the latest scan.
    pub known: [i32; 64],
    pub known_before: [i32; 64],
}

/// The picture while it is read.
#[derive(Debug)]
pub(super) struct Picture {
    pub progressive: bool,
    pub channels: Vec<Channel>,
    /// Units of all components, across and down.
    units: (usize, usize),
    one_pass: bool,
    /// The last row of units of the latest scan whose data had not run out.
    pub last_good_row: usize,
}

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
    /// For the frame and its first scan.
    pub(super) fn new(headers: &Headers) -> Step<Picture> {
        let Some(frame) = &headers.frame else { return failed("a scan before its frame") };
        let factors = || frame.components.iter().map(|c| (c.h, c.v));
        if factors().any(|(h, v)| !(1..=4).contains(&h) || !(1..=4).contains(&v)) {
            return failed("impossible sampling factors");
        }
        let h_max = factors().map(|f| f.0).max().unwrap_or(1);
        let v_max = factors().map(|f| f.1).max().unwrap_or(1);
        let units = (frame.width.div_ceil(8 * h_max), frame.height.div_ceil(8 * v_max));
        let count = frame.components.len();
        let one_pass = !frame.progressive && headers.scan.components.len() == count;
        let channels = factors().map(|(h, v)| {
            let stride = units.0 * h;
            let blocks = stride * units.1 * v;
            Channel {
                h,
                v,
                columns: (frame.width * h).div_ceil(8 * h_max),
                rows: (frame.height * v).div_ceil(8 * v_max),
                stride,
                quantizers: None,
                coefficients: vec![[0; 64]; if one_pass { 0 } else { blocks }],
                nonzero: vec![0; if frame.progressive { blocks } else { 0 }],
                samples: vec![128; 64 * blocks],
                known: [-1; 64],
                known_before: [0; 64],
            }
        });
        let channels = channels.collect();
        Ok(Picture { progressive: frame.progressive, channels, units, one_pass, last_good_row: 0 })
    }

    pub(super) fn one_pass(&self) -> bool {
        self.one_pass
    }

    /// Reads the scan that `headers` is at.
    pub(super) fn scan(
        &mut self,
        headers: &Headers,
        source: &mut Source<'_>,
    ) -> Result<(), ImageError> {
        let setup = self.set_up(headers).map_err(|stop| match stop {
            Stop::Failed(error) => error,
            Stop::Suspended => unreachable!("nothing is read"),
        })?;
        vectorized(Units { picture: self, headers, setup: &setup, source })
    }

    /// Samples of an image whose coefficients are all there.
    pub(super) fn transform(&mut self, scans: usize) {
        vectorized(Transform { picture: self, scans });
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

/// [`Picture::transform`].
struct Transform<'a> {
    picture: &'a mut Picture,
    scans: usize,
}

impl Integers for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Transform { picture, scans } = self;
        let rows = Rows { total: picture.units.1, last_good: picture.last_good_row, scans };
        let smooth = smooth::applies(picture);
        for channel in &mut picture.channels {
            if channel.quantizers.is_none() {
                continue;
            }
            let steps = channel.steps();
            let stride = channel.stride * 8;
            let mut samples = std::mem::take(&mut channel.samples);
            for row in 0..channel.rows {
                for column in 0..channel.columns {
                    let estimate;
                    let block = if smooth {
                        estimate = smooth::block(channel, rows, column, row);
                        &estimate
                    } else {
                        &channel.coefficients[row * channel.stride + column]
                    };
                    let at = row * 8 * stride + column * 8;
                    idct::idct(block, &steps, &mut samples[at..], stride);
                }
            }
            channel.samples = samples;
            channel.coefficients = Vec::new();
        }
    }
}

/// The units of a scan, in their order.
struct Units<'a, 'b> {
    picture: &'a mut Picture,
    headers: &'a Headers,
    setup: &'a Setup,
    source: &'a mut Source<'b>,
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
        let Units { picture, headers, setup, source } = self;
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
                channel.transform(block, (x, y), coefficients, &setup.quantizers[block.slot]);
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

    /// As the transform multiplies with them; zeros for a component of which nothing was said.
    pub(super) fn steps(&self) -> [i16; 64] {
        self.quantizers.unwrap_or([0; 64]).map(|v| v as i16)
    }

    #[inline(always)]
    fn transform(
        &mut self,
        block: &Block,
        (x, y): (usize, usize),
        c: &[i16; 64],
        steps: &[i16; 64],
    ) {
        let (column, row) = (x * block.h + block.x, y * block.v + block.y);
        let stride = self.stride * 8;
        idct::idct(c, steps, &mut self.samples[row * 8 * stride + column * 8..], stride);
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
