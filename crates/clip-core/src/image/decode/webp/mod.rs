//! WebP (RFC 9649); of an animation the first frame.
//!
//! `image-webp` decodes VP8. The container, lossless pictures and alpha are read here, because libwebp
//! accepts and refuses other files than the crate, and copies the first frame of an animation to the
//! canvas where the crate blends it.

mod alpha;
mod bits;
mod container;
mod lossless;

use std::io::Cursor;

use image_webp::{DecodingError, WebPDecoder};

use self::container::{Bitstream, Container, Frame};
use crate::image::{
    Format, ImageError, Limits, orient,
    raster::{Pixels, Raster},
};

const FORMAT: Format = Format::WebP;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, ImageError> {
    let file = Container::read(bytes)?;
    for size in [file.canvas, file.first.size] {
        limits.check_size(size.0.into(), size.1.into())?;
    }
    let mut pixels = picture(&file.first)?;
    if file.animated {
        pixels = on_canvas(&file, &pixels);
    }
    // Alpha counts where the header of an extended file says that there is some.
    let pixels = match pixels {
        Pixels::Rgb(data) if file.alpha => Pixels::Rgba(
            data.as_chunks().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]).collect(),
        ),
        Pixels::Rgba(data) if !file.alpha => {
            Pixels::Rgb(data.as_chunks().0.iter().flat_map(|[r, g, b, _]| [*r, *g, *b]).collect())
        }
        pixels => pixels,
    };
    Ok(Raster {
        format: FORMAT,
        width: file.canvas.0,
        height: file.canvas.1,
        mode: if file.alpha { "RGBA" } else { "RGB" },
        pixels,
        orientation: orient::orientation(file.exif, file.xmp),
        frames: Some(file.frames),
        damaged: false,
    })
}

fn picture(frame: &Frame<'_>) -> Result<Pixels, ImageError> {
    let (width, height) = frame.size;
    let colors = match frame.bitstream {
        Some(Bitstream::Lossless(data)) => {
            return Ok(Pixels::Rgba(lossless::decode(data, width, height)?));
        }
        Some(Bitstream::Lossy(data)) => lossy(data, frame.size)?,
        None => return Err(corrupt("it holds no picture")),
    };
    let Some(alpha) = frame.alpha else { return Ok(Pixels::Rgb(colors)) };
    let levels = alpha::decode(alpha, width, height)?;
    let pixels = colors.as_chunks().0.iter().zip(levels);
    Ok(Pixels::Rgba(pixels.flat_map(|([r, g, b], a)| [*r, *g, *b, a]).collect()))
}

/// RGB of a VP8 key frame.
fn lossy(data: &[u8], size: (u32, u32)) -> Result<Vec<u8>, ImageError> {
    let mut file = b"RIFF\0\0\0\0WEBPVP8 ".to_vec();
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file.resize(file.len().next_multiple_of(2), 0);
    let length = (file.len() - 8) as u32;
    file[4..8].copy_from_slice(&length.to_le_bytes());
    let mut decoder = WebPDecoder::new(Cursor::new(file)).map_err(error)?;
    let bytes = decoder.output_buffer_size().ok_or_else(|| corrupt("impossible size"))?;
    if decoder.dimensions() != size || decoder.has_alpha() {
        return Err(corrupt("its headers disagree about the size"));
    }
    let mut colors = vec![0; bytes];
    decoder.read_image(&mut colors).map_err(error)?;
    Ok(colors)
}

/// The first frame on a transparent black canvas.
fn on_canvas(file: &Container<'_>, pixels: &Pixels) -> Pixels {
    let (step, data) = match pixels {
        Pixels::Rgba(data) => (4, data),
        Pixels::Rgb(data) | Pixels::Grey(data) => (3, data),
    };
    let Frame { left, top, size: (width, _), .. } = file.first;
    let stride = file.canvas.0 as usize * 4;
    let mut out = vec![0; stride * file.canvas.1 as usize];
    let rows = out.chunks_exact_mut(stride).skip(top as usize);
    for (row, from) in rows.zip(data.chunks_exact(width as usize * step)) {
        let row = row.chunks_exact_mut(4).skip(left as usize);
        for (to, px) in row.zip(from.chunks_exact(step)) {
            to[3] = 255;
            to[..step].copy_from_slice(px);
        }
    }
    Pixels::Rgba(out)
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
