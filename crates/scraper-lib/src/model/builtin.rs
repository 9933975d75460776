//! The small model that is part of this program: `tiny`.
//!
//! Made by `tests/reference/train_tiny.py`; its card is `models/tiny/README.md`. It is for first
//! looks and for tests, and used only where it is asked for by name.

use super::{ModelFile, ModelFiles, Origin, Weights};

/// What `--model` and `EMBEDDINGS_MODEL` call it.
pub const BUILTIN: &str = "tiny";

macro_rules! embedded {
    ($name:literal) => {
        ModelFile::Builtin {
            name: $name,
            bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/tiny/", $name)),
        }
    };
}

impl ModelFiles {
    /// The built-in model. It uses CLIP's own vocabulary.
    pub fn builtin() -> Self {
        ModelFiles {
            model: BUILTIN.to_owned(),
            revision: None,
            origin: Origin::Builtin,
            config: embedded!("config.json"),
            preprocessor: Some(embedded!("preprocessor_config.json")),
            processor: None,
            tokenizer: None,
            vocab_merges: None,
            weights: Weights::Safetensors(embedded!("model.safetensors")),
        }
    }
}
