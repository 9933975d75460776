//! JPEG through `libjpeg-turbo-rs`, the one Rust decoder measured bit-equal to libjpeg-turbo.
//!
//! The crate contains `unsafe` and gives no memory-safety guarantee, so its version is pinned
//! exactly, it is fuzzed here, and everything unusual is refused from the header: only 8-bit
//! Huffman-coded DCT frames with 1, 3 or 4 components get as far as its entropy decoder.
//!
//! Its `simd` feature stays off. That is the smaller and safer half of the crate, and the only
//! way to the same bits everywhere: on damaged files whose coefficients overflow, the vector
//! kernels (and Pillow's on x86) saturate where scalar code does not. The price, measured on a
//! 1200x1600 photograph, decoding and resizing: 36 ms, 24 ms with `simd`, Pillow 32 ms.

use libjpeg_turbo_rs::{DecodeLimits, Decoder, JpegError, PixelFormat};

use super::{jpeg_cmyk, jpeg_markers};
use crate::image::{
    Format, ImageError, Limits, orient,
    raster::{Pixels, Raster, cmyk_to_rgb},
};

const FORMAT: Format = Format::Jpeg;

/// More scans than any encoder writes; each costs a pass over the whole image.
const MAX_SCANS: usize = 500;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, ImageError> {
    jpeg_markers::check(bytes)?;
    let caps = DecodeLimits { max_scans: MAX_SCANS, ..DecodeLimits::default() };
    let mut decoder = Decoder::new_with_limits(bytes, caps).map_err(error)?;
    let frame = decoder.header();
    let (width, height) = (frame.width(), frame.height());
    limits.check_size(width as u64, height as u64)?;
    if decoder.is_arithmetic() {
        return Err(ImageError::unsupported("an arithmetic-coded JPEG"));
    }
    if frame.is_lossless {
        return Err(ImageError::unsupported("a lossless JPEG"));
    }
    if frame.precision != 8 {
        let kind = format!("a JPEG of {} bits per sample", frame.precision);
        return Err(ImageError::unsupported(kind));
    }
    // T.81 B.2.3: an interleaved scan holds at most 10 blocks in a unit; libjpeg insists.
    let blocks: u32 = frame
        .components
        .iter()
        .map(|c| u32::from(c.horizontal_sampling) * u32::from(c.vertical_sampling))
        .sum();
    let interleaved = frame.is_progressive || !decoder.has_multiple_scans();
    if frame.components.len() > 1 && interleaved && blocks > 10 {
        return Err(ImageError::corrupt(FORMAT, format!("{blocks} blocks in a unit, 10 allowed")));
    }
    let (mode, output) = match frame.components.len() {
        1 => ("L", PixelFormat::Grayscale),
        3 => ("RGB", PixelFormat::Rgb),
        4 => ("CMYK", PixelFormat::Cmyk),
        n => return Err(ImageError::unsupported(format!("a JPEG with {n} components"))),
    };
    let orientation = orient::orientation(decoder.exif_data(), decoder.xmp_data());
    decoder.set_output_format(output);
    // libjpeg's default; changes only progressive files whose last scans are missing.
    decoder.set_block_smoothing(true);
    let data = if jpeg_cmyk::applies(&decoder) {
        jpeg_cmyk::decode(decoder).map_err(error)?
    } else {
        let image = decoder.decode_image().map_err(error)?;
        if (image.width, image.height) != (width, height) || image.pixel_format != output {
            return Err(ImageError::corrupt(FORMAT, "the decoder returned another image"));
        }
        image.data
    };
    let pixels = match output {
        PixelFormat::Grayscale => Pixels::Grey(data),
        PixelFormat::Rgb => Pixels::Rgb(data),
        // Adobe's convention, which Pillow assumes for every 4-component file: inverted.
        _ => Pixels::Rgb(cmyk_to_rgb(&data.iter().map(|v| 255 - v).collect::<Vec<_>>())),
    };
    Ok(Raster {
        format: FORMAT,
        width: width as u32,
        height: height as u32,
        mode,
        pixels,
        orientation,
        frames: Some(1),
    })
}

fn error(error: JpegError) -> ImageError {
    match error {
        JpegError::UnexpectedEof => ImageError::truncated(FORMAT, "its data stops early"),
        JpegError::Unsupported(what) => ImageError::unsupported(format!("this JPEG ({what})")),
        other => ImageError::corrupt(FORMAT, other),
    }
}
