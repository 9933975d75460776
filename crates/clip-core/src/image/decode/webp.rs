//! WebP through `image-webp`; of an animation the first frame.

use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};

use crate::image::{
    Format, ImageError, Limits, orient,
    raster::{Pixels, Raster},
};

const FORMAT: Format = Format::WebP;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, ImageError> {
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(error)?;
    let (width, height) = decoder.dimensions();
    limits.check_size(width.into(), height.into())?;
    // The frame's own header decides what its decoder allocates.
    for (w, h) in bitstream_sizes(bytes) {
        if w > width || h > height {
            return Err(ImageError::corrupt(FORMAT, "a frame is larger than its canvas"));
        }
    }
    decoder.set_memory_limit(limits.max_bytes);
    let exif = decoder.exif_metadata().map_err(error)?;
    let xmp = decoder.xmp_metadata().map_err(error)?;
    let size = decoder.output_buffer_size();
    let mut data = vec![0; size.ok_or_else(|| ImageError::corrupt(FORMAT, "impossible size"))?];
    decoder.read_image(&mut data).map_err(error)?;
    let alpha = decoder.has_alpha();
    Ok(Raster {
        format: FORMAT,
        width,
        height,
        mode: if alpha { "RGBA" } else { "RGB" },
        pixels: if alpha { Pixels::Rgba(data) } else { Pixels::Rgb(data) },
        orientation: orient::orientation(exif.as_deref(), xmp.as_deref()),
        frames: Some(if decoder.is_animated() { decoder.num_frames() } else { 1 }),
    })
}

/// Sizes that the VP8 and VP8L headers claim, in the file and in its animation frames
/// (WebP container specification; RFC 6386 9.1; RFC 9649 3.4).
fn bitstream_sizes(bytes: &[u8]) -> Vec<(u32, u32)> {
    fn walk(mut rest: &[u8], sizes: &mut Vec<(u32, u32)>, nested: bool) {
        while let Some((header, tail)) = rest.split_at_checked(8) {
            let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
            let body = tail.get(..length).unwrap_or(tail);
            match &header[..4] {
                b"VP8 " => {
                    if let Some([w0, w1, h0, h1]) = body.get(6..10) {
                        let side = |a: u8, b: u8| u32::from(u16::from_le_bytes([a, b]) & 0x3fff);
                        sizes.push((side(*w0, *w1), side(*h0, *h1)));
                    }
                }
                b"VP8L" => {
                    if let Some([a, b, c, d]) = body.get(1..5) {
                        let bits = u32::from_le_bytes([*a, *b, *c, *d]);
                        sizes.push(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1));
                    }
                }
                b"ANMF" if !nested => walk(body.get(16..).unwrap_or_default(), sizes, true),
                _ => {}
            }
            rest = tail.get(length.saturating_add(length & 1)..).unwrap_or_default();
        }
    }
    let mut sizes = Vec::new();
    walk(bytes.get(12..).unwrap_or_default(), &mut sizes, false);
    sizes
}

fn error(error: DecodingError) -> ImageError {
    match error {
        DecodingError::IoError(e) => ImageError::io(FORMAT, &e),
        other => ImageError::corrupt(FORMAT, other),
    }
}
