//! WebP through `image-webp`; of an animation the first frame.
//!
//! The container (RFC 9649) is walked here first: libwebp refuses a file that is cut short, the
//! sizes in the bitstreams decide what the decoder allocates, and the first frame of an
//! animation is decoded as an image of its own, because libwebp copies it to the canvas where
//! the crate blends it.

use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};

use crate::image::{
    Format, ImageError, Limits, orient,
    raster::{Pixels, Raster},
};

const FORMAT: Format = Format::WebP;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, ImageError> {
    let bytes = riff(bytes)?;
    let chunks = walk(&bytes[12..])?;
    for size in chunks.iter().filter_map(bitstream_size) {
        limits.check_size(size.0.into(), size.1.into())?;
    }
    let find = |kind: &[u8; 4]| chunks.iter().find(|c| c.kind == *kind).map(|c| c.body);
    let extended = find(b"VP8X").and_then(|body| body.first_chunk::<10>());
    let canvas = extended.map(|x| (u24([x[4], x[5], x[6]]) + 1, u24([x[7], x[8], x[9]]) + 1));
    if let Some((width, height)) = canvas {
        limits.check_size(width.into(), height.into())?;
    }
    let animated = extended.is_some_and(|x| x[0] & 2 != 0);
    let (width, height, pixels) = match (canvas, animated) {
        (Some(canvas), true) => {
            let frame = find(b"ANMF").ok_or_else(|| corrupt("it holds no frame"))?;
            let alpha = extended.is_some_and(|x| x[0] & 16 != 0);
            (canvas.0, canvas.1, first_frame(canvas, alpha, frame, limits)?)
        }
        _ => still(bytes)?,
    };
    let frames = chunks.iter().filter(|c| c.kind == *b"ANMF").count();
    Ok(Raster {
        format: FORMAT,
        width,
        height,
        mode: if matches!(pixels, Pixels::Rgba(_)) { "RGBA" } else { "RGB" },
        pixels,
        orientation: orient::orientation(find(b"EXIF"), find(b"XMP ")),
        frames: Some(if animated { frames as u32 } else { 1 }),
        damaged: false,
    })
}

/// A file with one image.
fn still(bytes: &[u8]) -> Result<(u32, u32, Pixels), ImageError> {
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(error)?;
    let (width, height) = decoder.dimensions();
    // The bitstream's own size was checked against the limits; the container must agree, and the
    // crate must not have found a bitstream that was not seen here.
    let chunks = walk(bytes.get(12..).unwrap_or_default())?;
    let sizes = chunks.iter().filter_map(bitstream_size).collect::<Vec<_>>();
    if sizes.is_empty() {
        return Err(corrupt("it holds no picture"));
    }
    if sizes.iter().any(|size| *size != (width, height)) {
        return Err(corrupt("its headers disagree about the size"));
    }
    let size = decoder.output_buffer_size().ok_or_else(|| corrupt("impossible size"))?;
    let mut data = vec![0; size];
    decoder.read_image(&mut data).map_err(error)?;
    let alpha = decoder.has_alpha();
    Ok((width, height, if alpha { Pixels::Rgba(data) } else { Pixels::Rgb(data) }))
}

/// Draws the frame on a transparent black canvas.
fn first_frame(
    canvas: (u32, u32),
    alpha: bool,
    frame: &[u8],
    limits: &Limits,
) -> Result<Pixels, ImageError> {
    let (header, body) = frame.split_at_checked(16).ok_or_else(|| corrupt("a short frame"))?;
    let field = |at: usize| u24([header[at], header[at + 1], header[at + 2]]);
    let (left, top, width, height) = (field(0) * 2, field(3) * 2, field(6) + 1, field(9) + 1);
    if left + width > canvas.0 || top + height > canvas.1 {
        return Err(corrupt("a frame lies outside its canvas"));
    }
    let parts = walk(body)?;
    for size in parts.iter().filter_map(bitstream_size) {
        limits.check_size(size.0.into(), size.1.into())?;
    }
    let has = |kind: &[u8; 4]| parts.iter().any(|c| c.kind == *kind);
    let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
    if has(b"ALPH") {
        file.extend(b"VP8X\x0a\0\0\0\x10\0\0\0");
        file.extend_from_slice(&header[6..12]);
    }
    for part in parts.iter().filter(|c| [*b"ALPH", *b"VP8 ", *b"VP8L"].contains(&c.kind)) {
        file.extend(part.kind);
        file.extend((part.body.len() as u32).to_le_bytes());
        file.extend(part.body);
        file.resize(file.len().next_multiple_of(2), 0);
    }
    let length = (file.len() - 8) as u32;
    file[4..8].copy_from_slice(&length.to_le_bytes());
    let (w, h, pixels) = still(&file)?;
    if (w, h) != (width, height) {
        return Err(corrupt("its headers disagree about the size"));
    }

    let (step, data) = match &pixels {
        Pixels::Rgba(data) => (4, data),
        Pixels::Rgb(data) | Pixels::Grey(data) => (3, data),
    };
    let stride = canvas.0 as usize * 4;
    let mut out = vec![0; stride * canvas.1 as usize];
    let rows = out.chunks_exact_mut(stride).skip(top as usize);
    for (row, from) in rows.zip(data.chunks_exact(width as usize * step)) {
        let row = row.chunks_exact_mut(4).skip(left as usize);
        for (to, px) in row.zip(from.chunks_exact(step)) {
            to[3] = 255;
            to[..step].copy_from_slice(px);
        }
    }
    if alpha {
        return Ok(Pixels::Rgba(out));
    }
    Ok(Pixels::Rgb(out.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect()))
}

struct Chunk<'a> {
    kind: [u8; 4],
    body: &'a [u8],
}

/// The file as long as its header says: libwebp reads nothing behind that.
fn riff(bytes: &[u8]) -> Result<&[u8], ImageError> {
    let size = bytes.get(4..8).and_then(|b| b.first_chunk::<4>()).copied().unwrap_or_default();
    let end = (u32::from_le_bytes(size) as usize).saturating_add(8);
    bytes
        .get(..end.max(12))
        .ok_or_else(|| ImageError::truncated(FORMAT, format!("{} of {end} bytes", bytes.len())))
}

fn walk(mut rest: &[u8]) -> Result<Vec<Chunk<'_>>, ImageError> {
    let mut chunks = Vec::new();
    while let Some((header, tail)) = rest.split_first_chunk::<8>() {
        let [a, b, c, d, size @ ..] = *header;
        let length = u32::from_le_bytes(size) as usize;
        let body = tail.get(..length);
        let body = body.ok_or_else(|| ImageError::truncated(FORMAT, "its data stops early"))?;
        chunks.push(Chunk { kind: [a, b, c, d], body });
        rest = tail.get(length + length % 2..).unwrap_or_default();
    }
    Ok(chunks)
}

/// Width and height in a VP8 (RFC 6386, 9.1) or VP8L (RFC 9649, 3.4) header.
fn bitstream_size(chunk: &Chunk<'_>) -> Option<(u32, u32)> {
    match &chunk.kind {
        b"VP8 " => {
            let [w0, w1, h0, h1] = *chunk.body.get(6..)?.first_chunk::<4>()?;
            let side = |a, b| u32::from(u16::from_le_bytes([a, b]) & 0x3fff);
            Some((side(w0, w1), side(h0, h1)))
        }
        b"VP8L" => {
            let bits = u32::from_le_bytes(*chunk.body.get(1..)?.first_chunk::<4>()?);
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        _ => None,
    }
}

fn u24([a, b, c]: [u8; 3]) -> u32 {
    u32::from_le_bytes([a, b, c, 0])
}

fn corrupt(detail: &str) -> ImageError {
    ImageError::corrupt(FORMAT, detail)
}

fn error(error: DecodingError) -> ImageError {
    match error {
        DecodingError::IoError(e) => ImageError::io(FORMAT, &e),
        other => ImageError::corrupt(FORMAT, other),
    }
}
