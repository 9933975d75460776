//! The Quite OK Image Format (qoiformat.org), through `image`.

use ::image::{ColorType, ImageDecoder, codecs::qoi::QoiDecoder};

use super::library;
use crate::image::{
    Format, ImageError, Limits,
    raster::{Pixels, Raster},
};

const FORMAT: Format = Format::Qoi;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, ImageError> {
    let decoder = QoiDecoder::new(bytes).map_err(|e| library::error(FORMAT, e))?;
    let (width, height) = decoder.dimensions();
    limits.check_size(width.into(), height.into())?;
    let alpha = decoder.color_type() == ColorType::Rgba8;
    let data = library::samples(FORMAT, decoder)?;
    Ok(Raster {
        format: FORMAT,
        width,
        height,
        mode: if alpha { "RGBA" } else { "RGB" },
        pixels: if alpha { Pixels::Rgba(data) } else { Pixels::Rgb(data) },
        orientation: 1,
        frames: Some(1),
        damaged: false,
    })
}
