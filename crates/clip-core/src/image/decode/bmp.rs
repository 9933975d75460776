//! Windows bitmaps, by the rules of Pillow's `BmpImagePlugin`.
//!
//! Our own reader: the crates for this format scale 5- and 6-bit samples, read alpha and accept
//! short run-length data in other ways than Pillow.

use crate::image::{
    Format, ImageError, Limits,
    raster::{Palette, Pixels, Raster, unpack},
};

const FORMAT: Format = Format::Bmp;

/// BITMAPFILEHEADER, bytes.
const FILE_HEADER: usize = 14;

struct Header {
    width: usize,
    height: usize,
    bottom_up: bool,
    bits: u16,
    compression: u32,
    /// Red, green, blue, alpha.
    masks: [u32; 4],
    palette: Palette,
    /// Pillow's name of what `palette` makes of indices.
    mode: &'static str,
    /// Where the pixels start.
    offset: usize,
}

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, ImageError> {
    let start = u32_at(bytes, 10)? as usize;
    let header = read_header(bytes, FILE_HEADER, start, limits)?;
    let (pixels, mode) = header.pixels(bytes)?;
    Ok(Raster {
        format: FORMAT,
        width: header.width as u32,
        height: header.height as u32,
        mode,
        pixels,
        orientation: 1,
        frames: Some(1),
        damaged: false,
    })
}

/// A bitmap inside of an icon or a cursor: its header tells the height of two pictures, below the
/// colours and above a mask of 1 bit.
#[cfg(feature = "image")]
pub(super) struct Dib(Header);

#[cfg(feature = "image")]
impl Dib {
    /// The header at `at`.
    pub(super) fn read(bytes: &[u8], at: usize, limits: &Limits) -> Result<Self, ImageError> {
        let mut header = read_header(bytes, at, 0, limits)?;
        header.height /= 2;
        match header.height {
            0 => Err(ImageError::corrupt(FORMAT, "the image has no pixels")),
            _ => Ok(Dib(header)),
        }
    }

    pub(super) fn size(&self) -> (usize, usize) {
        (self.0.width, self.0.height)
    }

    /// Where the colours begin.
    pub(super) fn start(&self) -> usize {
        self.0.offset
    }

    /// The fourth byte of 32 bits is alpha.
    pub(super) fn with_alpha(mut self) -> Self {
        if (self.0.bits, self.0.compression) == (32, 0) {
            (self.0.compression, self.0.masks) = (3, [0; 4]);
        }
        self
    }

    /// The colours, and Pillow's name of their mode.
    pub(super) fn pixels(&self, bytes: &[u8]) -> Result<(Pixels, &'static str), ImageError> {
        self.0.pixels(bytes)
    }

    /// Both pictures as if they were one.
    pub(super) fn both(mut self, bytes: &[u8]) -> Result<Pixels, ImageError> {
        self.0.height *= 2;
        Ok(self.0.pixels(bytes)?.0)
    }
}

impl Header {
    fn pixels(&self, bytes: &[u8]) -> Result<(Pixels, &'static str), ImageError> {
        match (self.compression, self.bits) {
            (0, 1 | 4 | 8) => {
                let bits = u32::from(self.bits);
                let indices = rows(bytes, self, |row, width, out| {
                    out.extend(unpack(row, bits, width));
                })?;
                Ok((self.palette.expand(&indices), self.mode))
            }
            (1 | 2, 1 | 4 | 8) => Ok((self.palette.expand(&run_lengths(bytes, self)?), self.mode)),
            (0 | 3, 16 | 24 | 32) => direct(bytes, self),
            (compression, bits) => {
                let kind = format!("a BMP of {bits} bits with compression {compression}");
                Err(ImageError::unsupported(kind))
            }
        }
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, ImageError> {
    let found = bytes.get(at..).and_then(|b| b.first_chunk::<2>());
    found.map(|b| u16::from_le_bytes(*b)).ok_or_else(truncated)
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, ImageError> {
    let found = bytes.get(at..).and_then(|b| b.first_chunk::<4>());
    found.map(|b| u32::from_le_bytes(*b)).ok_or_else(truncated)
}

fn truncated() -> ImageError {
    ImageError::truncated(FORMAT, "its data stops early")
}

/// `start`: where the file says that the pixels are; 0 if right after the header and the palette.
fn read_header(
    bytes: &[u8],
    place: usize,
    start: usize,
    limits: &Limits,
) -> Result<Header, ImageError> {
    let mut offset = start;
    let size = u32_at(bytes, place)? as usize;
    let at = |field: usize| place.saturating_add(field);
    let mut after = place.saturating_add(size);
    if bytes.len() < after {
        return Err(truncated());
    }
    let mut masks = [0; 4];
    let (width, height, bottom_up, bits, compression, colors, entry);
    if size == 12 {
        (width, height) = (u16_at(bytes, at(4))?.into(), u16_at(bytes, at(6))?.into());
        (bits, bottom_up, compression, colors, entry) = (u16_at(bytes, at(10))?, true, 0, 0, 3);
    } else {
        width = u32_at(bytes, at(4))?;
        let raw_height = u32_at(bytes, at(8))?;
        bottom_up = raw_height >> 24 != 0xff;
        height = if bottom_up { raw_height } else { raw_height.wrapping_neg() };
        bits = u16_at(bytes, at(14))?;
        compression = u32_at(bytes, at(16))?;
        colors = u32_at(bytes, at(32))?;
        entry = 4;
        if compression == 3 {
            let count = if size >= 56 { 4 } else { 3 };
            for (i, mask) in masks.iter_mut().take(count).enumerate() {
                *mask = u32_at(bytes, at(40 + 4 * i))?;
            }
            if size < 52 {
                after += 12;
            }
        }
    }
    limits.check_size(width.into(), height.into())?;
    if width == 0 || height == 0 {
        // A billion empty rows are within the limit of pixels, and take seconds.
        return Err(ImageError::corrupt(FORMAT, "the image has no pixels"));
    }
    let mut palette = Palette::greys();
    let mut mode = "P";
    if bits <= 8 {
        let colors = if colors == 0 { 1 << bits } else { colors as usize };
        if colors > 1 << 16 {
            return Err(ImageError::corrupt(FORMAT, "impossible palette"));
        }
        if offset == FILE_HEADER + size {
            offset += entry * colors;
        }
        let table = bytes.get(after..).unwrap_or_default();
        let rgb: Vec<u8> = table
            .chunks_exact(entry)
            .take(colors.min(256))
            .flat_map(|c| [c[2], c[1], c[0]])
            .collect();
        // Pillow forgets a table that says nothing: black and white, or the greys in order.
        let grey = rgb.len() == 3 * colors
            && rgb.chunks_exact(3).enumerate().all(|(i, c)| {
                let grey = if colors == 2 { i * 255 } else { i };
                c.iter().all(|v| usize::from(*v) == grey)
            });
        mode = match (grey, colors) {
            (false, _) => "P",
            (true, 2) => "1",
            (true, _) => "L",
        };
        palette = Palette::new(&rgb);
        after += entry * colors;
    }
    Ok(Header {
        width: width as usize,
        height: height as usize,
        bottom_up,
        bits,
        compression,
        masks,
        palette,
        mode,
        offset: if offset == 0 { after } else { offset },
    })
}

/// Uncompressed rows, padded to 4 bytes, top to bottom in the result.
fn rows(
    bytes: &[u8],
    header: &Header,
    mut push: impl FnMut(&[u8], usize, &mut Vec<u8>),
) -> Result<Vec<u8>, ImageError> {
    let row_bits = header.width.saturating_mul(header.bits.into());
    let (packed, stride) = (row_bits.div_ceil(8), row_bits.div_ceil(32) * 4);
    let data = bytes.get(header.offset..).unwrap_or_default();
    let needed = stride.saturating_mul(header.height.saturating_sub(1)).saturating_add(packed);
    if data.len() < needed {
        return Err(truncated());
    }
    let mut out = Vec::new();
    for y in 0..header.height {
        let line = if header.bottom_up { header.height - 1 - y } else { y };
        let row = data.get(line * stride..).and_then(|d| d.get(..packed));
        push(row.ok_or_else(truncated)?, header.width, &mut out);
    }
    Ok(out)
}

/// 16, 24 and 32 bits a pixel.
fn direct(bytes: &[u8], header: &Header) -> Result<(Pixels, &'static str), ImageError> {
    // Where the bytes of red, green, blue and alpha lie, as in Pillow's table of layouts.
    let layout: Option<([usize; 3], Option<usize>)> = match (header.bits, header.compression) {
        (24, _) | (32, 0) => Some(([2, 1, 0], None)),
        (32, _) => match header.masks {
            [0xff0000, 0xff00, 0xff, 0] => Some(([2, 1, 0], None)),
            [0xff000000, 0xff0000, 0xff00, 0] => Some(([3, 2, 1], None)),
            [0xff000000, 0xff00, 0xff, 0] => Some(([3, 1, 0], None)),
            [0xff000000, 0xff0000, 0xff00, 0xff] => Some(([3, 2, 1], Some(0))),
            [0xff, 0xff00, 0xff0000, 0xff000000] => Some(([0, 1, 2], Some(3))),
            [0xff0000, 0xff00, 0xff, 0xff000000] | [0, 0, 0, 0] => Some(([2, 1, 0], Some(3))),
            [0xff000000, 0xff00, 0xff, 0xff0000] => Some(([3, 1, 0], Some(2))),
            _ => None,
        },
        _ => None,
    };
    let rgb_masks = [header.masks[0], header.masks[1], header.masks[2]];
    let unsupported = || ImageError::unsupported(format!("a BMP with bit masks {rgb_masks:x?}"));
    if header.bits == 24 && header.compression == 3 && rgb_masks != [0xff0000, 0xff00, 0xff] {
        return Err(unsupported());
    }
    if header.bits == 16 {
        let green_bits = match (header.compression, rgb_masks) {
            (0, _) | (3, [0x7c00, 0x3e0, 0x1f]) => 5,
            (3, [0xf800, 0x7e0, 0x1f]) => 6,
            _ => return Err(unsupported()),
        };
        let data = rows(bytes, header, |row, _, out| {
            let pixels = row.chunks_exact(2).map(|p| u32::from(u16::from_le_bytes([p[0], p[1]])));
            out.extend(pixels.flat_map(|p| {
                let green_max = (1 << green_bits) - 1;
                let (r, g, b) = (p >> (5 + green_bits) & 31, p >> 5 & green_max, p & 31);
                [(r * 255 / 31) as u8, (g * 255 / green_max) as u8, (b * 255 / 31) as u8]
            }));
        })?;
        return Ok((Pixels::Rgb(data), "RGB"));
    }
    let (rgb, alpha) = layout.ok_or_else(unsupported)?;
    let size = usize::from(header.bits / 8);
    let data = rows(bytes, header, |row, _, out| {
        for px in row.chunks_exact(size) {
            out.extend(rgb.iter().chain(&alpha).map(|i| px[*i]));
        }
    })?;
    Ok(match alpha {
        Some(_) => (Pixels::Rgba(data), "RGBA"),
        None => (Pixels::Rgb(data), "RGB"),
    })
}

/// RLE8 and RLE4. Like Pillow, a stream that ends before the last pixel is an error.
fn run_lengths(bytes: &[u8], header: &Header) -> Result<Vec<u8>, ImageError> {
    let (width, total) = (header.width, header.width * header.height);
    let nibbles = header.compression == 2;
    let mut at = header.offset;
    let mut take = |n: usize| {
        let taken = bytes.get(at..at.saturating_add(n));
        at = at.saturating_add(n);
        (taken, at)
    };
    let mut data: Vec<u8> = Vec::new();
    let mut x = 0;
    while data.len() < total {
        let (Some([count, value]), _) = take(2) else { break };
        let (count, value) = (usize::from(*count), *value);
        match (count, value) {
            (1.., _) => {
                let run = count.min(width.saturating_sub(x));
                let pair = if nibbles { [value >> 4, value & 15] } else { [value; 2] };
                data.extend(pair.into_iter().cycle().take(run));
                x += run;
            }
            (0, 0) => {
                data.resize(data.len().next_multiple_of(width.max(1)), 0);
                x = 0;
            }
            (0, 1) => break,
            (0, 2) => {
                let (Some([right, up]), _) = take(2) else { break };
                let skip = usize::from(*right) + usize::from(*up) * width;
                data.resize(data.len() + skip.min(total - data.len()), 0);
                x = data.len() % width.max(1);
            }
            (0, literal) => {
                let pixels = usize::from(literal).min(total - data.len());
                let (run, end) = take(if nibbles { pixels.div_ceil(2) } else { pixels });
                let Some(run) = run else { break };
                if nibbles {
                    data.extend(run.iter().flat_map(|b| [b >> 4, b & 15]).take(pixels));
                } else {
                    data.extend(run);
                }
                x += usize::from(literal);
                // Runs start at even positions of the file.
                take(end % 2);
            }
        }
    }
    if data.len() < total {
        return Err(truncated());
    }
    data.truncate(total);
    if header.bottom_up && width > 0 {
        data = data.chunks_exact(width).rev().flatten().copied().collect();
    }
    Ok(data)
}
