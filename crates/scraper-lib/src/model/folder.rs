//! The files that make up a model: in a plain folder, in a snapshot of the cache, or built in.

use std::path::{Path, PathBuf};

use super::{ModelError, ModelFile};

/// One weights file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weights {
    Safetensors(ModelFile),
    /// `pytorch_model.bin`; converted once at load.
    Pytorch(PathBuf),
}

impl Weights {
    /// The path, unless the weights are part of this program.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Weights::Safetensors(file) => file.path(),
            Weights::Pytorch(path) => Some(path),
        }
    }
}

/// Where files come from: what it means that one is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A folder: there are no others.
    Folder,
    /// A commit that is known to the byte: what is missing is CLIP's own.
    Pinned,
    /// A snapshot in the cache; `whole` if nothing is missing that the repository has.
    Hub { whole: bool },
    /// Compiled in.
    Builtin,
}

/// Everything that [`load`](super::load) needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    /// Hub id, the folder's name, or `tiny` for the built-in one.
    pub model: String,
    /// Commit that the weights come from, where known.
    pub revision: Option<String>,
    pub origin: Origin,
    pub config: ModelFile,
    /// `preprocessor_config.json`.
    pub preprocessor: Option<ModelFile>,
    /// `processor_config.json`, which wins over it if it tells of the image processor.
    pub processor: Option<ModelFile>,
    /// `tokenizer.json`.
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
        Self::assemble(name, None, folder, Origin::Folder, lookup)
    }

    /// Picks the files of a model by their names; `place` is for messages.
    pub(super) fn assemble(
        model: String,
        revision: Option<String>,
        place: &Path,
        origin: Origin,
        lookup: impl Fn(&str) -> Option<PathBuf>,
    ) -> Result<Self, ModelError> {
        let missing = |missing| ModelError::Incomplete { folder: place.to_owned(), missing };
        let config = lookup("config.json").ok_or_else(|| missing("config.json"))?;
        let safetensors = lookup("model.safetensors").map(|path| Weights::Safetensors(path.into()));
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
            origin,
            config: config.into(),
            preprocessor: lookup("preprocessor_config.json").map(ModelFile::Path),
            processor: lookup("processor_config.json").map(ModelFile::Path),
            tokenizer: lookup("tokenizer.json"),
            vocab_merges: lookup("vocab.json").zip(lookup("merges.txt")),
            weights,
        })
    }

    /// All files, weights last, for listing.
    pub fn files(&self) -> Vec<ModelFile> {
        let pair = self.vocab_merges.iter().flat_map(|(vocab, merges)| [vocab, merges]);
        let text = self.tokenizer.iter().chain(pair).cloned().map(ModelFile::Path);
        let weights = match &self.weights {
            Weights::Safetensors(file) => file.clone(),
            Weights::Pytorch(path) => path.clone().into(),
        };
        let settings = self.preprocessor.iter().chain(&self.processor).cloned();
        let config = [self.config.clone()].into_iter().chain(settings);
        config.chain(text).chain([weights]).collect()
    }

    /// The files that are on disk, for checking.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.files().iter().filter_map(|file| Some(file.path()?.to_owned())).collect()
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
