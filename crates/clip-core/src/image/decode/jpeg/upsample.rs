//! Planes to pixels: libjpeg's "fancy" upsampling (`jdsample.c`) and its colours (`jdcolor.c`).

use super::{
    scan::{Channel, Picture},
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
struct Plane<'a> {
    samples: &'a [u8],
    stride: usize,
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

/// Interleaved samples of `width` x `height` pixels.
pub(super) fn pixels(picture: &Picture, width: usize, height: usize, colours: Colours) -> Vec<u8> {
    let (h_max, v_max) = largest(&picture.channels);
    let planes: Vec<Plane<'_>> =
        picture.channels.iter().map(|c| Plane::new(c, (width, height), (h_max, v_max))).collect();
    let count = planes.len();
    let mut out = vec![0; width * height * count];
    // Rows may come out a little longer than the image is wide.
    let mut lines = vec![vec![0; width + 2 * h_max]; count];
    let mut sums = vec![0; width + 2];
    for (y, row) in out.chunks_exact_mut(width * count).enumerate() {
        for (plane, line) in planes.iter().zip(&mut lines) {
            plane.line(y, line, &mut sums);
        }
        match (&lines[..], colours) {
            ([only], _) => row.copy_from_slice(&only[..width]),
            ([y, cb, cr], Colours::YCbCr) => {
                let samples = y.iter().zip(cb).zip(cr);
                for (px, ((y, cb), cr)) in row.chunks_exact_mut(3).zip(samples) {
                    px.copy_from_slice(&rgb(*y, *cb, *cr));
                }
            }
            _ => {
                for (channel, line) in lines.iter().enumerate() {
                    for (px, value) in row.chunks_exact_mut(count).zip(line) {
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
        }
    }
    out
}

/// In libjpeg's 16-bit fixed point.
#[inline(always)]
fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let r = y + ((91881 * cr + HALF) >> 16);
    let g = y + ((-22554 * cb - 46802 * cr + HALF) >> 16);
    let b = y + ((116130 * cb + HALF) >> 16);
    [r, g, b].map(|v| v.clamp(0, 255) as u8)
}

impl<'a> Plane<'a> {
    fn new(channel: &'a Channel, size: (usize, usize), (h_max, v_max): (usize, usize)) -> Self {
        let width = (size.0 * channel.h).div_ceil(h_max);
        let height = (size.1 * channel.v).div_ceil(v_max);
        let growth = match (h_max / channel.h, v_max / channel.v) {
            (2, 1) if width > 2 => Growth::Across,
            (1, 2) => Growth::Down,
            (2, 2) if width > 2 => Growth::Both,
            (across, down) => Growth::Repeat(across, down),
        };
        Plane { samples: &channel.samples, stride: channel.stride * 8, width, height, growth }
    }

    fn row(&self, y: usize) -> &[u8] {
        let start = y.min(self.height - 1) * self.stride;
        &self.samples[start..start + self.width]
    }

    /// Row `y` of the full-size plane.
    fn line(&self, y: usize, out: &mut [u8], sums: &mut [i32]) {
        // The row above or below that the triangle filter mixes in.
        let far = |near: usize| match y.is_multiple_of(2) {
            true => near.saturating_sub(1),
            false => near + 1,
        };
        let mut mix = || {
            let rows = self.row(y / 2).iter().zip(self.row(far(y / 2)));
            for (sum, (near, far)) in sums.iter_mut().zip(rows) {
                *sum = i32::from(*near) * 3 + i32::from(*far);
            }
        };
        match self.growth {
            Growth::Repeat(1, down) => out[..self.width].copy_from_slice(self.row(y / down)),
            Growth::Repeat(across, down) => {
                for (out, value) in out.chunks_mut(across).zip(self.row(y / down)) {
                    out.fill(*value);
                }
            }
            Growth::Down => {
                mix();
                let bias = if y.is_multiple_of(2) { 1 } else { 2 };
                for (out, sum) in out.iter_mut().zip(&sums[..self.width]) {
                    *out = ((sum + bias) >> 2) as u8;
                }
            }
            Growth::Across => {
                let row = self.row(y);
                triangle(row, out, |v| i32::from(*v), (1, 2, 2));
                // The ends are copied.
                (out[0], out[2 * self.width - 1]) = (row[0], row[self.width - 1]);
            }
            Growth::Both => {
                mix();
                triangle(&sums[..self.width], out, |v| *v, (8, 7, 4));
            }
        }
    }
}

/// Doubles a row: each output is 3/4 the nearer and 1/4 the farther sample; at the ends the sample
/// itself. `rounding`: what is added on the left and on the right of a sample, and the shift.
fn triangle<T>(
    row: &[T],
    out: &mut [u8],
    value: impl Fn(&T) -> i32,
    (left, right, shift): (i32, i32, u32),
) {
    let last = row.len() - 1;
    for (pair, near) in out[2..].chunks_exact_mut(2).zip(row.windows(3)) {
        let (before, this, after) = (value(&near[0]), value(&near[1]) * 3, value(&near[2]));
        pair[0] = ((this + before + left) >> shift) as u8;
        pair[1] = ((this + after + right) >> shift) as u8;
    }
    let (first, second) = (value(&row[0]), value(&row[1]));
    out[0] = ((first * 4 + left) >> shift) as u8;
    out[1] = ((first * 3 + second + right) >> shift) as u8;
    let (end, before) = (value(&row[last]), value(&row[last - 1]));
    out[2 * last] = ((end * 3 + before + left) >> shift) as u8;
    out[2 * last + 1] = ((end * 4 + right) >> shift) as u8;
}
