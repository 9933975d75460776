//! Decoders and preprocessing.

use std::sync::Mutex;

use clip_core::{
    Error,
    config::PreprocessConfig,
    image::{Limits, Processor, Profile, RgbImage},
    trace::Stage,
};
use serde::{Deserialize, Serialize};

use crate::{Failure, answer, bytes_of, json, lock};

static PROCESSOR: Mutex<Option<Processor>> = Mutex::new(None);

/// Input of [`configure`].
#[derive(Debug, Deserialize)]
struct Configuration {
    /// HF's `preprocessor_config.json`, if the model has one.
    preprocessor: Option<serde_json::Value>,
    image_size: usize,
    /// Name of a preset, or parts such as `exif=ignore`.
    profile: String,
}

/// Answer of [`trace`].
#[derive(Debug, Serialize)]
struct Traced {
    stages: Vec<Stage>,
}

/// How pictures are prepared: JSON of [`Configuration`].
#[unsafe(no_mangle)]
pub extern "C" fn configure() -> i32 {
    answer(|input| {
        let wanted: Configuration =
            serde_json::from_slice(input).map_err(|e| Failure::new("manifest", e))?;
        let config = match wanted.preprocessor {
            Some(json) => {
                let json = json.to_string();
                PreprocessConfig::from_json(json.as_bytes(), wanted.image_size)?
            }
            None => PreprocessConfig::clip(wanted.image_size),
        };
        let profile: Profile = wanted.profile.parse().map_err(|e| Failure::new("profile", e))?;
        *lock(&PROCESSOR) = Some(Processor::new(&config, profile, Limits::default()));
        Ok(Vec::new())
    })
}

pub(crate) fn processor<T>(
    work: impl FnOnce(&Processor) -> Result<T, Failure>,
) -> Result<T, Failure> {
    match &*lock(&PROCESSOR) {
        Some(processor) => work(processor),
        None => Err(Failure::new("internal", "the decoders are not configured")),
    }
}

/// An image file to pixel values, f32 `[3, size, size]`.
#[unsafe(no_mangle)]
pub extern "C" fn pixels() -> i32 {
    answer(|file| processor(|p| Ok(bytes_of(&p.process(file).map_err(Error::from)?.data))))
}

/// Pixels that the browser has decoded (RGBA, 8 bits; alpha is dropped) to pixel values.
#[unsafe(no_mangle)]
pub extern "C" fn pixels_of_rgba(width: u32, height: u32) -> i32 {
    answer(|rgba| {
        let data = rgba.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
        let rgb = RgbImage { width, height, data };
        processor(|p| Ok(bytes_of(&p.process_rgb(&rgb).map_err(Error::from)?.data)))
    })
}

/// The stages of an image file up to its pixel values, as JSON.
#[unsafe(no_mangle)]
pub extern "C" fn trace() -> i32 {
    answer(|file| {
        processor(|p| json(&Traced { stages: p.stages(file).map_err(Error::from)?.trace().stages }))
    })
}
