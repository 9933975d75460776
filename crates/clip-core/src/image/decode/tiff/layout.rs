//! What the samples of a TIFF file mean: Pillow's table `OPEN_INFO`, and its conversions to RGB.

use super::{FORMAT, directory::Directory};
use crate::image::{
    ImageError,
    raster::{Palette, Pixels, cmyk_to_rgb, unpack},
};

/// How the samples of a pixel become colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Levels of grey of so many bits, black or white first.
    Grey {
        bits: u32,
        inverted: bool,
    },
    /// More than 8 bits: values above 255 are white.
    Clipped(Number),
    /// Grey with something that is ignored, or with alpha.
    GreyWith {
        alpha: bool,
    },
    /// Colours, with so many further samples; of 8 or 16 bits.
    Colors {
        further: usize,
        alpha: Alpha,
        wide: bool,
    },
    /// Indices of so many bits.
    Palette {
        bits: u32,
        further: usize,
    },
    Cmyk {
        further: usize,
        wide: bool,
    },
    /// Of JPEG only.
    YCbCr,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    U16,
    I16,
    I32,
    F32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alpha {
    None,
    Straight,
    /// Colours are multiplied by it.
    Associated,
}

/// How a file is read.
#[derive(Debug)]
pub(super) struct Layout {
    /// Pillow's name of it.
    pub(super) mode: &'static str,
    meaning: Meaning,
    palette: Option<Palette>,
}

impl Layout {
    /// # Errors
    /// Pillow does not know it either, or it is not exact here; the message names it.
    pub(super) fn of(directory: &Directory) -> Result<Self, ImageError> {
        let Directory { photometric, sample_format, bits_per_sample, big_endian, .. } = directory;
        let samples = directory.samples.unwrap_or(1) as usize;
        // One value for all samples, or more values than samples.
        let mut bits = bits_per_sample.clone();
        match bits.as_slice() {
            [one] => bits = vec![*one; samples.min(8)],
            _ => bits.truncate(samples),
        }
        if bits.len() != samples {
            let what = format!("{samples} samples per pixel, and bits of {}", bits.len());
            return Err(ImageError::corrupt(FORMAT, what));
        }
        let extra = &directory.extra;
        if directory.planar && !extra.is_empty() && extra.iter().all(|&kind| kind == 0) {
            return Err(unsupported("planes beyond those of its colours"));
        }
        let format = match sample_format.as_slice() {
            [first, rest @ ..] if rest.iter().all(|other| other == first) => *first,
            _ => return Err(unsupported("samples of several formats")),
        };
        let alike = |size: u32| bits.iter().all(|&b| b == size);
        let further = extra.len();
        let has_alpha = |kind: Option<&u32>| match kind {
            Some(1) => Alpha::Associated,
            Some(2 | 999) => Alpha::Straight,
            _ => Alpha::None,
        };
        let grey = |bits, inverted| Ok((Meaning::Grey { bits, inverted }, "L"));
        let clipped = |number, mode| Ok((Meaning::Clipped(number), mode));
        let (meaning, mode) = match (photometric, format, bits.as_slice(), further) {
            (0 | 1, 1, [1], 0) => Ok((Meaning::Grey { bits: 1, inverted: *photometric == 0 }, "1")),
            (0 | 1, 1, [size @ (2 | 4 | 8)], 0) => grey(*size, *photometric == 0),
            (1, 2, [8], 0) => grey(8, false),
            // Pillow takes "white first" of 16 bits for black first, and only in this byte order.
            (0, 1, [16], 0) if !big_endian => clipped(Number::U16, "I;16"),
            (1, 1, [16], 0) => clipped(Number::U16, if *big_endian { "I;16B" } else { "I;16" }),
            (1, 2, [16], 0) => clipped(Number::I16, "I"),
            (1, 1, [32], 0) if !big_endian => clipped(Number::I32, "I"),
            (1, 2, [32], 0) => clipped(Number::I32, "I"),
            (0 | 1, 3, [32], 0) => clipped(Number::F32, "F"),
            (1, 1, [8, 8], 1) => match extra.first() {
                Some(0) => Ok((Meaning::GreyWith { alpha: false }, "L")),
                Some(2) => Ok((Meaning::GreyWith { alpha: true }, "LA")),
                _ => Err(unsupported("grey that is multiplied by its alpha")),
            },
            (2, 1, [_, _, _], 0) if alike(8) || alike(16) => {
                let alpha = Alpha::None;
                Ok((Meaning::Colors { further: 0, alpha, wide: alike(16) }, "RGB"))
            }
            // Four samples, and nothing said of the last one: alpha.
            (2, 1, [_, _, _, _], 0) if alike(8) || alike(16) => {
                let alpha = Alpha::Straight;
                Ok((Meaning::Colors { further: 1, alpha, wide: alike(16) }, "RGBA"))
            }
            (2, 1, all, 1..=3)
                if all.len() == 3 + further && (alike(8) || alike(16) && further == 1) =>
            {
                let alpha = has_alpha(extra.first());
                let mode = if alpha == Alpha::None { "RGB" } else { "RGBA" };
                Ok((Meaning::Colors { further, alpha, wide: alike(16) }, mode))
            }
            (3, 1, [size @ (1 | 2 | 4 | 8)], 0) => {
                Ok((Meaning::Palette { bits: *size, further: 0 }, "P"))
            }
            (3, 1, [8, 8], 1) if extra.first() == Some(&0) => {
                Ok((Meaning::Palette { bits: 8, further: 1 }, "P"))
            }
            (5, 1, all, 0..=2)
                if all.len() == 4 + further
                    && extra.iter().all(|&kind| kind == 0)
                    && (alike(8) || alike(16) && further == 0) =>
            {
                Ok((Meaning::Cmyk { further, wide: alike(16) }, "CMYK"))
            }
            (6, 1, [8, 8, 8], 0) => Ok((Meaning::YCbCr, "RGB")),
            _ => Err(unsupported(&format!(
                "colours of kind {photometric} in samples of {bits:?} bits"
            ))),
        }?;
        let palette = match meaning {
            Meaning::Palette { bits, .. } => Some(palette(&directory.color_map, bits)?),
            _ => None,
        };
        Ok(Layout { mode, meaning, palette })
    }

    /// Whether a JPEG can hold such colours.
    pub(super) fn is_of_jpeg(&self) -> bool {
        let colors = Meaning::Colors { further: 0, alpha: Alpha::None, wide: false };
        self.is_ycbcr() || self.is_grey() || self.meaning == colors
    }

    pub(super) fn is_grey(&self) -> bool {
        self.meaning == Meaning::Grey { bits: 8, inverted: false }
    }

    pub(super) fn is_ycbcr(&self) -> bool {
        self.meaning == Meaning::YCbCr
    }

    /// Converts `data`, whose rows are filled up to whole bytes.
    pub(super) fn pixels(
        &self,
        data: &[u8],
        width: usize,
        height: usize,
    ) -> Result<Pixels, ImageError> {
        let count = width * height;
        let short = || ImageError::truncated(FORMAT, "its data stops early");
        let exactly = |size: usize| data.get(..count * size).ok_or_else(short);
        Ok(match self.meaning {
            Meaning::Grey { bits: 8, inverted } => Pixels::Grey(match inverted {
                false => exactly(1)?.to_vec(),
                true => exactly(1)?.iter().map(|v| 255 - v).collect(),
            }),
            Meaning::Grey { bits, inverted } => {
                let scale = (255 / ((1u16 << bits) - 1)) as u8;
                let flip = if inverted { 255 } else { 0 };
                let values = unpacked(data, bits, width, height).ok_or_else(short)?;
                Pixels::Grey(values.into_iter().map(|v| (v * scale) ^ flip).collect())
            }
            Meaning::Clipped(number) => {
                Pixels::Grey(clipped(data, number, count).ok_or_else(short)?)
            }
            Meaning::GreyWith { alpha: false } => {
                Pixels::Grey(exactly(2)?.chunks_exact(2).map(|p| p[0]).collect())
            }
            Meaning::GreyWith { alpha: true } => Pixels::Rgba(
                exactly(2)?.chunks_exact(2).flat_map(|p| [p[0], p[0], p[0], p[1]]).collect(),
            ),
            Meaning::Colors { further, alpha, wide } => {
                let all = 3 + further;
                let bytes = narrow(exactly(all * if wide { 2 } else { 1 })?, wide);
                let pixels = bytes.chunks_exact(all);
                match alpha {
                    Alpha::None => {
                        Pixels::Rgb(pixels.flat_map(|p| p.iter().take(3).copied()).collect())
                    }
                    Alpha::Straight => {
                        Pixels::Rgba(pixels.flat_map(|p| p.iter().take(4).copied()).collect())
                    }
                    Alpha::Associated => Pixels::Rgba(
                        pixels.flat_map(|p| divided([p[0], p[1], p[2], p[3]])).collect(),
                    ),
                }
            }
            Meaning::Palette { bits, further } => {
                let indices = match bits {
                    8 => exactly(1 + further)?.chunks_exact(1 + further).map(|p| p[0]).collect(),
                    bits => unpacked(data, bits, width, height).ok_or_else(short)?,
                };
                let palette = self.palette.as_ref();
                palette.map(|palette| palette.expand(&indices)).ok_or_else(short)?
            }
            Meaning::Cmyk { further, wide } => {
                let all = 4 + further;
                let bytes = narrow(exactly(all * if wide { 2 } else { 1 })?, wide);
                let inks: Vec<u8> =
                    bytes.chunks_exact(all).flat_map(|p| p.iter().take(4).copied()).collect();
                Pixels::Rgb(cmyk_to_rgb(&inks))
            }
            Meaning::YCbCr => return Err(unsupported("YCbCr colours outside of a JPEG")),
        })
    }
}

fn unsupported(what: &str) -> ImageError {
    ImageError::unsupported(format!("a TIFF image with {what}"))
}

/// Pillow keeps the high bytes of the map, which is red, green, blue one after the other.
fn palette(map: &[u32], bits: u32) -> Result<Palette, ImageError> {
    let entries = 1usize << bits;
    if map.len() != entries * 3 {
        return Err(ImageError::corrupt(FORMAT, format!("a colour map of {} values", map.len())));
    }
    let (reds, rest) = map.split_at(entries);
    let (greens, blues) = rest.split_at(entries);
    let colors = reds.iter().zip(greens).zip(blues);
    let bytes: Vec<u8> =
        colors.flat_map(|((r, g), b)| [*r, *g, *b]).map(|v| (v >> 8) as u8).collect();
    Ok(Palette::new(&bytes))
}

/// Samples of less than 8 bits; each row begins with a byte of its own.
fn unpacked(data: &[u8], bits: u32, width: usize, height: usize) -> Option<Vec<u8>> {
    let row_bytes = (width * bits as usize).div_ceil(8);
    let rows = data.get(..row_bytes * height)?.chunks_exact(row_bytes.max(1));
    Some(rows.flat_map(|row| unpack(row, bits, width)).collect())
}

/// The high bytes of samples of 16 bits in the machine's byte order.
fn narrow(data: &[u8], wide: bool) -> Vec<u8> {
    match wide {
        false => data.to_vec(),
        true => {
            data.chunks_exact(2).map(|p| (u16::from_ne_bytes([p[0], p[1]]) >> 8) as u8).collect()
        }
    }
}

/// Pillow's conversions of wide greys: what is out of 0 to 255 is clipped, fractions are cut.
fn clipped(data: &[u8], number: Number, count: usize) -> Option<Vec<u8>> {
    let clip = |value: i64| value.clamp(0, 255) as u8;
    Some(match number {
        Number::U16 | Number::I16 => {
            let values = data.get(..count * 2)?.chunks_exact(2).map(|p| [p[0], p[1]]);
            match number {
                Number::U16 => values.map(|v| clip(u16::from_ne_bytes(v).into())).collect(),
                _ => values.map(|v| clip(i16::from_ne_bytes(v).into())).collect(),
            }
        }
        Number::I32 | Number::F32 => {
            let values = data.get(..count * 4)?.chunks_exact(4).map(|p| [p[0], p[1], p[2], p[3]]);
            match number {
                Number::I32 => values.map(|v| clip(i32::from_ne_bytes(v).into())).collect(),
                _ => values.map(|v| f32::from_ne_bytes(v).clamp(0.0, 255.0) as u8).collect(),
            }
        }
    })
}

/// Colours that were multiplied by alpha, as Pillow's `unpackRGBa` divides them.
fn divided([r, g, b, a]: [u8; 4]) -> [u8; 4] {
    let by = |v: u8| match a {
        0 => 0,
        255 => v,
        a => (255 * u32::from(v) / u32::from(a)).min(255) as u8,
    };
    [by(r), by(g), by(b), a]
}
