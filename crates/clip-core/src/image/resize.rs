//! Bicubic resampling with the integer arithmetic of Pillow or torchvision, bit for bit.
//!
//! Both compute the same f64 weights (Keys' cubic, a = -0.5, stretched when shrinking), round
//! them to fixed point, and clamp to u8 after each of the two passes; they differ in the number
//! of fractional bits and in the order of the passes. Only pixels inside `window` are computed,
//! and the first pass only touches the rows (or columns) that the second one needs.

use std::ops::Range;

use super::{Resize, RgbImage};

/// Size after `get_resize_output_image_size`: the short side is `edge`, the long side truncated.
pub(crate) fn target(width: u32, height: u32, edge: usize) -> (u64, u64) {
    let (w, h, edge) = (u64::from(width.max(1)), u64::from(height.max(1)), edge as u64);
    // Python: int(edge * long / short), in f64; exact here because edge * long < 2^53.
    let long = |long: u64, short: u64| ((edge * long) as f64 / short as f64) as u64;
    if w <= h { (edge, long(h, w)) } else { (long(w, h), edge) }
}

/// Columns and rows of the resized image that are wanted.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    pub columns: Range<usize>,
    pub rows: Range<usize>,
}

impl Window {
    pub(crate) fn full(size: (usize, usize)) -> Self {
        Window { columns: 0..size.0, rows: 0..size.1 }
    }

    /// The centre crop of `side` pixels; `side` is at most the short side.
    pub(crate) fn center(size: (usize, usize), side: usize) -> Self {
        let range = |n: usize| {
            let start = n.saturating_sub(side) / 2;
            start..(start + side).min(n)
        };
        Window { columns: range(size.0), rows: range(size.1) }
    }
}

/// The part of `source`, resized to `size` (width, height), that lies in `window`.
pub(crate) fn resize(
    source: &RgbImage,
    size: (usize, usize),
    window: &Window,
    kind: Resize,
) -> RgbImage {
    let (in_w, in_h) = (source.width as usize, source.height as usize);
    let horizontal = Axis::new(in_w, size.0, window.columns.clone(), kind);
    let vertical = Axis::new(in_h, size.1, window.rows.clone(), kind);
    let (columns, rows) = (horizontal.inputs(), vertical.inputs());

    // Pillow 13 (Resample.c): columns first where that shrinks the intermediate more.
    let (dw, dh) = (in_w as i64 - size.0 as i64, in_h as i64 - size.1 as i64);
    let data = if kind == Resize::Pillow13 && dh > 0 && dh > 2 * dw {
        let plane = vertical.down(&source.data, in_w, 0, columns.clone());
        horizontal.across(&plane, columns.len(), columns.start, 0..vertical.len())
    } else {
        let plane = horizontal.across(&source.data, in_w, 0, rows.clone());
        vertical.down(&plane, horizontal.len(), rows.start, 0..horizontal.len())
    };
    RgbImage { width: horizontal.len() as u32, height: vertical.len() as u32, data }
}

/// Weights of one pass for the wanted outputs.
struct Axis {
    /// `None`: input and output are equally long and the pass is skipped, as both libraries do.
    taps: Option<Taps>,
    outputs: Range<usize>,
}

struct Taps {
    /// Fractional bits of the weights.
    bits: u32,
    /// First input and number of weights of each output.
    spans: Vec<(usize, usize)>,
    /// The weights of all outputs, one after the other.
    weights: Vec<i32>,
}

impl Axis {
    fn new(input: usize, output: usize, outputs: Range<usize>, kind: Resize) -> Self {
        if input == output {
            return Axis { taps: None, outputs };
        }
        let scale = input as f64 / output as f64;
        let stretch = scale.max(1.0);
        let exact: Vec<(usize, Vec<f64>)> =
            outputs.clone().map(|i| weights(i, scale, stretch, input)).collect();
        let bits = match kind {
            Resize::Pillow | Resize::Pillow13 => 22,
            // Over all outputs, also those outside the window.
            Resize::Torchvision => short_bits(
                (0..output)
                    .flat_map(|i| weights(i, scale, stretch, input).1)
                    .fold(0.0, |max, w| if w > max { w } else { max }),
            ),
        };
        let one = f64::from(1u32 << bits);
        let fixed = |w: &f64| (w * one + if *w < 0.0 { -0.5 } else { 0.5 }) as i32;
        Axis {
            taps: Some(Taps {
                bits,
                spans: exact.iter().map(|(start, w)| (*start, w.len())).collect(),
                weights: exact.iter().flat_map(|(_, w)| w.iter().map(fixed)).collect(),
            }),
            outputs,
        }
    }

    fn len(&self) -> usize {
        self.outputs.len()
    }

    /// The inputs that the wanted outputs depend on.
    fn inputs(&self) -> Range<usize> {
        match &self.taps {
            None => self.outputs.clone(),
            Some(taps) => {
                let start = taps.spans.first().map_or(0, |s| s.0);
                let end = taps.spans.last().map_or(0, |s| s.0 + s.1);
                start..end.max(start)
            }
        }
    }

    /// Horizontal pass over `rows` of `source` (`stride` pixels a row, of which the first is
    /// input column `origin`).
    fn across(&self, source: &[u8], stride: usize, origin: usize, rows: Range<usize>) -> Vec<u8> {
        let mut out = vec![0; rows.len() * self.len() * 3];
        let lines = source.chunks_exact(stride * 3).skip(rows.start).take(rows.len());
        for (line, out) in lines.zip(out.chunks_exact_mut(self.len() * 3)) {
            let Some(taps) = &self.taps else {
                let start = (self.outputs.start - origin) * 3;
                out.copy_from_slice(&line[start..start + out.len()]);
                continue;
            };
            let half = 1i32 << (taps.bits - 1);
            let mut weights = taps.weights.as_slice();
            for ((start, len), to) in taps.spans.iter().zip(out.chunks_exact_mut(3)) {
                let (own, rest) = weights.split_at(*len);
                weights = rest;
                let mut sum = [half; 3];
                let first = (start - origin) * 3;
                for (px, w) in line[first..first + len * 3].chunks_exact(3).zip(own) {
                    for (sum, v) in sum.iter_mut().zip(px) {
                        *sum += i32::from(*v) * w;
                    }
                }
                for (to, sum) in to.iter_mut().zip(sum) {
                    *to = (sum >> taps.bits).clamp(0, 255) as u8;
                }
            }
        }
        out
    }

    /// Vertical pass over `columns` of `source` (`stride` pixels a row; its first row is input
    /// row `origin`).
    fn down(&self, source: &[u8], stride: usize, origin: usize, columns: Range<usize>) -> Vec<u8> {
        let width = columns.len() * 3;
        let mut out = vec![0; self.len() * width];
        let row = |y: usize| {
            let start = ((y - origin) * stride + columns.start) * 3;
            &source[start..start + width]
        };
        let Some(taps) = &self.taps else {
            for (y, out) in self.outputs.clone().zip(out.chunks_exact_mut(width)) {
                out.copy_from_slice(row(y));
            }
            return out;
        };
        let mut sums = vec![0i32; width];
        let mut weights = taps.weights.as_slice();
        for ((start, len), out) in taps.spans.iter().zip(out.chunks_exact_mut(width)) {
            let (own, rest) = weights.split_at(*len);
            weights = rest;
            sums.fill(1 << (taps.bits - 1));
            for (y, w) in (*start..).zip(own) {
                for (sum, v) in sums.iter_mut().zip(row(y)) {
                    *sum += i32::from(*v) * w;
                }
            }
            for (to, sum) in out.iter_mut().zip(&sums) {
                *to = (sum >> taps.bits).clamp(0, 255) as u8;
            }
        }
        out
    }
}

/// First input and normalised weights of output `i` (Pillow's `precompute_coeffs`).
fn weights(i: usize, scale: f64, stretch: f64, input: usize) -> (usize, Vec<f64>) {
    let support = 2.0 * stretch;
    let center = (i as f64 + 0.5) * scale;
    // `as` truncates and saturates, so this is max(trunc(..), 0).
    let lo = (center - support + 0.5) as usize;
    let hi = ((center + support + 0.5) as usize).min(input);
    let inverse = 1.0 / stretch;
    let mut weights: Vec<f64> =
        (lo..hi).map(|j| cubic((j as f64 - center + 0.5) * inverse)).collect();
    // Sequentially, in this order: the sum's rounding is part of the result.
    let sum = weights.iter().fold(0.0, |sum, w| sum + w);
    if sum != 0.0 {
        weights.iter_mut().for_each(|w| *w /= sum);
    }
    (lo, weights)
}

/// Keys' cubic with a = -0.5, in Pillow's order of operations.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// torch keeps weights in i16: the most fractional bits with which the largest still fits.
fn short_bits(largest: f64) -> u32 {
    let fits = |bits: u32| ((0.5 + largest * f64::from(1u32 << bits)) as i64) < 1 << 15;
    (0..22).find(|bits| !fits(bits + 1)).unwrap_or(22)
}
