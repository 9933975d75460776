//! Hugging Face `config.json` and `preprocessor_config.json` as checked, typed values.

mod error;
mod json;
mod model;
mod preprocess;

pub use error::ConfigError;
pub use model::{Activation, ClipConfig, TextConfig, VisionConfig};
pub use preprocess::PreprocessConfig;
