//! Why a configuration cannot be used.

/// A configuration file that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No JSON, or another structure.
    #[error("{file} is not valid JSON: {source}")]
    Json {
        /// Its usual name.
        file: &'static str,
        /// Where and why.
        source: serde_json::Error,
    },
    /// Not a CLIP.
    #[error(
        "unsupported architecture {found}: supported is CLIPModel (model_type \"clip\") with a ViT \
         vision tower, e.g. openai/clip-vit-base-patch32, patrickjohncyh/fashion-clip"
    )]
    Architecture {
        /// What the file says it is.
        found: String,
    },
    /// A value that this crate does not compute.
    #[error("{file}: {field} is {found}; supported: {supported}")]
    Unsupported {
        /// Its usual name.
        file: &'static str,
        /// Path of the field.
        field: String,
        /// Its value.
        found: String,
        /// What it could be.
        supported: String,
    },
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
