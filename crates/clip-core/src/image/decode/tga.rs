//! Truevision TGA, by the rules of Pillow's `TgaImagePlugin`.
//!
//! `image` reads packets and puts rows into order; what the samples mean is decided here, because the
//! crate rounds samples of 5 bits in another way, and forgets alpha that the header does not count. It is
//! told that all files but those of 24 and 32 bits hold levels of grey, and gives their samples as they
//! are.

use std::io::Read;

use ::image::codecs::tga::TgaDecoder;

use super::library;
use crate::image::{
    Format, ImageError, Limits, orient,
    raster::{Palette, Pixels, Raster, unpack},
};

const FORMAT: Format = Format::Tga;

/// Bits of the image descriptor: rows from the right, rows from the top.
const FROM_RIGHT: u8 = 0x10;
const FROM_TOP: u8 = 0x20;

/// The header's fields that count.
struct Header {
    id_length: usize,
    /// First entry, number of entries and bits of an entry.
    map: Option<(usize, usize, u8)>,
    /// 1: indices, 2: colours, 3: levels of grey.
    kind: u8,
    packets: bool,
    width: u16,
    height: u16,
    bits: u8,
    descriptor: u8,
}

impl Header {
    const LENGTH: usize = 18;

    /// `None` where the bytes cannot be those of a TGA file, which has no magic number.
    fn read(bytes: &[u8]) -> Option<Self> {
        let h = bytes.first_chunk::<{ Header::LENGTH }>()?;
        let u16_at = |at: usize| u16::from_le_bytes([h[at], h[at + 1]]);
        let map = (usize::from(u16_at(3)), usize::from(u16_at(5)), h[7]);
        let header = Header {
            id_length: h[0].into(),
            map: (h[1] == 1).then_some(map),
            kind: h[2] & !8,
            packets: h[2] & 8 != 0,
            width: u16_at(12),
            height: u16_at(14),
            bits: h[16],
            descriptor: h[17],
        };
        let known = h[1] <= 1
            && matches!(header.kind, 1..=3)
            && matches!(header.bits, 1 | 8 | 16 | 24 | 32)
            && header.width != 0
            && header.height != 0
            && (header.kind != 1 || header.map.is_some());
        known.then_some(header)
    }

    /// The header that gives samples as they are.
    fn for_library(&self, original: &[u8]) -> Result<[u8; Header::LENGTH], ImageError> {
        let mut header = *original.first_chunk().ok_or_else(short)?;
        let (kind, bits, attributes) = match (self.kind, self.bits) {
            // Pillow opens such files, and fails to read them or takes greys for indices.
            (2 | 3, _) if self.map.is_some() => {
                return Err(ImageError::unsupported("a TGA image with a palette and no indices"));
            }
            (2, 24) => (2, 24, 0),
            (2, 32) => (2, 32, 8),
            (1 | 3, 8) => (3, 8, 0),
            (2 | 3, 16) => (3, 16, 8),
            (3, 1) if !self.packets => {
                header[12..14].copy_from_slice(&self.width.div_ceil(8).to_le_bytes());
                (3, 8, 0)
            }
            (kind, bits) => {
                let found = format!("a TGA image of kind {kind} with {bits} bits a pixel");
                return Err(ImageError::unsupported(found));
            }
        };
        header[2] = kind | u8::from(self.packets) << 3;
        header[16] = bits;
        header[17] = self.descriptor & FROM_TOP | attributes;
        Ok(header)
    }
}

/// Whether the first bytes can be a TGA header that Pillow reads.
pub(in crate::image) fn is_tga(bytes: &[u8]) -> bool {
    Header::read(bytes).is_some()
}

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, ImageError> {
    let header = Header::read(bytes).ok_or_else(short)?;
    limits.check_size(header.width.into(), header.height.into())?;
    let first = header.for_library(bytes)?;
    let palette = header.map.map(|map| palette(bytes, header.id_length, map)).transpose()?;
    let rest = bytes.get(Header::LENGTH..).unwrap_or_default();
    if header.packets {
        let table = header.map.map_or(0, |(_, count, bits)| count * usize::from(bits) / 8);
        follow(rest.get(header.id_length + table..).unwrap_or_default(), &header)?;
    }
    let decoder = TgaDecoder::new(first.chain(rest)).map_err(|e| library::error(FORMAT, e))?;
    let data = library::samples(FORMAT, decoder)?;
    let (mode, mut pixels) = match (header.kind, header.bits, palette) {
        (1, _, Some(palette)) => ("P", palette.expand(&data)),
        (2, 24, _) => ("RGB", Pixels::Rgb(data)),
        (2, 32, _) => ("RGBA", Pixels::Rgba(data)),
        (2, ..) => ("RGBA", Pixels::Rgba(data.as_chunks().0.iter().flat_map(five_bits).collect())),
        (_, 16, _) => {
            let pairs = data.as_chunks::<2>().0.iter();
            ("LA", Pixels::Rgba(pairs.flat_map(|[v, a]| [*v, *v, *v, *a]).collect()))
        }
        (_, 1, _) => {
            let width = usize::from(header.width);
            let rows = data.chunks_exact(width.div_ceil(8));
            let levels = rows.flat_map(|row| unpack(row, 1, width)).map(|bit| bit * 255);
            ("1", Pixels::Grey(levels.collect()))
        }
        _ => ("L", Pixels::Grey(data)),
    };
    if mode == "RGBA" && has_no_alpha(bytes) {
        pixels = pixels.opaque();
    }
    if header.descriptor & FROM_RIGHT != 0 {
        pixels = orient::apply_pixels(header.width.into(), header.height.into(), pixels, 2);
    }
    Ok(Raster {
        format: FORMAT,
        width: header.width.into(),
        height: header.height.into(),
        mode,
        pixels,
        orientation: 1,
        frames: Some(1),
        damaged: false,
    })
}

fn short() -> ImageError {
    ImageError::truncated(FORMAT, "its data stops early")
}

/// As Pillow, who wants whole packets, and runs that end with their row.
fn follow(mut packets: &[u8], header: &Header) -> Result<(), ImageError> {
    let (width, size) = (usize::from(header.width), usize::from(header.bits / 8));
    let mut left = width * usize::from(header.height);
    while left > 0 {
        let (head, rest) = packets.split_first().ok_or_else(short)?;
        let count = usize::from(head & 0x7f) + 1;
        let run = head & 0x80 != 0;
        if run && count > (left - 1) % width + 1 {
            return Err(ImageError::corrupt(FORMAT, "a run that goes on in the next row"));
        }
        packets = rest.get(size * if run { 1 } else { count }..).ok_or_else(short)?;
        left = left.saturating_sub(count);
    }
    Ok(())
}

fn palette(bytes: &[u8], id: usize, map: (usize, usize, u8)) -> Result<Palette, ImageError> {
    let (first, count, bits) = map;
    let size = match bits {
        16 | 24 | 32 => usize::from(bits) / 8,
        _ => {
            return Err(ImageError::unsupported(format!(
                "a TGA image with colours of {bits} bits"
            )));
        }
    };
    let start = Header::LENGTH + id;
    let stored = bytes.get(start..start + count * size).ok_or_else(short)?;
    // Entries before the first are black. The alpha of entries has no effect in any profile.
    let mut colors = vec![0; first * 3];
    colors.extend(stored.chunks_exact(size).flat_map(|entry| match *entry {
        [low, high] => {
            let [r, g, b, _] = five_bits(&[low, high]);
            [r, g, b]
        }
        [b, g, r, ..] => [r, g, b],
        _ => [0; 3],
    }));
    if first + count > 256 {
        return Err(ImageError::corrupt(FORMAT, format!("a palette of {} colours", first + count)));
    }
    Ok(Palette::new(&colors))
}

/// Pillow's `BGRA;15Z`.
fn five_bits(pair: &[u8; 2]) -> [u8; 4] {
    let value = u16::from_le_bytes(*pair);
    let sample = |shift: u32| ((value >> shift & 31) * 255 / 31) as u8;
    [sample(10), sample(5), sample(0), if value >> 15 == 0 { 255 } else { 0 }]
}

/// Whether the extension area (TGA 2.0) says that there is no alpha.
fn has_no_alpha(bytes: &[u8]) -> bool {
    let Some(footer) = bytes.last_chunk::<26>().filter(|f| f.ends_with(b"TRUEVISION-XFILE.\0"))
    else {
        return false;
    };
    let area = u32::from_le_bytes([footer[0], footer[1], footer[2], footer[3]]) as usize;
    area != 0 && bytes.get(area.saturating_add(494)) == Some(&0)
}
