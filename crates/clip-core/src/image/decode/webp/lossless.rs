//! Lossless WebP (VP8L, RFC 9649, 3), with what libwebp does where the RFC is silent.
//!
//! Our own reader: `image-webp` 0.2.4 does not put pixels that come from the colour cache into it again,
//! reads a bit where both symbols of a code are the same, and refuses other files.

mod transforms;

use self::transforms::Transform;
use super::{
    bits::{Bits, Code},
    corrupt,
};
use crate::image::ImageError;

/// Literals of green, lengths of copies.
const LITERALS: usize = 256;
const LENGTHS: usize = 24;

/// Symbols of green (without the colour cache), red, blue, alpha, distances.
const ALPHABETS: [usize; 5] = [LITERALS + LENGTHS, 256, 256, 256, 40];

/// Distances to pixels nearby: columns to the left, rows above.
#[rustfmt::skip]
const NEARBY: [(i8, u8); 120] = [
    (0, 1), (1, 0), (1, 1), (-1, 1), (0, 2), (2, 0), (1, 2), (-1, 2), (2, 1), (-2, 1), (2, 2), (-2, 2),
    (0, 3), (3, 0), (1, 3), (-1, 3), (3, 1), (-3, 1), (2, 3), (-2, 3), (3, 2), (-3, 2), (0, 4), (4, 0),
    (1, 4), (-1, 4), (4, 1), (-4, 1), (3, 3), (-3, 3), (2, 4), (-2, 4), (4, 2), (-4, 2), (0, 5), (3, 4),
    (-3, 4), (4, 3), (-4, 3), (5, 0), (1, 5), (-1, 5), (5, 1), (-5, 1), (2, 5), (-2, 5), (5, 2), (-5, 2),
    (4, 4), (-4, 4), (3, 5), (-3, 5), (5, 3), (-5, 3), (0, 6), (6, 0), (1, 6), (-1, 6), (6, 1), (-6, 1),
    (2, 6), (-2, 6), (6, 2), (-6, 2), (4, 5), (-4, 5), (5, 4), (-5, 4), (3, 6), (-3, 6), (6, 3), (-6, 3),
    (0, 7), (7, 0), (1, 7), (-1, 7), (5, 5), (-5, 5), (7, 1), (-7, 1), (4, 6), (-4, 6), (6, 4), (-6, 4),
    (2, 7), (-2, 7), (7, 2), (-7, 2), (3, 7), (-3, 7), (7, 3), (-7, 3), (5, 6), (-5, 6), (6, 5), (-6, 5),
    (8, 0), (4, 7), (-4, 7), (7, 4), (-7, 4), (8, 1), (8, 2), (6, 6), (-6, 6), (8, 3), (5, 7), (-5, 7),
    (7, 5), (-7, 5), (8, 4), (6, 7), (-6, 7), (7, 6), (-7, 6), (8, 5), (7, 7), (-7, 7), (8, 6), (8, 7),
];

/// Pixels of an image: alpha, red, green, blue from the highest byte on.
type Argb = Vec<u32>;

/// A `VP8L` chunk: RGBA.
pub(super) fn decode(chunk: &[u8], width: u32, height: u32) -> Result<Vec<u8>, ImageError> {
    let mut bits = Bits::new(chunk);
    let signature = bits.take(8)?;
    let (w, h, _alpha) = (bits.take(14)? + 1, bits.take(14)? + 1, bits.take(1)?);
    if signature != 0x2f || bits.take(3)? != 0 || (w, h) != (width, height) {
        return Err(corrupt("not a lossless picture of the size that its header tells"));
    }
    let pixels = picture(bits, width as usize, height as usize)?;
    Ok(pixels
        .iter()
        .flat_map(|p| [(p >> 16) as u8, (p >> 8) as u8, *p as u8, (p >> 24) as u8])
        .collect())
}

/// A stream without a header, as in `ALPH` chunks, where green is alpha.
pub(super) fn levels(stream: &[u8], width: u32, height: u32) -> Result<Vec<u8>, ImageError> {
    let pixels = picture(Bits::new(stream), width as usize, height as usize)?;
    Ok(pixels.iter().map(|pixel| (pixel >> 8) as u8).collect())
}

fn picture(mut bits: Bits<'_>, width: usize, height: usize) -> Result<Argb, ImageError> {
    let mut transforms = Vec::new();
    let (mut packed, mut seen) = (width, [false; 4]);
    while bits.flag()? {
        let kind = bits.take(2)?;
        if std::mem::replace(&mut seen[kind as usize], true) {
            return Err(corrupt("a transform that is there twice"));
        }
        let transform = Transform::read(&mut bits, kind, packed, height)?;
        packed = transform.packed_width(packed);
        transforms.push(transform);
    }
    let mut pixels = image(&mut bits, packed, height, true)?;
    for transform in transforms.iter().rev() {
        transform.undo(&mut pixels);
    }
    Ok(pixels)
}

/// How many blocks of `1 << bits` pixels cover `size`.
fn blocks(size: usize, bits: u32) -> usize {
    size.div_ceil(1 << bits)
}

/// Codes of a part of the picture.
type Group = [Code; 5];

/// An entropy-coded image. Only the `main` one has parts with codes of their own.
fn image(bits: &mut Bits<'_>, width: usize, height: usize, main: bool) -> Result<Argb, ImageError> {
    let cache_bits = if bits.flag()? { bits.take(4)? } else { 0 };
    if cache_bits > 11 {
        return Err(corrupt("an impossible colour cache"));
    }
    let parts = match main && bits.flag()? {
        true => {
            let size = bits.take(3)? + 2;
            let across = blocks(width, size);
            let numbers = image(bits, across, blocks(height, size), false)?;
            let numbers = numbers.iter().map(|p| (p >> 8 & 0xffff) as u16).collect();
            Some(Parts { size, across, numbers })
        }
        false => None,
    };
    let groups = groups(bits, cache_bits, parts.as_ref())?;
    pixels(bits, (width, height), cache_bits, &groups, parts.as_ref())
}

/// Which group codes a block of pixels.
struct Parts {
    size: u32,
    across: usize,
    numbers: Vec<u16>,
}

/// Groups that no part uses are read, for they must be right, and dropped.
fn groups(
    bits: &mut Bits<'_>,
    cache_bits: u32,
    parts: Option<&Parts>,
) -> Result<Vec<Group>, ImageError> {
    let count = parts.and_then(|p| p.numbers.iter().max()).map_or(1, |most| usize::from(*most) + 1);
    let mut used = vec![parts.is_none(); count];
    for number in parts.iter().flat_map(|parts| &parts.numbers) {
        used[usize::from(*number)] = true;
    }
    let mut groups = Vec::new();
    for used in used {
        let mut group = Group::default();
        for (code, symbols) in group.iter_mut().zip(ALPHABETS) {
            let green = symbols == ALPHABETS[0];
            let cached = if green && cache_bits > 0 { 1 << cache_bits } else { 0 };
            *code = read_code(bits, symbols + cached)?;
        }
        groups.push(if used { group } else { Group::default() });
    }
    Ok(groups)
}

/// A prefix code (3.7.2).
fn read_code(bits: &mut Bits<'_>, symbols: usize) -> Result<Code, ImageError> {
    let mut lengths = vec![0u8; symbols.max(256)];
    if bits.flag()? {
        let two = bits.flag()?;
        let wide = bits.flag()?;
        lengths[bits.take(if wide { 8 } else { 1 })? as usize] = 1;
        if two {
            lengths[bits.take(8)? as usize] = 1;
        }
    } else {
        read_lengths(bits, &mut lengths[..symbols])?;
    }
    Code::new(&lengths[..symbols])
}

fn read_lengths(bits: &mut Bits<'_>, lengths: &mut [u8]) -> Result<(), ImageError> {
    const ORDER: [usize; 19] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    let mut own = [0u8; 19];
    for place in ORDER.iter().take(bits.take(4)? as usize + 4) {
        own[*place] = bits.take(3)? as u8;
    }
    let code = Code::new(&own)?;
    let mut left = lengths.len();
    if bits.flag()? {
        let size = 2 + 2 * bits.take(3)?;
        left = 2 + bits.take(size)? as usize;
        if left > lengths.len() {
            return Err(corrupt("more codes than symbols"));
        }
    }
    let (mut at, mut last) = (0, 8);
    while at < lengths.len() && left > 0 {
        left -= 1;
        let (length, times) = match code.read(bits)? as u8 {
            16 => (last, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => {
                last = if length == 0 { last } else { length };
                (length, 1)
            }
        };
        let run = lengths.get_mut(at..at + times as usize);
        run.ok_or_else(|| corrupt("more codes than symbols"))?.fill(length);
        at += times as usize;
    }
    Ok(())
}

/// Pixels by their colours, in the place that a hash gives them.
struct Cache {
    bits: u32,
    colors: Vec<u32>,
}

impl Cache {
    fn insert(&mut self, pixels: &[u32]) {
        for pixel in pixels {
            let place = pixel.wrapping_mul(0x1e35_a7bd) >> (32 - self.bits);
            self.colors[place as usize] = *pixel;
        }
    }
}

fn pixels(
    bits: &mut Bits<'_>,
    (width, height): (usize, usize),
    cache_bits: u32,
    groups: &[Group],
    parts: Option<&Parts>,
) -> Result<Argb, ImageError> {
    let count = width * height;
    let mut out: Argb = Vec::with_capacity(count);
    let mut cache =
        (cache_bits > 0).then(|| Cache { bits: cache_bits, colors: vec![0; 1 << cache_bits] });
    let group_at = |at: usize| {
        let number = parts.map_or(0, |parts| {
            let (x, y) = (at % width, at / width);
            parts.numbers[(y >> parts.size) * parts.across + (x >> parts.size)]
        });
        &groups[usize::from(number)]
    };
    let (mut group, mut end) = (group_at(0), 0);
    while out.len() < count {
        let at = out.len();
        if at >= end {
            group = group_at(at);
            // Of the block's part in this row.
            end = match parts {
                None => count,
                Some(parts) => {
                    let x = at % width;
                    at + ((1 << parts.size) - x % (1 << parts.size)).min(width - x)
                }
            };
        }
        let [green, red, blue, alpha, distance] = group;
        let symbol = green.read(bits)?;
        if symbol < LITERALS {
            let color =
                |r, b, a| (a as u32) << 24 | (r as u32) << 16 | (symbol as u32) << 8 | b as u32;
            out.push(color(red.read(bits)?, blue.read(bits)?, alpha.read(bits)?));
        } else if symbol < LITERALS + LENGTHS {
            let length = number(bits, symbol - LITERALS)?;
            let symbol = distance.read(bits)?;
            let back = back(number(bits, symbol)?, width);
            if back > at || length > count - at {
                return Err(corrupt("a copy of what is not there"));
            }
            for from in at - back..at - back + length {
                out.push(out[from]);
            }
        } else {
            let known = cache.as_ref().and_then(|c| c.colors.get(symbol - LITERALS - LENGTHS));
            out.push(*known.ok_or_else(|| corrupt("an impossible colour"))?);
        }
        if let Some(cache) = &mut cache {
            cache.insert(&out[at..]);
        }
    }
    Ok(out)
}

/// A length or a distance by its prefix (3.6.2.2).
fn number(bits: &mut Bits<'_>, prefix: usize) -> Result<usize, ImageError> {
    if prefix < 4 {
        return Ok(prefix + 1);
    }
    let extra = (prefix as u32 - 2) >> 1;
    Ok(((2 + (prefix & 1)) << extra) + bits.take(extra)? as usize + 1)
}

fn back(code: usize, width: usize) -> usize {
    match NEARBY.get(code - 1) {
        None => code - NEARBY.len(),
        Some((left, up)) => {
            let distance = isize::from(*left) + usize::from(*up) as isize * width as isize;
            distance.max(1) as usize
        }
    }
}
