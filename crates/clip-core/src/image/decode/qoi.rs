//! The Quite OK Image Format (qoiformat.org), through `image`.
//!
//! The crate wants what Pillow does not look at: an end marker, a known colour space. And it does not know
//! alpha in files of three channels, which Pillow follows and then forgets. So it is given a file of four
//! channels that ends with the last pixel and the marker.

use std::io::Read;

use ::image::codecs::qoi::QoiDecoder;

use super::library;
use crate::image::{
    Format, ImageError, Limits,
    raster::{Pixels, Raster},
};

const FORMAT: Format = Format::Qoi;

const END: &[u8; 8] = b"\0\0\0\0\0\0\0\x01";

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, ImageError> {
    let (header, chunks) = bytes.split_first_chunk::<14>().ok_or_else(short)?;
    let [_, _, _, _, w0, w1, w2, w3, h0, h1, h2, h3, channels, _] = *header;
    let (width, height) =
        (u32::from_be_bytes([w0, w1, w2, w3]), u32::from_be_bytes([h0, h1, h2, h3]));
    limits.check_size(width.into(), height.into())?;
    let mut header = *header;
    (header[12], header[13]) = (4, 0);
    let pixels = &chunks[..length(chunks, u64::from(width) * u64::from(height))?];
    let file = header.chain(pixels).chain(END.as_slice());
    let decoder = QoiDecoder::new(file).map_err(|e| library::error(FORMAT, e))?;
    let pixels = Pixels::Rgba(library::samples(FORMAT, decoder)?);
    let alpha = channels != 3;
    Ok(Raster {
        format: FORMAT,
        width,
        height,
        mode: if alpha { "RGBA" } else { "RGB" },
        pixels: if alpha { pixels } else { pixels.opaque() },
        orientation: 1,
        frames: Some(1),
        damaged: false,
    })
}

/// How many bytes so many pixels take.
fn length(chunks: &[u8], pixels: u64) -> Result<usize, ImageError> {
    let (mut at, mut known) = (0, 0);
    while known < pixels {
        let (bytes, run) = match chunks.get(at).ok_or_else(short)? {
            0xfe => (4, 1),
            0xff => (5, 1),
            0x80..0xc0 => (2, 1),
            run @ 0xc0.. => (1, u64::from(run & 0x3f) + 1),
            _ => (1, 1),
        };
        (at, known) = (at + bytes, known + run);
    }
    if at > chunks.len() { Err(short()) } else { Ok(at) }
}

fn short() -> ImageError {
    ImageError::truncated(FORMAT, "its data stops early")
}
