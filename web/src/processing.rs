//! What the decoders and the inspector share.

use clip_core::{
    Error,
    config::PreprocessConfig,
    image::{Limits, Processor, Profile, RgbImage},
};
use js_sys::Uint8Array;

use crate::Failure;

/// See [`Decoders::new`](crate::Decoders::new).
pub(crate) fn processor(
    preprocessor: Option<&str>,
    image_size: usize,
    profile: &str,
) -> Result<Processor, Failure> {
    let config = match preprocessor {
        Some(json) => {
            PreprocessConfig::from_json(json.as_bytes(), image_size).map_err(Error::from)?
        }
        None => PreprocessConfig::clip(image_size),
    };
    let profile: Profile = profile.parse().map_err(|e| Failure::new("profile", e))?;
    Ok(Processor::new(&config, profile, Limits::default()))
}

/// The bytes of an image file, if there is memory for them.
pub(crate) fn copied(file: &Uint8Array) -> Result<Vec<u8>, Failure> {
    let len = file.length() as usize;
    let mut bytes = Vec::new();
    if bytes.try_reserve_exact(len).is_err() {
        let message = format!("there is no memory for an input of {len} bytes");
        return Err(Failure::new("memory", message));
    }
    bytes.resize(len, 0);
    file.copy_to(&mut bytes);
    Ok(bytes)
}

/// Pixels that another decoder has read (RGBA, 8 bits) without their alpha.
pub(crate) fn rgb(width: u32, height: u32, rgba: &[u8]) -> RgbImage {
    let data = rgba.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
    RgbImage { width, height, data }
}
