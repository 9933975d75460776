//! Hugging Face `config.json` and `preprocessor_config.json` as checked, typed values.

mod model;
mod preprocess;
mod tensors;

pub use model::{Activation, ClipConfig, TextConfig, VisionConfig};
pub use preprocess::PreprocessConfig;

/// A configuration file that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    #[error("{file} is not valid JSON: {source}")]
    Json { file: &'static str, source: serde_json::Error },
    #[error(
        "unsupported architecture {found}: supported is CLIPModel (model_type \"clip\") with a ViT \
         vision tower, e.g. openai/clip-vit-base-patch32, patrickjohncyh/fashion-clip"
    )]
    Architecture { found: String },
    #[error("{file}: {field} is {found}; supported: {supported}")]
    Unsupported { file: &'static str, field: String, found: String, supported: String },
}

impl ConfigError {
    /// A short stable name for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            ConfigError::Json { .. } => "config.json",
            ConfigError::Architecture { .. } => "config.architecture",
            ConfigError::Unsupported { .. } => "config.unsupported",
        }
    }
}
