//! Decoders and preprocessing.

use clip_core::{Error, image::Processor};
use js_sys::Uint8Array;
use tsify::Ts;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{
    Failure, Stage,
    processing::{copied, processor, rgb},
    stage::{all_to_js, stages},
};

/// Image files to pixel values.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Decoders(Processor);

#[wasm_bindgen]
impl Decoders {
    /// `preprocessor` is HF's `preprocessor_config.json`, if the model has one; `image_size` the side
    /// of what the model sees, pixels; `profile` the name of a preset, or parts such as
    /// `exif=ignore`.
    ///
    /// # Errors
    /// Settings that no CLIP has; an unknown profile.
    #[wasm_bindgen(constructor)]
    pub fn new(
        preprocessor: Option<String>,
        image_size: usize,
        profile: &str,
    ) -> Result<Decoders, Failure> {
        Ok(Decoders(processor(preprocessor.as_deref(), image_size, profile)?))
    }

    /// An image file to pixel values, f32 `[3, size, size]`.
    ///
    /// # Errors
    /// As [`Decoders::pixels`]; too little memory for the file.
    #[wasm_bindgen(js_name = pixels)]
    pub fn pixels_of_array(&self, file: &Uint8Array) -> Result<Vec<f32>, Failure> {
        self.pixels(&copied(file)?)
    }

    /// Pixels that the browser has decoded (RGBA, 8 bits; alpha is dropped) to pixel values.
    ///
    /// # Errors
    /// Sizes that do not fit the data, or are over a limit.
    #[wasm_bindgen(js_name = pixelsOfRgba)]
    pub fn pixels_of_rgba(
        &self,
        width: u32,
        height: u32,
        rgba: &Uint8Array,
    ) -> Result<Vec<f32>, Failure> {
        let image = rgb(width, height, &copied(rgba)?);
        Ok(self.0.process_rgb(&image).map_err(Error::from)?.data)
    }

    /// An image file through all stages up to its pixel values.
    ///
    /// # Errors
    /// As [`Decoders::pixels`]; too little memory for the file.
    #[wasm_bindgen(js_name = trace)]
    pub fn trace_array(&self, file: &Uint8Array) -> Result<Traced, Failure> {
        self.trace(&copied(file)?)
    }
}

impl Decoders {
    /// An image file to pixel values, f32 `[3, size, size]`.
    ///
    /// # Errors
    /// Not an image, not a supported one, damaged or cut short, or over a limit.
    pub fn pixels(&self, file: &[u8]) -> Result<Vec<f32>, Failure> {
        Ok(self.0.process(file).map_err(Error::from)?.data)
    }

    /// An image file through all stages up to its pixel values; the same values, slower.
    ///
    /// # Errors
    /// As [`Decoders::pixels`].
    pub fn trace(&self, file: &[u8]) -> Result<Traced, Failure> {
        let all = self.0.stages(file).map_err(Error::from)?;
        Ok(Traced { stages: stages(all.trace()), pixels: all.pixels.data })
    }
}

/// Pixel values, and the stages on the way to them.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Traced {
    stages: Vec<Stage>,
    pixels: Vec<f32>,
}

#[wasm_bindgen]
impl Traced {
    /// `decoded`, `resized`, `cropped`, `pixel_values`.
    ///
    /// # Errors
    /// The value cannot be handed to JavaScript.
    #[wasm_bindgen(js_name = stages)]
    pub fn stages_to_js(&self) -> Result<Vec<Ts<Stage>>, Failure> {
        all_to_js(&self.stages)
    }

    /// f32 `[3, size, size]`; takes them out.
    pub fn pixels(self) -> Vec<f32> {
        self.pixels
    }
}

impl Traced {
    /// `decoded`, `resized`, `cropped`, `pixel_values`.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }
}
