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

static PROCESSORS: LazyLock<Vec<Processor>> = LazyLock::new(|| {
    let config = PreprocessConfig::clip(224);
    Profile::PRESETS.iter().map(|(_, p)| Processor::new(&config, *p, LIMITS)).collect()
});

clip_fuzz::target!(decode);

fn decode(bytes: &[u8]) {
    let Some(processor) = PROCESSORS.get(bytes.len() % PROCESSORS.len()) else { return };
    match processor.process(bytes) {
        Ok(values) => {
            assert_eq!(values.data.len(), 3 * 224 * 224);
            assert!(values.data.iter().all(|v| v.abs() < 4.0));
            let decoded = processor.decode(bytes).expect("decoded a moment ago");
            let pixels = u64::from(decoded.rgb.width) * u64::from(decoded.rgb.height);
            assert!(pixels <= LIMITS.max_pixels && pixels * 3 == decoded.rgb.data.len() as u64);
        }
        Err(error) => assert!(error.kind().starts_with("image.")),
    }
}
