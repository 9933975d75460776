//! One error type for the crate; each part keeps its own detailed one.

use clip_kernels::KernelError;

use crate::{config::ConfigError, image::ImageError, text::TokenizerError, weights::WeightsError};

/// Anything that can go wrong between bytes and an [`Embedding`](crate::Embedding).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// `config.json` or the image processor's settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An image file.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// A tokenizer's files.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// A weights file.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A kernel path that cannot run here.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// Its name: `vision` or `text`.
    #[error("the {0} tower is not loaded: load the model with it (`Options::towers`)")]
    TowerNotLoaded(&'static str),
    /// An accelerator that failed, or whose bits are not those that it promised.
    #[error("{0}")]
    Device(String),
    /// Pixels or token ids that do not fit the model.
    #[error("{0}")]
    Input(String),
}

impl Error {
    /// A short stable name for programs (`"image.truncated"`, `"config.unsupported"` …).
    pub fn kind(&self) -> &'static str {
        match self {
            Error::Config(e) => e.kind(),
            Error::Image(e) => e.kind(),
            Error::Tokenizer(e) => e.kind(),
            Error::Weights(e) => e.kind(),
            Error::Kernel(_) => "kernel",
            Error::TowerNotLoaded(_) => "tower_not_loaded",
            Error::Device(_) => "device",
            Error::Input(_) => "input",
        }
    }
}
