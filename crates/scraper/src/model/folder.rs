//! The files that make up a model, in a plain folder or in a snapshot of the cache.

use std::path::{Path, PathBuf};

use super::ModelError;

/// One weights file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weights {
    Safetensors(PathBuf),
    /// `pytorch_model.bin`; converted once at load.
    Pytorch(PathBuf),
}

impl Weights {
    pub fn path(&self) -> &Path {
        match self {
            Weights::Safetensors(path) | Weights::Pytorch(path) => path,
        }
    }
}

/// Paths of everything that [`load`](super::load) needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    /// Hub id, or the folder's name.
    pub model: String,
    /// Commit that the weights come from, where known.
    pub revision: Option<String>,
    pub config: PathBuf,
    /// `preprocessor_config.json`; CLIP's own values are used without it.
    pub preprocessor: Option<PathBuf>,
    /// `tokenizer.json`; CLIP's own vocabulary is used without tokenizer files.
    pub tokenizer: Option<PathBuf>,
    /// `vocab.json` and `merges.txt`, used where there is no `tokenizer.json`.
    pub vocab_merges: Option<(PathBuf, PathBuf)>,
    pub weights: Weights,
}

impl ModelFiles {
    /// The model in `folder`, laid out as `save_pretrained` does.
    ///
    /// # Errors
    /// [`ModelError::Incomplete`] or [`ModelError::Sharded`].
    pub fn in_folder(folder: &Path) -> Result<Self, ModelError> {
        // `.` and `..` have no name of their own.
        let full = folder.canonicalize().map_err(|_| ModelError::NoFolder(folder.to_owned()))?;
        let name = full.file_name().unwrap_or(full.as_os_str()).to_string_lossy().into_owned();
        let lookup = |file: &str| Some(folder.join(file)).filter(|path| path.is_file());
        Self::assemble(name, None, folder, lookup)
    }

    /// Picks the files of a model by their names; `place` is for messages.
    pub(super) fn assemble(
        model: String,
        revision: Option<String>,
        place: &Path,
        lookup: impl Fn(&str) -> Option<PathBuf>,
    ) -> Result<Self, ModelError> {
        let missing = |missing| ModelError::Incomplete { folder: place.to_owned(), missing };
        let config = lookup("config.json").ok_or_else(|| missing("config.json"))?;
        let safetensors = lookup("model.safetensors").map(Weights::Safetensors);
        let weights =
            match safetensors.or_else(|| lookup("pytorch_model.bin").map(Weights::Pytorch)) {
                Some(weights) => weights,
                None if lookup("model.safetensors.index.json").is_some() => {
                    return Err(ModelError::Sharded { place: place.display().to_string() });
                }
                None => return Err(missing("weights")),
            };
        Ok(ModelFiles {
            model,
            revision,
            config,
            preprocessor: lookup("preprocessor_config.json"),
            tokenizer: lookup("tokenizer.json"),
            vocab_merges: lookup("vocab.json").zip(lookup("merges.txt")),
            weights,
        })
    }

    /// All files, for listing and checking.
    pub fn paths(&self) -> Vec<&Path> {
        let optional = [&self.preprocessor, &self.tokenizer].into_iter().flatten();
        let pair = self.vocab_merges.iter().flat_map(|(vocab, merges)| [vocab, merges]);
        [&self.config]
            .into_iter()
            .chain(optional)
            .chain(pair)
            .map(PathBuf::as_path)
            .chain([self.weights.path()])
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let touch = |name: &str| std::fs::write(dir.path().join(name), "{}").unwrap();
        let error = || ModelFiles::in_folder(dir.path()).unwrap_err().to_string();
        assert!(error().contains("has no config.json"));
        touch("config.json");
        assert!(error().contains("has no weights"));
        touch("model.safetensors.index.json");
        assert!(error().contains("several files"));
        touch("pytorch_model.bin");
        let files = ModelFiles::in_folder(dir.path()).unwrap();
        assert!(matches!(files.weights, Weights::Pytorch(_)));
        touch("model.safetensors");
        let files = ModelFiles::in_folder(dir.path()).unwrap();
        assert!(matches!(files.weights, Weights::Safetensors(_)));
        assert_eq!(files.paths().len(), 2);
    }
}
