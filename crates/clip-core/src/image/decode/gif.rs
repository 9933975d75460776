//! GIF: the first frame on its canvas, as Pillow opens it.
//!
//! Our own reader: what Pillow makes of a damaged file (it looks at nothing behind the last pixel, and
//! passes over what it does not know) no crate for this format does.

use crate::image::{
    Format, ImageError, Limits,
    raster::{Palette, Raster},
};

const FORMAT: Format = Format::Gif;

/// Entries of the table of strings (GIF89a, appendix F).
const STRINGS: usize = 4096;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, ImageError> {
    let mut file = Reader(bytes);
    let screen = file.take::<13>()?;
    let global = colors(&mut file, screen[10])?;
    let (transparent, frame) = first_frame(&mut file)?;
    let (left, top, w, h) = (frame.left, frame.top, frame.width, frame.height);
    // Pillow grows the canvas to a frame that sticks out.
    let width = u16_at(&screen, 6).max(left + w);
    let height = u16_at(&screen, 8).max(top + h);
    limits.check_size(width as u64, height as u64)?;
    let local = colors(&mut file, frame.flags)?;
    if w == 0 || h == 0 {
        return Err(ImageError::corrupt(FORMAT, "an empty frame"));
    }
    let [bits] = file.take()?;
    let indices = pixels(file.0, bits.into(), w * h)?;

    // Around the frame: the transparent colour if there is one, else entry 0.
    let mut canvas = vec![transparent.unwrap_or(0); width * height];
    let mut rows = indices.chunks_exact(w);
    for (first, step) in if frame.interlaced() { INTERLACED } else { [(0, 1); 4] } {
        for y in (first..h).step_by(step) {
            if let Some(row) = rows.next() {
                canvas[(top + y) * width + left..][..w].copy_from_slice(row);
            }
        }
    }
    // A table that says nothing is forgotten by Pillow; a local one then gives way to the global.
    let colors = [local, global].into_iter().flatten().find(|c| !is_grey_ramp(c));
    let mut palette = colors.map_or_else(Palette::greys, Palette::new);
    if let Some(index) = transparent {
        palette.set_transparent(index);
    }
    Ok(Raster {
        format: FORMAT,
        width: width as u32,
        height: height as u32,
        mode: if colors.is_some() { "P" } else { "L" },
        pixels: palette.expand(&canvas),
        orientation: 1,
        frames: None,
        damaged: false,
    })
}

/// First row and step of each pass.
const INTERLACED: [(usize, usize); 4] = [(0, 8), (4, 8), (2, 4), (1, 2)];

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], ImageError> {
        let (found, rest) = self.0.split_first_chunk().ok_or_else(short)?;
        self.0 = rest;
        Ok(*found)
    }

    /// A block of an extension, as much of it as there is; `None` where it is empty.
    fn block(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first()?;
        let (block, rest) = rest.split_at(rest.len().min(usize::from(*length)));
        self.0 = rest;
        (*length > 0).then_some(block)
    }
}

fn short() -> ImageError {
    ImageError::truncated(FORMAT, "its data stops early")
}

fn broken() -> ImageError {
    ImageError::corrupt(FORMAT, "an impossible code")
}

fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

/// The table that `flags` announces.
fn colors<'a>(file: &mut Reader<'a>, flags: u8) -> Result<Option<&'a [u8]>, ImageError> {
    if flags & 0x80 == 0 {
        return Ok(None);
    }
    let (table, rest) = file.0.split_at_checked(3 << ((flags & 7) + 1)).ok_or_else(short)?;
    file.0 = rest;
    Ok(Some(table))
}

struct Frame {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
    flags: u8,
}

impl Frame {
    fn interlaced(&self) -> bool {
        self.flags & 0x40 != 0
    }
}

/// Reads up to the first frame's table: its place, and the transparent index.
fn first_frame(file: &mut Reader<'_>) -> Result<(Option<u8>, Frame), ImageError> {
    let mut transparent = None;
    loop {
        match file.take()? {
            [b';'] => return Err(ImageError::corrupt(FORMAT, "it holds no image")),
            [b','] => {
                let place = file.take::<9>()?;
                let [left, top, width, height] = [0, 2, 4, 6].map(|at| u16_at(&place, at));
                return Ok((transparent, Frame { left, top, width, height, flags: place[8] }));
            }
            [b'!'] => {
                let [label] = file.take()?;
                let block = file.block();
                if let (0xf9, Some(block)) = (label, block) {
                    let [flags, ..] = block.first_chunk::<3>().ok_or_else(short)?;
                    if flags & 1 != 0 {
                        transparent = Some(*block.get(3).ok_or_else(short)?);
                    }
                }
                // Where Pillow expects one more block, an empty one does not end the extension.
                if label == 0xff && block.is_some_and(|b| b.starts_with(b"NETSCAPE2.0")) {
                    file.block();
                }
                if label != 0xfe || block.is_some() {
                    while file.block().is_some() {}
                }
            }
            _ => {}
        }
    }
}

/// Codes of a growing number of bits, from blocks that are read as far as they are needed.
struct Codes<'a> {
    rest: &'a [u8],
    block: &'a [u8],
    buffer: u32,
    filled: u32,
}

impl Codes<'_> {
    fn take(&mut self, size: u32) -> Result<usize, ImageError> {
        while self.filled < size {
            if let Some((byte, block)) = self.block.split_first() {
                self.buffer |= u32::from(*byte) << self.filled;
                self.filled += 8;
                self.block = block;
            } else {
                let (length, rest) = self.rest.split_first().ok_or_else(short)?;
                (self.block, self.rest) =
                    rest.split_at_checked((*length).into()).ok_or_else(short)?;
            }
        }
        let code = self.buffer & ((1 << size) - 1);
        self.buffer >>= size;
        self.filled -= size;
        Ok(code as usize)
    }
}

/// LZW, until all pixels are there.
fn pixels(data: &[u8], bits: u32, count: usize) -> Result<Vec<u8>, ImageError> {
    if bits > 12 {
        return Err(ImageError::corrupt(FORMAT, format!("codes of {bits} bits")));
    }
    let mut codes = Codes { rest: data, block: &[], buffer: 0, filled: 0 };
    let (clear, end) = (1 << bits, (1 << bits) + 1);
    // A string is that of another code and one more pixel.
    let (mut tails, mut links) = (vec![0u8; STRINGS], vec![0usize; STRINGS]);
    let mut string = [0u8; STRINGS];
    let mut out = Vec::with_capacity(count);
    let (mut next, mut size) = (clear + 2, bits + 1);
    // Of the code before: itself, and the first pixel of its string.
    let mut last: Option<(usize, u8)> = None;
    while out.len() < count {
        let code = codes.take(size)?;
        if code == clear {
            (next, size, last) = (clear + 2, bits + 1, None);
            continue;
        }
        if code == end {
            return Err(short());
        }
        let Some((before, first)) = last else {
            if code > clear {
                return Err(broken());
            }
            out.push(code as u8);
            last = Some((code, code as u8));
            continue;
        };
        if code > next {
            return Err(broken());
        }
        let (mut at, mut walk) = (STRINGS, code);
        if code == next {
            at -= 1;
            string[at] = first;
            walk = before;
        }
        while walk >= clear {
            if at == 0 || walk >= STRINGS {
                return Err(broken());
            }
            at -= 1;
            string[at] = tails[walk];
            walk = links[walk];
        }
        let first = walk as u8;
        if next < STRINGS {
            (tails[next], links[next]) = (first, before);
            if next == (1 << size) - 1 && size < 12 {
                size += 1;
            }
            next += 1;
        }
        out.push(first);
        out.extend(&string[at..]);
        last = Some((code, first));
    }
    out.truncate(count);
    Ok(out)
}

/// Entry i is the grey i: Pillow then opens the file in mode "L".
fn is_grey_ramp(colors: &[u8]) -> bool {
    colors.chunks_exact(3).enumerate().all(|(i, c)| c.iter().all(|v| usize::from(*v) == i))
}
