//! Image bytes to pixel values, identical to Hugging Face's CLIP image processor.
//!
//! decode → orient → RGB → bicubic resize of the short side → centre crop → normalise. Every
//! step reproduces the Python pipeline's integers and rounding; which pipeline is the
//! [`Profile`]'s choice.

mod decode;
mod error;
mod limits;
mod normalize;
mod orient;
mod profile;
mod raster;
mod resize;
mod sniff;

pub use error::ImageError;
pub use limits::Limits;
pub use profile::{Alpha, Damage, Exif, Normalize, Profile, ProfileError, Resize};
pub use sniff::Format;

use crate::{config::PreprocessConfig, trace::Trace};

/// 8-bit RGB, rows top to bottom, no padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RgbImage {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// `width * height * 3` bytes.
    pub data: Vec<u8>,
}

/// Normalised pixels, channel-first: `[3, size, size]` as in HF's `pixel_values`.
#[derive(Debug, Clone, PartialEq)]
pub struct PixelValues {
    /// Width and height, pixels.
    pub size: usize,
    /// `3 * size * size` values.
    pub data: Vec<f32>,
}

/// What the file says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageInfo {
    /// By its first bytes.
    pub format: Format,
    /// In the file, before orientation, pixels.
    pub width: u32,
    /// The same.
    pub height: u32,
    /// Pillow's name of the mode in which the file opens (`"RGB"`, `"P"`, `"CMYK"` …).
    pub mode: &'static str,
    /// EXIF or XMP orientation, 1–8; 1 if the file has none.
    pub orientation: u8,
    /// Whether the file has any kind of transparency.
    pub alpha: bool,
    /// Frames, where known without decoding them. Only the first one is used.
    pub frames: Option<u32>,
    /// Whether the file is damaged and its pixels are what Pillow makes of it ([`Damage::AsPillow`]).
    pub damaged: bool,
}

/// An image as the resizer sees it: oriented and in RGB, by the profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Of the file.
    pub info: ImageInfo,
    /// The image.
    pub rgb: RgbImage,
}

/// Every intermediate result, for people and for `trace`.
#[derive(Debug, Clone, PartialEq)]
pub struct Stages {
    /// What the file holds.
    pub decoded: Decoded,
    /// The whole resized image; its short side is the configuration's `shortest_edge`.
    pub resized: RgbImage,
    /// The centre crop, what the model sees.
    pub cropped: RgbImage,
    /// The model's input.
    pub pixels: PixelValues,
}

impl Stages {
    /// A digest per stage.
    pub fn trace(&self) -> Trace {
        trace([&self.decoded.rgb, &self.resized, &self.cropped], &self.pixels)
    }
}

/// What [`Processor::prepare`] makes of an image that is decoded already.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// As in [`Stages`].
    pub resized: RgbImage,
    /// As in [`Stages`].
    pub cropped: RgbImage,
    /// As in [`Stages`].
    pub pixels: PixelValues,
}

impl Prepared {
    /// A digest per stage, that of the decoded image first.
    pub fn trace(&self, decoded: &RgbImage) -> Trace {
        trace([decoded, &self.resized, &self.cropped], &self.pixels)
    }
}

fn trace(images: [&RgbImage; 3], pixels: &PixelValues) -> Trace {
    let mut trace = Trace::new();
    for (name, rgb) in ["decoded", "resized", "cropped"].into_iter().zip(images) {
        trace.u8(name, &[rgb.height as usize, rgb.width as usize, 3], &rgb.data);
    }
    trace.f32("pixel_values", &[3, pixels.size, pixels.size], &pixels.data);
    trace
}

/// Bytes to pixel values under one profile. Cheap to share between threads.
///
/// ```
/// use clip_core::{
///     config::PreprocessConfig,
///     image::{Limits, Processor, Profile},
/// };
///
/// let config = PreprocessConfig::clip(224);
/// let processor = Processor::new(&config, Profile::HF_ENDPOINT, Limits::default());
/// // One white pixel.
/// let gif = b"GIF89a\x01\0\x01\0\x80\0\0\xff\xff\xff\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
/// let pixels = processor.process(gif)?;
/// assert_eq!((pixels.size, pixels.data.len()), (224, 3 * 224 * 224));
/// let mistake = processor.process(b"<html>").unwrap_err();
/// assert_eq!(mistake.kind(), "image.not_an_image");
/// # Ok::<(), clip_core::image::ImageError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Processor {
    edge: usize,
    crop: usize,
    table: Box<normalize::Table>,
    profile: Profile,
    limits: Limits,
}

impl Processor {
    /// For a checkpoint's preprocessing, in the way of `profile`.
    pub fn new(config: &PreprocessConfig, profile: Profile, limits: Limits) -> Self {
        let crop = config.crop_size.max(1);
        Processor {
            // A crop beyond the image would need padding, which the configuration excludes.
            edge: config.shortest_edge.max(crop),
            crop,
            table: Box::new(normalize::table(config, profile.normalize)),
            profile,
            limits,
        }
    }

    /// The profile in use.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The limits in use.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The same under other limits. They refuse images, and change no bit of one that passes.
    pub fn with_limits(&self, limits: Limits) -> Self {
        Processor { limits, ..self.clone() }
    }

    /// Decode, orient, resize, crop, normalise.
    ///
    /// # Errors
    /// Not an image, not a supported one, damaged or cut short, or over a limit.
    pub fn process(&self, bytes: &[u8]) -> Result<PixelValues, ImageError> {
        Ok(self.process_with_info(bytes)?.0)
    }

    /// [`Processor::process`], and what the file says of itself.
    ///
    /// # Errors
    /// As [`Processor::process`].
    pub fn process_with_info(&self, bytes: &[u8]) -> Result<(PixelValues, ImageInfo), ImageError> {
        let Decoded { info, rgb } = self.decode(bytes)?;
        Ok((self.process_rgb(&rgb)?, info))
    }

    /// Resize, crop, normalise an image that is decoded already.
    ///
    /// # Errors
    /// `data` does not fit the size, a side is 0, or the image is over a limit.
    pub fn process_rgb(&self, rgb: &RgbImage) -> Result<PixelValues, ImageError> {
        let size = self.target(rgb)?;
        let window = resize::Window::center(size, self.crop);
        let cropped = resize::resize(rgb, size, &window, self.profile.resize);
        Ok(self.normalize(&cropped))
    }

    /// Only the first steps: decode, orient, convert to RGB.
    ///
    /// # Errors
    /// As [`Processor::process`].
    pub fn decode(&self, bytes: &[u8]) -> Result<Decoded, ImageError> {
        let raster = decode::decode(bytes, &self.limits)?;
        if raster.damaged && self.profile.damage == Damage::Strict {
            let detail = "parts of the picture are lost or made up";
            return Err(ImageError::corrupt(raster.format, detail));
        }
        let info = ImageInfo {
            format: raster.format,
            width: raster.width,
            height: raster.height,
            mode: raster.mode,
            orientation: raster.orientation,
            alpha: raster.has_alpha(),
            frames: raster.frames,
            damaged: raster.damaged,
        };
        let rgb = raster.into_rgb(self.profile.alpha)?;
        let rgb = match self.profile.exif {
            Exif::Apply => orient::apply(rgb, info.orientation),
            Exif::Ignore => rgb,
        };
        Ok(Decoded { info, rgb })
    }

    /// [`Processor::process`] with everything in between. Slower: resizes the whole image.
    ///
    /// # Errors
    /// As [`Processor::process`].
    pub fn stages(&self, bytes: &[u8]) -> Result<Stages, ImageError> {
        let decoded = self.decode(bytes)?;
        let Prepared { resized, cropped, pixels } = self.prepare(&decoded.rgb)?;
        Ok(Stages { decoded, resized, cropped, pixels })
    }

    /// [`Processor::process_rgb`] with everything in between.
    ///
    /// # Errors
    /// As [`Processor::process_rgb`].
    pub fn prepare(&self, rgb: &RgbImage) -> Result<Prepared, ImageError> {
        let size = self.target(rgb)?;
        let full = resize::Window::full(size);
        let resized = resize::resize(rgb, size, &full, self.profile.resize);
        // Cropping is resizing to the same size and keeping the window.
        let window = resize::Window::center(size, self.crop);
        let cropped = resize::resize(&resized, size, &window, self.profile.resize);
        let pixels = self.normalize(&cropped);
        Ok(Prepared { resized, cropped, pixels })
    }

    /// Width and height after resizing.
    fn target(&self, rgb: &RgbImage) -> Result<(usize, usize), ImageError> {
        let bytes = u64::from(rgb.width) * u64::from(rgb.height) * 3;
        if bytes == 0 || bytes != rgb.data.len() as u64 {
            let (width, height, found) = (rgb.width, rgb.height, rgb.data.len());
            let detail = format!("{width} x {height} pixels in {found} bytes");
            return Err(ImageError::Unsupported { found: detail });
        }
        let (width, height) = resize::target(rgb.width, rgb.height, self.edge);
        self.limits.check_resized(width, height)?;
        Ok((width as usize, height as usize))
    }

    fn normalize(&self, cropped: &RgbImage) -> PixelValues {
        PixelValues { size: self.crop, data: normalize::apply(&self.table, cropped) }
    }
}
