//! One error type for the crate; each part keeps its own detailed one.

use crate::{config::ConfigError, image::ImageError, text::TokenizerError};

/// Anything that can go wrong between bytes and an [`Embedding`](crate::Embedding).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}

impl Error {
    /// A short stable name for programs (`"image.truncated"`, `"config.unsupported"` …).
    pub fn kind(&self) -> &'static str {
        match self {
            Error::Config(e) => e.kind(),
            Error::Image(e) => e.kind(),
            Error::Tokenizer(e) => e.kind(),
        }
    }
}
