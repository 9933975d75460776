//! The seam for other backends.

use crate::{
    Clip, EXACT, Embedding, Error, UNFUSED, config::ClipConfig, image::PixelValues, trace::Trace,
};

/// Something that embeds preprocessed images and token ids: the exact engine ([`Clip`]), or another
/// one that computes the same model with other bits and says so.
///
/// ```
/// use clip_core::{Clip, Encoder, Error, Options, synthetic::{self, Dtype}};
///
/// fn norm(encoder: &dyn Encoder, ids: Vec<u32>) -> Result<f32, Error> {
///     let vectors = encoder.embed_tokens(&[ids])?;
///     Ok(vectors[0].values().iter().map(|x| x * x).sum::<f32>().sqrt())
/// }
///
/// let config = synthetic::small_shape();
/// let file = synthetic::safetensors(&config, 1, Dtype::F32)?;
/// let clip = Clip::load(config.clone(), &file, Options::new(&config))?;
/// assert!(norm(&clip, clip.tokenize("a dress"))? > 0.0);
/// assert_eq!(clip.device(), clip_core::EXACT);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Encoder: Send + Sync {
    /// The model's shape.
    fn config(&self) -> &ClipConfig;

    /// Embeds preprocessed images, one vector of `projection_dim` values each, as projected
    /// (HF: `get_image_features`).
    ///
    /// # Errors
    /// The vision tower is not loaded, or an image does not have the model's size.
    fn embed_pixels(&self, batch: &[PixelValues]) -> Result<Vec<Embedding>, Error>;

    /// Embeds token ids (each with BOS and EOT), one vector each (HF: `get_text_features`).
    ///
    /// # Errors
    /// The text tower is not loaded, or a sequence is empty, too long, or has an unknown id.
    fn embed_tokens(&self, batch: &[Vec<u32>]) -> Result<Vec<Embedding>, Error>;

    /// The vector of one image, and a digest per stage: where two backends differ, the first stage
    /// at which they do.
    ///
    /// # Errors
    /// As for [`Encoder::embed_pixels`]; or the backend cannot tell its stages.
    fn trace_pixels(&self, pixels: &PixelValues) -> Result<(Embedding, Trace), Error>;

    /// What computes: [`Provenance::device`](crate::Provenance::device) of its vectors. Only
    /// [`EXACT`] stands for the contract's bits.
    fn device(&self) -> &str;
}

impl Encoder for Clip {
    fn config(&self) -> &ClipConfig {
        Clip::config(self)
    }

    fn embed_pixels(&self, batch: &[PixelValues]) -> Result<Vec<Embedding>, Error> {
        Clip::embed_pixels(self, batch)
    }

    fn embed_tokens(&self, batch: &[Vec<u32>]) -> Result<Vec<Embedding>, Error> {
        Clip::embed_tokens(self, batch)
    }

    fn trace_pixels(&self, pixels: &PixelValues) -> Result<(Embedding, Trace), Error> {
        Clip::trace_pixels(self, pixels)
    }

    fn device(&self) -> &str {
        if self.path().is_exact() { EXACT } else { UNFUSED }
    }
}
