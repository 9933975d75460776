//! An image step by step, and the texts of tokens. In a module of its own with the decoders: who
//! only embeds does not download it.

use std::fmt;

use clip_core::{
    Error,
    image::{ImageInfo, Prepared, Processor, RgbImage},
    text::Tokenizer,
    trace,
};
use js_sys::Uint8Array;
use serde::Serialize;
use tsify::{Ts, Tsify};
use wasm_bindgen::{Clamped, prelude::wasm_bindgen};

use crate::{
    Failure, Stage,
    processing::{copied, processor, rgb},
    stage::{all_to_js, stages, to_js},
};

/// What an image file says about itself, as in `scraper inspect --format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Tsify)]
#[tsify(missing_as_null)]
pub struct Facts {
    /// Of the file.
    pub bytes: usize,
    /// Of the file, hexadecimal.
    pub sha256: String,
    /// Name of the format.
    pub format: String,
    /// Size in the file, before it is turned upright, pixels.
    pub width: u32,
    /// As `width`.
    pub height: u32,
    /// Pillow's name of the mode in which the file opens: `RGB`, `P`, `CMYK` …
    pub mode: &'static str,
    /// Whether it has any kind of transparency.
    pub alpha: bool,
    /// Where known; the first one counts.
    pub frames: Option<u32>,
    /// EXIF orientation, 1 (upright) to 8.
    pub orientation: u8,
}

/// Token ids and what each stands for (`</w>` ends a word).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Tsify)]
pub struct Tokens {
    /// With the start and the end.
    pub ids: Vec<u32>,
    /// One for each id.
    pub pieces: Vec<String>,
}

/// Token ids of a text, at most `max`, and what each stands for.
pub fn tokens(text: &str, max: usize) -> Tokens {
    let tokenizer = Tokenizer::clip();
    let ids = tokenizer.encode(text, max);
    let pieces = tokenizer.pieces(&ids);
    Tokens { ids, pieces }
}

/// Token ids of a text, at most `max`, and what each stands for.
///
/// # Errors
/// The value cannot be handed to JavaScript.
#[wasm_bindgen(js_name = tokens)]
pub fn tokens_to_js(text: &str, max: usize) -> Result<Ts<Tokens>, Failure> {
    to_js(&tokens(text, max))
}

/// Takes one image after the other apart; keeps the one that was decoded last.
#[wasm_bindgen]
pub struct Inspector {
    processor: Processor,
    decoded: Option<RgbImage>,
    prepared: Option<Prepared>,
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = self.decoded.as_ref().map(|rgb| (rgb.width, rgb.height));
        f.debug_struct("Inspector").field("size", &size).finish_non_exhaustive()
    }
}

#[wasm_bindgen]
impl Inspector {
    /// As `Decoders`.
    ///
    /// # Errors
    /// Settings that no CLIP has; an unknown profile.
    #[wasm_bindgen(constructor)]
    pub fn new(
        preprocessor: Option<String>,
        image_size: usize,
        profile: &str,
    ) -> Result<Inspector, Failure> {
        let processor = processor(preprocessor.as_deref(), image_size, profile)?;
        Ok(Inspector { processor, decoded: None, prepared: None })
    }

    /// Decodes an image file and keeps the image.
    ///
    /// # Errors
    /// As [`Inspector::decode`]; too little memory for the file.
    #[wasm_bindgen(js_name = decode)]
    pub fn decode_array(&mut self, file: &Uint8Array) -> Result<Ts<Facts>, Failure> {
        to_js(&self.decode(&copied(file)?)?)
    }

    /// Keeps an image that another decoder has read (RGBA, 8 bits; alpha is dropped).
    ///
    /// # Errors
    /// Too little memory for it.
    #[wasm_bindgen(js_name = takeRgba)]
    pub fn take_rgba(&mut self, width: u32, height: u32, rgba: &Uint8Array) -> Result<(), Failure> {
        self.keep(rgb(width, height, &copied(rgba)?));
        Ok(())
    }

    /// Resizes, crops and normalises the image; its stages.
    ///
    /// # Errors
    /// As [`Inspector::prepare`].
    #[wasm_bindgen(js_name = prepare)]
    pub fn prepare_to_js(&mut self) -> Result<Vec<Ts<Stage>>, Failure> {
        all_to_js(&self.prepare()?)
    }

    /// RGBA of the image: 0 as decoded, 1 resized, 2 cropped.
    ///
    /// # Errors
    /// It is not prepared; too little memory.
    pub fn rgba(&self, stage: u32) -> Result<Clamped<Vec<u8>>, Failure> {
        let rgb = match (stage, &self.decoded, &self.prepared) {
            (0, Some(decoded), _) => decoded,
            (1, _, Some(prepared)) => &prepared.resized,
            (2, _, Some(prepared)) => &prepared.cropped,
            _ => return Err(Failure::new("internal", "the image is not prepared")),
        };
        let mut rgba = Vec::new();
        if rgba.try_reserve_exact(rgb.data.len() / 3 * 4).is_err() {
            return Err(Failure::new("memory", "there is no memory to show this image"));
        }
        rgba.extend(rgb.data.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]));
        Ok(Clamped(rgba))
    }
}

impl Inspector {
    /// Decodes an image file and keeps the image.
    ///
    /// # Errors
    /// Not an image, not a supported one, damaged or cut short, or over a limit.
    pub fn decode(&mut self, file: &[u8]) -> Result<Facts, Failure> {
        // Two large images at a time would be one too many.
        (self.decoded, self.prepared) = (None, None);
        let decoded = self.processor.decode(file).map_err(Error::from)?;
        let ImageInfo { format, width, height, mode, orientation, alpha, frames, .. } =
            decoded.info;
        self.keep(decoded.rgb);
        Ok(Facts {
            bytes: file.len(),
            sha256: trace::sha256(file),
            format: format.to_string(),
            width,
            height,
            mode,
            alpha,
            frames,
            orientation,
        })
    }

    /// Resizes, crops and normalises the image; its stages.
    ///
    /// # Errors
    /// No image was decoded, or it is over a limit.
    pub fn prepare(&mut self) -> Result<Vec<Stage>, Failure> {
        let Some(decoded) = &self.decoded else {
            return Err(Failure::new("internal", "no image was decoded"));
        };
        let prepared = self.processor.prepare(decoded).map_err(Error::from)?;
        let stages = stages(prepared.trace(decoded));
        self.prepared = Some(prepared);
        Ok(stages)
    }

    fn keep(&mut self, image: RgbImage) {
        (self.decoded, self.prepared) = (Some(image), None);
    }
}
