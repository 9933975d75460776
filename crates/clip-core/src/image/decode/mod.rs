//! File bytes to samples, equal to what Pillow's decoders return.
//!
//! Each format has its own file. All decoders are pure Rust, look at the declared size before
//! they allocate, and report an error wherever Pillow does.

#[cfg(feature = "avif")]
mod avif;
mod bmp;
mod gif;
mod jpeg;
mod png;
#[cfg(feature = "tiff")]
mod tiff;
mod webp;

use super::{Format, ImageError, Limits, raster::Raster, sniff};

/// Decodes the first frame.
pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, ImageError> {
    limits.check_bytes(bytes.len())?;
    let format = sniff::sniff(bytes)?;
    // The decoders are other people's code fed with strangers' files: if one panics after all,
    // it is this file's error, not the process's. (wasm32 aborts; the sandbox holds it.)
    std::panic::catch_unwind(|| match format {
        Format::Jpeg => jpeg::decode(bytes, limits),
        Format::Png => png::decode(bytes, limits),
        Format::WebP => webp::decode(bytes, limits),
        Format::Gif => gif::decode(bytes, limits),
        Format::Bmp => bmp::decode(bytes, limits),
        #[cfg(feature = "avif")]
        Format::Avif => avif::decode(bytes, limits),
        #[cfg(not(feature = "avif"))]
        Format::Avif => Err(ImageError::unsupported("an AVIF image")),
        #[cfg(feature = "tiff")]
        Format::Tiff => tiff::decode(bytes, limits),
        #[cfg(not(feature = "tiff"))]
        Format::Tiff => Err(ImageError::unsupported("a TIFF image")),
    })
    .unwrap_or_else(|_| Err(ImageError::corrupt(format, "the decoder could not handle it")))
}
