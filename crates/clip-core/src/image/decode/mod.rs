//! File bytes to samples, equal to what Pillow's decoders return.
//!
//! Each format has its own file. All decoders are pure Rust, look at the declared size before
//! they allocate, and report an error wherever Pillow does.

#[cfg(feature = "avif")]
mod avif;
mod bmp;
mod gif;
#[cfg(feature = "image")]
mod ico;
mod jpeg;
#[cfg(feature = "image")]
mod library;
mod png;
#[cfg(feature = "image")]
pub(super) mod pnm;
#[cfg(feature = "image")]
mod qoi;
#[cfg(feature = "image")]
pub(super) mod tga;
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
        #[cfg(feature = "image")]
        Format::Ico => ico::decode(bytes, limits),
        #[cfg(feature = "image")]
        Format::Tga => tga::decode(bytes, limits),
        #[cfg(feature = "image")]
        Format::Pnm => pnm::decode(bytes, limits),
        #[cfg(feature = "image")]
        Format::Qoi => qoi::decode(bytes, limits),
        #[cfg(not(feature = "image"))]
        Format::Ico | Format::Tga | Format::Pnm | Format::Qoi => {
            Err(ImageError::unsupported(format!("the format {format}")))
        }
    })
    .unwrap_or_else(|_| Err(ImageError::corrupt(format, "the decoder could not handle it")))
}
