//! What to load, and how.

use clip_kernels::KernelPath;

use crate::{
    config::{ClipConfig, PreprocessConfig},
    image::{Limits, Profile},
    text::Tokenizer,
    towers::Towers,
    weights::Release,
};

/// What [`Clip::load`](crate::Clip::load) needs besides configuration and weights.
pub struct Options {
    /// Which towers.
    pub towers: Towers,
    /// What the image processor is told to do.
    pub preprocess: PreprocessConfig,
    /// Whose image processor is followed, to the bit.
    pub profile: Profile,
    /// What is refused as too large.
    pub limits: Limits,
    /// Text to token ids.
    pub tokenizer: Tokenizer,
    /// Kernel path; `None` takes the fastest, or what `CLIP_KERNEL` names.
    pub path: Option<KernelPath>,
    /// Told which bytes of the weights file are no longer needed.
    pub release: Option<Release>,
}

impl Options {
    /// CLIP's own preprocessing and tokenizer, profile `hf-endpoint`, both towers.
    pub fn new(config: &ClipConfig) -> Self {
        Options {
            towers: Towers::Both,
            preprocess: PreprocessConfig::clip(config.vision.image_size),
            profile: Profile::HF_ENDPOINT,
            limits: Limits::default(),
            tokenizer: Tokenizer::clip(),
            path: None,
            release: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("towers", &self.towers)
            .field("profile", &self.profile)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}
