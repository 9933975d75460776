//! Icons and cursors, by the rules of Pillow's `IcoImagePlugin` and `CurImagePlugin`: the largest
//! picture of the file, a PNG or a bitmap with a mask.
//!
//! By the readers of PNG and BMP that are here: `image` takes the picture with the most colours, and
//! refuses a PNG that is not RGBA (Pillow writes such icons).

use std::cmp::Reverse;

use super::{bmp::Dib, png};
use crate::image::{
    Format, ImageError, Limits,
    raster::{Pixels, Raster, unpack},
};

const FORMAT: Format = Format::Ico;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, ImageError> {
    let entries = directory(bytes)?;
    match bytes.get(2) {
        Some(2) => cursor(bytes, &entries, limits),
        _ => icon(bytes, &entries, limits),
    }
}

struct Entry {
    /// As in the file, where 0 is 256.
    width: u8,
    height: u8,
    colors: u8,
    bits: u16,
    length: usize,
    offset: usize,
}

impl Entry {
    fn area(&self) -> u32 {
        let side = |stored: u8| if stored == 0 { 256 } else { u32::from(stored) };
        side(self.width) * side(self.height)
    }

    fn depth(&self) -> u32 {
        match (self.bits, self.colors) {
            (1.., _) => self.bits.into(),
            (0, colors @ 2..) => u8::BITS - (colors - 1).leading_zeros(),
            (0, 0 | 1) => 256,
        }
    }
}

fn directory(bytes: &[u8]) -> Result<Vec<Entry>, ImageError> {
    let missing = || ImageError::truncated(FORMAT, "its list of pictures stops early");
    let count = bytes.get(4..6).ok_or_else(missing)?;
    let list = bytes.get(6..).unwrap_or_default().as_chunks::<16>().0;
    let list = list.get(..usize::from(u16::from_le_bytes([count[0], count[1]])));
    let list = list.ok_or_else(missing)?;
    if list.is_empty() {
        return Err(ImageError::corrupt(FORMAT, "it holds no picture"));
    }
    let entries = list.iter().map(|e| Entry {
        width: e[0],
        height: e[1],
        colors: e[2],
        bits: u16::from_le_bytes([e[6], e[7]]),
        length: u32::from_le_bytes([e[8], e[9], e[10], e[11]]) as usize,
        offset: u32::from_le_bytes([e[12], e[13], e[14], e[15]]) as usize,
    });
    Ok(entries.collect())
}

/// Of the largest pictures the one with the fewest colours.
fn icon(bytes: &[u8], entries: &[Entry], limits: &Limits) -> Result<Raster, ImageError> {
    let entry = entries.iter().min_by_key(|entry| (Reverse(entry.area()), entry.depth()));
    let entry = entry.ok_or_else(|| ImageError::corrupt(FORMAT, "it holds no picture"))?;
    let inner = bytes.get(entry.offset..).unwrap_or_default();
    if inner.starts_with(b"\x89PNG\r\n\x1a\n") {
        let raster = png::decode(inner, limits)?;
        // What is transparent in a PNG without a channel for it, and how it is turned, is lost.
        let alpha = matches!(raster.mode, "LA" | "RGBA");
        let pixels = if alpha { raster.pixels } else { raster.pixels.opaque() };
        return Ok(Raster { format: FORMAT, orientation: 1, frames: None, pixels, ..raster });
    }
    let dib = Dib::read(bytes, entry.offset, limits)?;
    let (width, height) = dib.size();
    let alpha = match entry.bits {
        32 => fourth_bytes(bytes, &dib),
        _ => mask(bytes, entry, width, height),
    };
    let alpha = alpha.ok_or_else(|| ImageError::truncated(FORMAT, "its mask stops early"))?;
    let pixels = dib.pixels(bytes)?.0.with_alpha(&alpha);
    Ok(raster(width, height, "RGBA", pixels))
}

/// Alpha from the colours of 32 bits, top to bottom.
fn fourth_bytes(bytes: &[u8], dib: &Dib) -> Option<Vec<u8>> {
    let (width, height) = dib.size();
    let colors = bytes.get(dib.start()..)?.get(..width * height * 4)?;
    let rows = colors.chunks_exact(width * 4).rev();
    Some(rows.flat_map(|row| row.chunks_exact(4).map(|pixel| pixel[3])).collect())
}

/// Alpha from the bits at the picture's end, where 1 is transparent, top to bottom.
fn mask(bytes: &[u8], entry: &Entry, width: usize, height: usize) -> Option<Vec<u8>> {
    let stride = width.next_multiple_of(32) / 8;
    let start = entry.offset.checked_add(entry.length)?.checked_sub(stride * height)?;
    let mut alpha = Vec::with_capacity(width * height);
    for y in (0..height).rev() {
        // The last row may lack what fills it up.
        let row = bytes.get(start + y * stride..)?.get(..width.div_ceil(8))?;
        alpha.extend(unpack(row, 1, width).map(|bit| (1 - bit) * 255));
    }
    Some(alpha)
}

/// The first picture, unless one is larger on both sides. Its mask counts where it is black and white.
fn cursor(bytes: &[u8], entries: &[Entry], limits: &Limits) -> Result<Raster, ImageError> {
    let larger =
        |best: &'_ Entry, entry: &'_ Entry| entry.width > best.width && entry.height > best.height;
    let entry = entries.iter().reduce(|best, e| if larger(best, e) { e } else { best });
    let at = entry.map_or(0, |entry| entry.offset);
    let dib = Dib::read(bytes, at, limits)?;
    let (width, height) = dib.size();
    // Pillow believes in alpha at the place where the only picture of a file is.
    let dib = if at == 22 { dib.with_alpha() } else { dib };
    let (pixels, mode) = dib.pixels(bytes)?;
    match mode {
        "1" => {}
        "L" => return Err(ImageError::unsupported("a cursor with a table of greys")),
        _ => return Ok(raster(width, height, mode, pixels)),
    }
    let both = match dib.both(bytes)? {
        Pixels::Rgb(data) => data,
        _ => return Err(ImageError::corrupt(FORMAT, "impossible colours")),
    };
    let (mask, colors) = both.as_chunks::<3>().0.split_at(width * height);
    let masked = colors.iter().zip(mask).flat_map(|([r, g, b], mask)| match mask[0] {
        0 => [*r, *g, *b, 255],
        _ => [0; 4],
    });
    Ok(raster(width, height, "LA", Pixels::Rgba(masked.collect())))
}

fn raster(width: usize, height: usize, mode: &'static str, pixels: Pixels) -> Raster {
    Raster {
        format: FORMAT,
        width: width as u32,
        height: height as u32,
        mode,
        pixels,
        orientation: 1,
        frames: None,
        damaged: false,
    }
}
