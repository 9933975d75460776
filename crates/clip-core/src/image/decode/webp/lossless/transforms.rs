//! What is undone after the pixels are read (RFC 9649, 3.5).

use super::{super::bits::Bits, blocks, image};
use crate::image::ImageError;

/// A transform, with the width of the image that it gives.
pub(super) enum Transform {
    /// Each pixel is a difference from what its block's mode predicts.
    Predictor {
        bits: u32,
        width: usize,
        modes: Vec<u32>,
    },
    /// Red and blue are differences from multiples of other channels.
    Color {
        bits: u32,
        width: usize,
        factors: Vec<u32>,
    },
    SubtractGreen,
    /// Green is an index, or several of so many bits.
    Indices {
        bits: u32,
        width: usize,
        table: Vec<u32>,
    },
}

impl Transform {
    pub(super) fn read(
        stream: &mut Bits<'_>,
        kind: u32,
        width: usize,
        height: usize,
    ) -> Result<Self, ImageError> {
        let data = |stream: &mut Bits<'_>| {
            let bits = stream.take(3)? + 2;
            Ok((bits, image(stream, blocks(width, bits), blocks(height, bits), false)?))
        };
        Ok(match kind {
            0 => {
                let (bits, modes) = data(stream)?;
                Transform::Predictor { bits, width, modes }
            }
            1 => {
                let (bits, factors) = data(stream)?;
                Transform::Color { bits, width, factors }
            }
            2 => Transform::SubtractGreen,
            _ => {
                let colors = stream.take(8)? as usize + 1;
                let bits = match colors {
                    17.. => 8,
                    5.. => 4,
                    3.. => 2,
                    _ => 1,
                };
                let mut table = image(stream, colors, 1, false)?;
                for i in 1..colors {
                    table[i] = add(table[i], table[i - 1]);
                }
                table.resize(1 << bits, 0);
                Transform::Indices { bits, width, table }
            }
        })
    }

    /// The width of what is stored.
    pub(super) fn packed_width(&self, width: usize) -> usize {
        match self {
            Transform::Indices { bits, .. } => (width * *bits as usize).div_ceil(8),
            _ => width,
        }
    }

    pub(super) fn undo(&self, pixels: &mut Vec<u32>) {
        match self {
            Transform::Predictor { bits, width, modes } => unpredict(pixels, *width, *bits, modes),
            Transform::Color { bits, width, factors } => {
                let across = blocks(*width, *bits);
                for (y, row) in pixels.chunks_exact_mut(*width).enumerate() {
                    let factors = &factors[(y >> bits) * across..];
                    for (block, factors) in row.chunks_mut(1 << bits).zip(factors) {
                        block.iter_mut().for_each(|pixel| *pixel = recolor(*pixel, *factors));
                    }
                }
            }
            Transform::SubtractGreen => {
                for pixel in pixels {
                    let green = *pixel >> 8 & 0xff;
                    *pixel = add(*pixel, green << 16 | green);
                }
            }
            Transform::Indices { bits, width, table } => {
                let mask = table.len() - 1;
                let packed = self.packed_width(*width);
                let rows = pixels.chunks_exact(packed);
                let colors = rows.flat_map(|row| {
                    let indices = row.iter().flat_map(|pixel| {
                        (0..8 / bits).map(move |i| (pixel >> (8 + i * bits)) as usize & mask)
                    });
                    indices.take(*width).map(|index| table[index])
                });
                *pixels = colors.collect();
            }
        }
    }
}

/// Byte by byte, without carries.
fn add(a: u32, b: u32) -> u32 {
    let alpha_green = (a & 0xff00_ff00).wrapping_add(b & 0xff00_ff00);
    let red_blue = (a & 0x00ff_00ff).wrapping_add(b & 0x00ff_00ff);
    (alpha_green & 0xff00_ff00) | (red_blue & 0x00ff_00ff)
}

fn recolor(pixel: u32, factors: u32) -> u32 {
    let delta =
        |factor: u32, channel: u32| (i32::from(factor as i8) * i32::from(channel as i8)) >> 5;
    let green = pixel >> 8;
    let red = (pixel >> 16).wrapping_add(delta(factors, green) as u32) & 0xff;
    let blue = pixel
        .wrapping_add(delta(factors >> 8, green) as u32)
        .wrapping_add(delta(factors >> 16, red) as u32);
    (pixel & 0xff00_ff00) | red << 16 | (blue & 0xff)
}

const BLACK: u32 = 0xff00_0000;

fn unpredict(pixels: &mut [u32], width: usize, bits: u32, modes: &[u32]) {
    let across = blocks(width, bits);
    for at in 0..pixels.len() {
        let (x, y) = (at % width, at / width);
        let prediction = match (x, y) {
            (0, 0) => BLACK,
            (_, 0) => pixels[at - 1],
            (0, _) => pixels[at - width],
            _ => {
                let mode = modes[(y >> bits) * across + (x >> bits)] >> 8 & 15;
                let [left, top] = [at - 1, at - width].map(|i| pixels[i]);
                // Right of the last column is the first of this row.
                let [top_left, top_right] = [at - width - 1, at - width + 1].map(|i| pixels[i]);
                predict(mode, left, top, top_left, top_right)
            }
        };
        pixels[at] = add(pixels[at], prediction);
    }
}

fn predict(mode: u32, left: u32, top: u32, top_left: u32, top_right: u32) -> u32 {
    match mode {
        1 => left,
        2 => top,
        3 => top_right,
        4 => top_left,
        5 => average(average(left, top_right), top),
        6 => average(left, top_left),
        7 => average(left, top),
        8 => average(top_left, top),
        9 => average(top, top_right),
        10 => average(average(left, top_left), average(top, top_right)),
        11 => select(left, top, top_left),
        12 => each([left, top, top_left], |[l, t, tl]| l + t - tl),
        13 => each([average(left, top), top_left, 0], |[a, tl, _]| a + (a - tl) / 2),
        _ => BLACK,
    }
}

fn average(a: u32, b: u32) -> u32 {
    (((a ^ b) & 0xfefe_fefe) >> 1) + (a & b)
}

/// The one that is nearer to what a plane through the three would give.
fn select(left: u32, top: u32, top_left: u32) -> u32 {
    let apart = |a: u32, b: u32| {
        let bytes = a.to_le_bytes().into_iter().zip(b.to_le_bytes());
        bytes.map(|(a, b)| u32::from(a.abs_diff(b))).sum::<u32>()
    };
    if apart(top, top_left) < apart(left, top_left) { left } else { top }
}

/// A function of each channel, cut to 8 bits.
fn each(pixels: [u32; 3], of: impl Fn([i32; 3]) -> i32) -> u32 {
    let bytes = pixels.map(u32::to_le_bytes);
    let channel = |i: usize| of(bytes.map(|b| i32::from(b[i]))).clamp(0, 255) as u8;
    u32::from_le_bytes([channel(0), channel(1), channel(2), channel(3)])
}
