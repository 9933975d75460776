//! What a decoder returns, and Pillow's conversions of it to RGB.

use super::{Alpha, Format, ImageError, RgbImage};

/// Decoded samples, 8 bits each, rows top to bottom.
#[derive(Debug)]
pub(crate) enum Pixels {
    Grey(Vec<u8>),
    Rgb(Vec<u8>),
    /// Straight (not premultiplied) alpha.
    Rgba(Vec<u8>),
}

impl Pixels {
    /// Without alpha.
    #[cfg(feature = "image")]
    pub(crate) fn opaque(self) -> Pixels {
        match self {
            Pixels::Rgba(data) => Pixels::Rgb(without_alpha(data)),
            other => other,
        }
    }

    /// With the alpha of each pixel, in place of what alpha there is.
    #[cfg(feature = "image")]
    pub(crate) fn with_alpha(self, alpha: &[u8]) -> Pixels {
        let alpha = alpha.iter().copied();
        Pixels::Rgba(match self {
            Pixels::Grey(data) => {
                data.iter().zip(alpha).flat_map(|(v, a)| [*v, *v, *v, a]).collect()
            }
            Pixels::Rgb(data) => {
                let colors = data.as_chunks::<3>().0.iter();
                colors.zip(alpha).flat_map(|([r, g, b], a)| [*r, *g, *b, a]).collect()
            }
            Pixels::Rgba(data) => {
                let colors = data.as_chunks::<4>().0.iter();
                colors.zip(alpha).flat_map(|([r, g, b, _], a)| [*r, *g, *b, a]).collect()
            }
        })
    }
}

/// A decoded file before orientation and conversion.
#[derive(Debug)]
pub(crate) struct Raster {
    pub format: Format,
    pub width: u32,
    pub height: u32,
    /// Pillow's name of the mode that the file opens in (`"RGB"`, `"P"`, `"I;16"` …).
    pub mode: &'static str,
    pub pixels: Pixels,
    /// As in the file, 1–8; other values as found.
    pub orientation: u8,
    /// Frames of an animation, where known without decoding.
    pub frames: Option<u32>,
    /// Whether samples are missing or made up, as Pillow makes them up.
    pub damaged: bool,
}

impl Raster {
    pub(crate) fn has_alpha(&self) -> bool {
        matches!(self.pixels, Pixels::Rgba(_))
    }

    pub(crate) fn into_rgb(self, alpha: Alpha) -> Result<RgbImage, ImageError> {
        let (format, width, height) = (self.format, self.width, self.height);
        let data: Vec<u8> = match (self.pixels, alpha) {
            (Pixels::Rgb(data), _) => data,
            (Pixels::Grey(data), _) => {
                let mut rgb = vec![0; 3 * data.len()];
                rgb.as_chunks_mut().0.iter_mut().zip(&data).for_each(|(px, v)| *px = [*v; 3]);
                rgb
            }
            (Pixels::Rgba(data), Alpha::Drop) => without_alpha(data),
            (Pixels::Rgba(data), Alpha::White) => on_white(data),
        };
        // Everything after this relies on it.
        if width == 0
            || height == 0
            || data.len() as u64 != u64::from(width) * u64::from(height) * 3
        {
            return Err(ImageError::corrupt(format, "the image has no pixels"));
        }
        Ok(RgbImage { width, height, data })
    }
}

/// In place: a second buffer would double what a large image takes.
fn without_alpha(mut pixels: Vec<u8>) -> Vec<u8> {
    let count = pixels.len() / 4;
    for i in 0..count {
        pixels.copy_within(4 * i..4 * i + 3, 3 * i);
    }
    pixels.truncate(3 * count);
    pixels
}

/// Pillow's `alpha_composite` over opaque white, in place.
fn on_white(mut pixels: Vec<u8>) -> Vec<u8> {
    let count = pixels.len() / 4;
    for i in 0..count {
        let a = u32::from(pixels[4 * i + 3]);
        for c in 0..3 {
            let value = u32::from(pixels[4 * i + c]);
            pixels[3 * i + c] = ((2 * (value * a + 255 * (255 - a)) + 255) / 510) as u8;
        }
    }
    pixels.truncate(3 * count);
    pixels
}

/// CMYK as Pillow holds it (0 = no ink) to RGB: `nk - c * nk / 255`, rounded as its `MULDIV255`.
pub(crate) fn cmyk_to_rgb(cmyk: &[u8]) -> Vec<u8> {
    let mut rgb = vec![0; cmyk.len() / 4 * 3];
    for (to, from) in rgb.chunks_exact_mut(3).zip(cmyk.chunks_exact(4)) {
        let nk = 255 - u32::from(from[3]);
        for (to, c) in to.iter_mut().zip(from) {
            let product = u32::from(*c) * nk + 128;
            let scaled = ((product >> 8) + product) >> 8;
            *to = nk.saturating_sub(scaled) as u8;
        }
    }
    rgb
}

/// The first `count` samples of 1, 2, 4 or 8 bits of a row, high bits first.
pub(crate) fn unpack(row: &[u8], bits: u32, count: usize) -> impl Iterator<Item = u8> {
    let mask = ((1u16 << bits) - 1) as u8;
    let samples = move |byte: &u8| {
        let byte = *byte;
        (1..=8 / bits).map(move |i| (byte >> (8 - i * bits)) & mask)
    };
    row.iter().flat_map(samples).take(count)
}

/// 256 colours.
#[derive(Debug)]
pub(crate) struct Palette([[u8; 4]; 256]);

impl Palette {
    /// `colors`: RGB triples. Surplus is ignored, missing entries are black, as in Pillow.
    pub(crate) fn new(colors: &[u8]) -> Self {
        let mut table = [[0, 0, 0, 255]; 256];
        for (entry, color) in table.iter_mut().zip(colors.chunks_exact(3)) {
            entry[..3].copy_from_slice(color);
        }
        Palette(table)
    }

    /// Entry i is the grey i: Pillow's mode "L".
    pub(crate) fn greys() -> Self {
        let mut table = [[255; 4]; 256];
        for (grey, entry) in (0..=255u8).zip(&mut table) {
            *entry = [grey, grey, grey, 255];
        }
        Palette(table)
    }

    /// One alpha per entry; entries beyond stay opaque.
    pub(crate) fn set_alphas(&mut self, alphas: &[u8]) {
        for (entry, alpha) in self.0.iter_mut().zip(alphas) {
            entry[3] = *alpha;
        }
    }

    pub(crate) fn set_transparent(&mut self, index: u8) {
        self.0[usize::from(index)][3] = 0;
    }

    /// RGBA if any entry that the file made transparent exists, else RGB.
    pub(crate) fn expand(&self, indices: &[u8]) -> Pixels {
        let colors = indices.iter().map(|i| self.0[usize::from(*i)]);
        if self.0.iter().any(|c| c[3] != 255) {
            Pixels::Rgba(colors.flatten().collect())
        } else {
            Pixels::Rgb(colors.flat_map(|[r, g, b, _]| [r, g, b]).collect())
        }
    }
}

/// Pillow's `convert_transparent`: pixels of exactly the key's colour become transparent.
/// The key is compared by its low bytes, whatever the file's bit depth.
pub(crate) fn color_key(pixels: Pixels, key: [u8; 3]) -> Pixels {
    let with_alpha = |rgb: [u8; 3]| [rgb[0], rgb[1], rgb[2], if rgb == key { 0 } else { 255 }];
    Pixels::Rgba(match pixels {
        Pixels::Grey(data) => data.iter().flat_map(|v| with_alpha([*v; 3])).collect(),
        Pixels::Rgb(data) => {
            data.chunks_exact(3).flat_map(|p| with_alpha([p[0], p[1], p[2]])).collect()
        }
        Pixels::Rgba(data) => data,
    })
}
