//! Which files a repository has, and which of them a model needs.

use serde::Deserialize;

use crate::model::{
    ModelError,
    cache::{OPTIONAL, RepoCache},
    pinned::FOR_PYTHON,
};

/// The files of a commit.
#[derive(Debug, Deserialize)]
pub(super) struct RepoInfo {
    pub(super) sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
struct Sibling {
    rfilename: String,
}

impl RepoInfo {
    pub(super) fn has(&self, name: &str) -> bool {
        self.siblings.iter().any(|s| s.rfilename == name)
    }

    /// The small files to download.
    pub(super) fn small(&self) -> impl Iterator<Item = &'static str> + use<'_> {
        let tokenizer: &[&str] = match self.has("tokenizer.json") {
            true => &["tokenizer.json"],
            false => &["vocab.json", "merges.txt"],
        };
        let settings = ["preprocessor_config.json", "processor_config.json"];
        let some = settings.into_iter().chain(tokenizer.iter().copied());
        // config.json always: its absence must be an error that names it.
        ["config.json"].into_iter().chain(some.filter(|name| self.has(name)))
    }

    pub(super) fn weights(&self, repo: &str, revision: &str) -> Result<&'static str, ModelError> {
        if self.has("model.safetensors") {
            Ok("model.safetensors")
        } else if self.has("model.safetensors.index.json") {
            Err(ModelError::Sharded { place: repo.to_owned() })
        } else if self.has("pytorch_model.bin") && cfg!(feature = "pytorch") {
            Ok("pytorch_model.bin")
        } else {
            let (repo, revision) = (repo.to_owned(), revision.to_owned());
            Err(ModelError::NoWeights { repo, revision })
        }
    }

    pub(super) fn mark_absent(&self, cache: &RepoCache) {
        let names = OPTIONAL.iter().chain(&FOR_PYTHON);
        names.filter(|name| !self.has(name)).for_each(|name| cache.mark_absent(&self.sha, name));
    }
}
