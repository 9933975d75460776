//! Image files: JPEG in the variants that shops serve, PNG, lossless WebP.

use image_webp::WebPEncoder;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use serde::Serialize;

use crate::{Error, picture::Picture};

/// JPEG variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Jpeg {
    /// 1..=100.
    pub quality: u8,
    pub progressive: bool,
    /// Chroma at half the resolution in both directions (4:2:0) instead of full (4:4:4).
    pub subsampled: bool,
}

/// File format of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Jpeg(Jpeg),
    Png,
    Webp,
}

impl Format {
    /// Baseline 4:2:0 at quality 85: what most shops serve.
    pub const JPEG: Format =
        Format::Jpeg(Jpeg { quality: 85, progressive: false, subsampled: true });

    pub fn extension(self) -> &'static str {
        match self {
            Format::Jpeg(_) => "jpg",
            Format::Png => "png",
            Format::Webp => "webp",
        }
    }
}

pub(crate) fn encode(picture: &Picture, format: Format) -> Result<Vec<u8>, Error> {
    let Picture { width, height, rgba } = picture;
    let opaque = rgba.chunks_exact(4).all(|p| p[3] == 255);
    let mut file = Vec::new();
    let failed = |reason: String| Error::Encode {
        format: format.extension(),
        width: *width,
        height: *height,
        reason,
    };
    match format {
        Format::Jpeg(jpeg) => {
            let side = |v: u32| u16::try_from(v).map_err(|e| failed(e.to_string()));
            let mut encoder = Encoder::new(&mut file, jpeg.quality.clamp(1, 100));
            encoder.set_progressive(jpeg.progressive);
            encoder.set_sampling_factor(if jpeg.subsampled {
                SamplingFactor::F_2_2
            } else {
                SamplingFactor::F_1_1
            });
            encoder
                .encode(rgba, side(*width)?, side(*height)?, ColorType::Rgba)
                .map_err(|e| failed(e.to_string()))?;
        }
        Format::Png => {
            let mut encoder = png::Encoder::new(&mut file, *width, *height);
            encoder.set_color(if opaque { png::ColorType::Rgb } else { png::ColorType::Rgba });
            encoder.set_depth(png::BitDepth::Eight);
            encoder.set_compression(png::Compression::Fast);
            let mut writer = encoder.write_header().map_err(|e| failed(e.to_string()))?;
            let data = if opaque { rgb(rgba) } else { rgba.clone() };
            writer.write_image_data(&data).map_err(|e| failed(e.to_string()))?;
            writer.finish().map_err(|e| failed(e.to_string()))?;
        }
        Format::Webp => {
            let (data, color) = if opaque {
                (rgb(rgba), image_webp::ColorType::Rgb8)
            } else {
                (rgba.clone(), image_webp::ColorType::Rgba8)
            };
            WebPEncoder::new(&mut file)
                .encode(&data, *width, *height, color)
                .map_err(|e| failed(e.to_string()))?;
        }
    }
    Ok(file)
}

fn rgb(rgba: &[u8]) -> Vec<u8> {
    rgba.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect()
}
