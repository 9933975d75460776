//! Planes to pixels: libjpeg's "fancy" upsampling (`jdsample.c`) and its colours (`jdcolor.c`).

use super::{
    picture::{Channel, Picture},
    source::{Step, failed},
};

/// How a component grows to the size of the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Growth {
    /// Triangle filters for factors of 2.
    Across,
    Down,
    Both,
    /// Every sample that many times.
    Repeat(usize, usize),
}

#[derive(Debug)]
struct Plane {
    /// Real samples, without the padding to whole blocks.
    width: usize,
    height: usize,
    growth: Growth,
}

/// What the components are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    /// As they are: grey, RGB, CMYK.
    Plain,
    /// To RGB; a fourth one stays, and the others are turned over.
    YCbCr,
}

/// Fails where libjpeg cannot do it (`JERR_FRACT_SAMPLE_NOTIMPL`).
pub(super) fn check(picture: &Picture) -> Step<()> {
    let (h_max, v_max) = largest(&picture.channels);
    match picture.channels.iter().all(|c| h_max % c.h == 0 && v_max % c.v == 0) {
        true => Ok(()),
        false => failed("sampling factors that are no multiples of each other"),
    }
}

fn largest(channels: &[Channel]) -> (usize, usize) {
    let largest = |factor: fn(&Channel) -> usize| channels.iter().map(factor).max().unwrap_or(1);
    (largest(|c| c.h), largest(|c| c.v))
}

/// Paints the rows of an image as soon as the samples are there that it needs.
#[derive(Debug)]
pub(super) struct Painter {
    planes: Vec<Plane>,
    colours: Colours,
    width: usize,
    height: usize,
    /// Image rows in a row of units.
    unit: usize,
    /// Rows painted.
    done: usize,
    /// Interleaved samples.
    out: Vec<u8>,
    /// To work with: rows of components at full size, sums of rows, and rows of colours.
    grown: Vec<Vec<u8>>,
    sums: Vec<u16>,
    rgb: Vec<u8>,
}

impl Painter {
    pub(super) fn new(picture: &Picture, width: usize, height: usize, colours: Colours) -> Self {
        let (h_max, v_max) = largest(&picture.channels);
        let plane = |c| Plane::new(c, (width, height), (h_max, v_max));
        let planes: Vec<Plane> = picture.channels.iter().map(plane).collect();
        let count = planes.len();
        Painter {
            planes,
            colours,
            width,
            height,
            unit: 8 * v_max,
            done: 0,
            out: vec![0; width * height * count],
            // Rows may come out a little longer than the image is wide.
            grown: vec![vec![0; width + 2 * h_max]; count],
            sums: vec![0; width],
            rgb: vec![0; 3 * width],
        }
    }

    /// After a row of units: the rows that it completes. Its last one may need the next row of units.
    #[inline(always)]
    pub(super) fn paint(&mut self, channels: &[Channel], unit_row: usize) {
        let (width, count) = (self.width, self.planes.len());
        let known = (unit_row + 1) * self.unit;
        let end = if known >= self.height { self.height } else { known - 1 };
        for y in self.done..end {
            let mut lines: [&[u8]; 4] = [&[]; 4];
            let planes = self.planes.iter().zip(channels).zip(&mut self.grown);
            for (line, ((plane, channel), grown)) in lines.iter_mut().zip(planes) {
                *line = plane.line(channel, y, grown, &mut self.sums);
            }
            let row = &mut self.out[y * width * count..(y + 1) * width * count];
            match (&lines[..count], self.colours) {
                ([only], _) => row.copy_from_slice(&only[..width]),
                (&[y, cb, cr], Colours::YCbCr) => {
                    let (r, rest) = self.rgb.split_at_mut(width);
                    let (g, b) = rest.split_at_mut(width);
                    convert((y, cb, cr), (r, g, b));
                    let samples = r.iter().zip(g).zip(b);
                    for (px, ((r, g), b)) in row.as_chunks_mut::<3>().0.iter_mut().zip(samples) {
                        *px = [*r, *g, *b];
                    }
                }
                (lines, colours) => interleave(lines, row, colours),
            }
        }
        self.done = end;
    }

    /// The interleaved samples.
    pub(super) fn finish(self) -> Vec<u8> {
        self.out
    }
}

/// What is rarer than YCbCr.
fn interleave(lines: &[&[u8]], row: &mut [u8], colours: Colours) {
    let count = lines.len();
    for (channel, line) in lines.iter().enumerate() {
        for (px, value) in row.chunks_exact_mut(count).zip(*line) {
            px[channel] = *value;
        }
    }
    if colours == Colours::YCbCr {
        for px in row.chunks_exact_mut(count) {
            let inverted = rgb(px[0], px[1], px[2]).map(|v| 255 - v);
            px[..3].copy_from_slice(&inverted);
        }
    }
}

#[inline(always)]
fn convert((y, cb, cr): (&[u8], &[u8], &[u8]), (r, g, b): (&mut [u8], &mut [u8], &mut [u8])) {
    let to = r.iter_mut().zip(g).zip(b);
    for (((r, g), b), ((y, cb), cr)) in to.zip(y.iter().zip(cb).zip(cr)) {
        [*r, *g, *b] = rgb(*y, *cb, *cr);
    }
}

/// In libjpeg's 16-bit fixed point: 1.40200, 0.34414, 0.71414 and 1.77200.
#[inline(always)]
fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let (y, cb, cr) = (i16::from(y), i16::from(cb) - 128, i16::from(cr) - 128);
    // What is left of a factor without whole numbers, with one bit more than is wanted: vectors have an
    // instruction for the high half of a product.
    let part = |v: i16, factor: i32| (((i32::from(2 * v) * factor) >> 16) as i16 + 1) >> 1;
    let r = y + cr + part(cr, 91881 - 65536);
    let green = i32::from(cb) * -22554 + i32::from(cr) * (65536 - 46802);
    let g = y - cr + ((green + (1 << 15)) >> 16) as i16;
    let b = y + 2 * cb + part(cb, 116130 - 131072);
    [r, g, b].map(|v| v.clamp(0, 255) as u8)
}

impl Plane {
    fn new(channel: &Channel, size: (usize, usize), (h_max, v_max): (usize, usize)) -> Self {
        let width = (size.0 * channel.h).div_ceil(h_max);
        let height = (size.1 * channel.v).div_ceil(v_max);
        let growth = match (h_max / channel.h, v_max / channel.v) {
            (2, 1) if width > 2 => Growth::Across,
            (1, 2) => Growth::Down,
            (2, 2) if width > 2 => Growth::Both,
            (across, down) => Growth::Repeat(across, down),
        };
        Plane { width, height, growth }
    }

    fn row<'a>(&self, channel: &'a Channel, y: usize) -> &'a [u8] {
        &channel.row(y.min(self.height - 1))[..self.width]
    }

    /// Row `y` of the image; `out` and `sums` are to work with.
    #[inline(always)]
    fn line<'a>(
        &self,
        channel: &'a Channel,
        y: usize,
        out: &'a mut [u8],
        sums: &mut [u16],
    ) -> &'a [u8] {
        let sums = &mut sums[..self.width];
        match self.growth {
            Growth::Repeat(1, down) => return self.row(channel, y / down),
            Growth::Repeat(across, down) => {
                for (out, value) in out.chunks_mut(across).zip(self.row(channel, y / down)) {
                    out.fill(*value);
                }
            }
            Growth::Down => {
                self.mix(channel, y, sums);
                let bias = if y.is_multiple_of(2) { 1 } else { 2 };
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out = ((*sum + bias) >> 2) as u8;
                }
            }
            Growth::Across => {
                let row = self.row(channel, y);
                for (sum, sample) in sums.iter_mut().zip(row) {
                    *sum = u16::from(*sample);
                }
                triangle::<1, 2, 2>(sums, out);
                // The ends are copied.
                (out[0], out[2 * self.width - 1]) = (row[0], row[self.width - 1]);
            }
            Growth::Both => {
                self.mix(channel, y, sums);
                triangle::<8, 7, 4>(sums, out);
            }
        }
        out
    }

    /// 3/4 the row that is nearer to `y`, 1/4 the farther one, times 4.
    #[inline(always)]
    fn mix(&self, channel: &Channel, y: usize, sums: &mut [u16]) {
        let near = y / 2;
        let far = if y.is_multiple_of(2) { near.saturating_sub(1) } else { near + 1 };
        let rows = self.row(channel, near).iter().zip(self.row(channel, far));
        for (sum, (near, far)) in sums.iter_mut().zip(rows) {
            *sum = u16::from(*near) * 3 + u16::from(*far);
        }
    }
}

/// Doubles a row: each output is 3/4 the nearer and 1/4 the farther sample; at the ends the sample
/// itself. What is added on the left and on the right of a sample for rounding, and the shift.
#[inline(always)]
fn triangle<const LEFT: u16, const RIGHT: u16, const SHIFT: u32>(row: &[u16], out: &mut [u8]) {
    let last = row.len() - 1;
    let sample = |near: u16, far: u16, rounding: u16| ((near * 3 + far + rounding) >> SHIFT) as u8;
    let neighbours = row.iter().zip(&row[1..]).zip(&row[2..]);
    for (pair, ((before, this), after)) in
        out[2..].as_chunks_mut::<2>().0.iter_mut().zip(neighbours)
    {
        *pair = [sample(*this, *before, LEFT), sample(*this, *after, RIGHT)];
    }
    out[0] = sample(row[0], row[0], LEFT);
    out[1] = sample(row[0], row[1], RIGHT);
    out[2 * last] = sample(row[last], row[last - 1], LEFT);
    out[2 * last + 1] = sample(row[last], row[last], RIGHT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_32_bit_arithmetic() {
        for i in 0..1u32 << 24 {
            let [y, cb, cr, _] = i.to_le_bytes();
            let (l, u, v) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
            let r = l + ((91881 * v + 32768) >> 16);
            let g = l + ((-22554 * u - 46802 * v + 32768) >> 16);
            let b = l + ((116130 * u + 32768) >> 16);
            assert_eq!(rgb(y, cb, cr), [r, g, b].map(|v| v.clamp(0, 255) as u8), "{y} {cb} {cr}");
        }
    }
}
