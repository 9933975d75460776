//! Any bytes: no panic, no hang, no allocation far over the limits; a vector or an error.
//!
//! Seeded with the corpus of `tests`.

#![no_main]

use std::sync::LazyLock;

use clip_core::{
    config::PreprocessConfig,
    image::{Limits, Processor, Profile},
};

/// Small, so that a wrong allocation shows: 2 megapixels are at most 16 MB in any decoder.
const LIMITS: Limits = Limits { max_bytes: 1 << 20, max_pixels: 2_000_000 };
/// Of most inputs: a few bytes that claim megapixels find nothing more, and take most of the time.
const SMALL: Limits = Limits { max_pixels: 20_000, ..LIMITS };

static PROCESSORS: LazyLock<Vec<Processor>> = LazyLock::new(|| {
    let config = PreprocessConfig::clip(224);
    Profile::PRESETS.iter().map(|(_, p)| Processor::new(&config, *p, LIMITS)).collect()
});

clip_fuzz::target!(decode);

fn decode(bytes: &[u8]) {
    let Some(processor) = PROCESSORS.get(bytes.len() / 16 % PROCESSORS.len()) else { return };
    let whole = bytes.len().is_multiple_of(16);
    let limits = if whole { LIMITS } else { SMALL };
    match processor.with_limits(limits).decode(bytes) {
        Ok(decoded) => {
            let pixels = u64::from(decoded.rgb.width) * u64::from(decoded.rgb.height);
            assert!(pixels <= limits.max_pixels && pixels * 3 == decoded.rgb.data.len() as u64);
            if whole {
                resize(processor, bytes);
            }
        }
        Err(error) => assert!(error.kind().starts_with("image.")),
    }
}

fn resize(processor: &Processor, bytes: &[u8]) {
    match processor.process(bytes) {
        Ok(values) => {
            assert_eq!(values.data.len(), 3 * 224 * 224);
            assert!(values.data.iter().all(|v| v.abs() < 4.0));
        }
        Err(error) => assert_eq!(error.kind(), "image.too_large", "decoded a moment ago"),
    }
}
