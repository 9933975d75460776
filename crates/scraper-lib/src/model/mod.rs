//! Finds, downloads, verifies and loads weights.
//!
//! Search order: an explicit path; the folder named by `EMBEDDINGS_MODEL`; the Hugging Face
//! cache; the hub. A small model that is compiled in is used where its name, `tiny`, is given. The
//! protocol and the cache layout are those of `huggingface_hub`, so files are shared with Python.
//! They are implemented here and not taken from the `hf-hub` crate, because
//! hf-hub 1.0 restarts a cut download from zero and never compares a SHA-256.

mod answer;
mod builtin;
mod cache;
mod client;
mod device;
mod download;
mod error;
mod file;
mod folder;
mod hub;
mod load;
mod pack;
#[cfg(feature = "pytorch")]
mod pickle;
mod pinned;
#[cfg(feature = "pytorch")]
mod pytorch;
mod spec;
mod verify;

pub use builtin::BUILTIN;
pub use cache::{CachedModel, list};
pub use client::Hub;
#[cfg(feature = "candle")]
pub use device::Candle;
pub use device::{Accelerator, Device, DeviceError, DeviceReport, accelerate, devices};
pub use error::ModelError;
pub use file::ModelFile;
pub use folder::{ModelFiles, Origin, Weights};
pub use load::{LoadOptions, LoadedModel, config, configs, load};
pub use pack::{Packed, pack};
pub use pinned::{PinnedFile, pinned};
#[cfg(feature = "pytorch")]
#[doc(hidden)]
pub use pytorch::fuzz_pickle;
pub use spec::ModelSpec;
pub use verify::verify;

use crate::{config::HubConfig, report::Progress};
use cache::Cached;

/// Finds the files of `spec`, downloading what is missing (unless offline).
///
/// # Errors
/// [`ModelError`] says which repository, revision or file is missing and what to do.
pub async fn find(
    spec: &ModelSpec,
    config: &HubConfig,
    progress: &Progress,
) -> Result<ModelFiles, ModelError> {
    let (repo, revision) = match spec {
        ModelSpec::Folder(path) => return ModelFiles::in_folder(path),
        ModelSpec::Builtin => return Ok(ModelFiles::builtin()),
        ModelSpec::Hub { repo, revision } => (repo.as_str(), revision.as_deref()),
    };
    match cache::find(config, repo, revision)? {
        Cached::Whole(files) => Ok(files),
        Cached::Part { files, .. } if config.offline => Ok(files),
        Cached::Part { files, commit, urgent } => {
            let mut hub = Hub::new(config)?;
            hub.retry.attempts = if urgent { 3 } else { 1 };
            match hub.complete(repo, &commit, progress).await {
                Ok(()) => match cache::find(config, repo, revision)? {
                    Cached::Whole(files) | Cached::Part { files, .. } => Ok(files),
                    Cached::Nothing => Ok(files),
                },
                // What is there may do: the load names what it lacks.
                Err(e) => {
                    if urgent {
                        tracing::warn!("the cache holds only a part of {repo}: {e}");
                    }
                    Ok(files)
                }
            }
        }
        Cached::Nothing => Hub::new(config)?.pull(repo, revision, progress).await,
    }
}
