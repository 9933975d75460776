//! The cache folder of `huggingface_hub`, shared with Python.
//!
//! `models--org--name/blobs/<etag>` holds contents, `snapshots/<commit>/<file>` links to them,
//! `refs/<revision>` names the commit that a branch or tag was resolved to
//! (<https://huggingface.co/docs/huggingface_hub/guides/manage-cache>).

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    ModelError, ModelFiles,
    pinned::{pinned, pinned_file},
};
use crate::config::HubConfig;

/// The folder of one repository.
#[derive(Debug, Clone)]
pub(super) struct RepoCache {
    root: PathBuf,
    locks: PathBuf,
}

impl RepoCache {
    pub(super) fn new(cache: &Path, repo: &str) -> Self {
        let folder = format!("models--{}", repo.replace('/', "--"));
        RepoCache { root: cache.join(&folder), locks: cache.join(".locks").join(folder) }
    }

    pub(super) fn blob(&self, etag: &str) -> PathBuf {
        self.root.join("blobs").join(etag)
    }

    pub(super) fn incomplete(&self, etag: &str) -> PathBuf {
        self.root.join("blobs").join(format!("{etag}.incomplete"))
    }

    pub(super) fn lock(&self, etag: &str) -> PathBuf {
        self.locks.join(format!("{etag}.lock"))
    }

    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.root.join("snapshots").join(commit)
    }

    /// The commit that `revision` was last resolved to (a commit is itself).
    pub(super) fn commit(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let commit = fs::read_to_string(self.root.join("refs").join(revision)).ok()?;
        Some(commit.trim().to_owned()).filter(|commit| is_commit(commit))
    }

    pub(super) fn write_ref(&self, revision: &str, commit: &str) -> Result<(), ModelError> {
        if is_commit(revision) {
            return Ok(());
        }
        let path = self.root.join("refs").join(revision);
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        create_parent(&path)
            .and_then(|()| fs::write(&temporary, commit))
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(|source| ModelError::Write { path, source })
    }

    /// Makes `snapshots/<commit>/<file>` point to the blob.
    pub(super) fn link(&self, commit: &str, file: &str, etag: &str) -> Result<PathBuf, ModelError> {
        let path = self.snapshot(commit).join(file);
        let made = create_parent(&path).and_then(|()| point(etag, &self.blob(etag), &path));
        match made {
            Ok(()) => Ok(path),
            Err(source) => Err(ModelError::Write { path, source }),
        }
    }

    fn commits(&self) -> Vec<String> {
        let mut commits: Vec<String> = read_names(&self.root.join("snapshots"));
        commits.retain(|name| is_commit(name));
        commits
    }
}

/// Replaces `path` by a relative link to the blob, or by a copy where links are not allowed.
fn point(etag: &str, blob: &Path, path: &Path) -> io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let _ = fs::remove_file(&temporary);
    #[cfg(unix)]
    let linked = std::os::unix::fs::symlink(Path::new("../../blobs").join(etag), &temporary);
    #[cfg(not(unix))]
    let linked: io::Result<()> = {
        let _ = etag;
        fs::hard_link(blob, &temporary)
    };
    linked.or_else(|_| fs::copy(blob, &temporary).map(drop))?;
    fs::rename(&temporary, path)
}

pub(super) fn create_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// A full git commit hash.
pub(super) fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|b| b.is_ascii_hexdigit())
}

/// The model in the cache, if all it needs is there.
///
/// # Errors
/// [`ModelError::Offline`] if it is not there and the hub must not be asked;
/// [`ModelError::Damaged`] if a known file has another size.
pub(super) fn find(
    config: &HubConfig,
    repo: &str,
    revision: Option<&str>,
) -> Result<Option<ModelFiles>, ModelError> {
    let cache = RepoCache::new(&config.cache, repo);
    if revision.is_none()
        && let Some(files) = find_pinned(config, repo, &cache)
    {
        check_sizes(repo, &files)?;
        return Ok(Some(files));
    }
    let commit = cache.commit(revision.unwrap_or("main"));
    let found = commit.and_then(|commit| in_snapshot(repo, &cache, &commit));
    match found {
        Some(files) => {
            check_sizes(repo, &files)?;
            Ok(Some(files))
        }
        None if config.offline => {
            let repo = revision.map_or(repo.to_owned(), |r| format!("{repo}@{r}"));
            Err(ModelError::Offline { repo, cache: config.cache.clone() })
        }
        None => Ok(None),
    }
}

/// A known model: each file in the snapshot of its own pinned commit. Small files that are
/// missing are worth a download, so offline is more lenient.
fn find_pinned(config: &HubConfig, repo: &str, cache: &RepoCache) -> Option<ModelFiles> {
    let pins = pinned(repo)?;
    let weights = pins.last()?;
    let lookup = |name: &str| {
        let pin = pins.iter().find(|pin| pin.name == name)?;
        Some(cache.snapshot(pin.commit).join(name)).filter(|path| path.is_file())
    };
    if !config.offline && pins.iter().any(|pin| lookup(pin.name).is_none()) {
        return None;
    }
    let place = cache.snapshot(weights.commit);
    ModelFiles::assemble(repo.to_owned(), Some(weights.commit.to_owned()), &place, lookup).ok()
}

fn in_snapshot(repo: &str, cache: &RepoCache, commit: &str) -> Option<ModelFiles> {
    let place = cache.snapshot(commit);
    let lookup = |name: &str| Some(place.join(name)).filter(|path| path.is_file());
    let files =
        ModelFiles::assemble(repo.to_owned(), Some(commit.to_owned()), &place, lookup).ok()?;
    let readable =
        cfg!(feature = "pytorch") || !matches!(files.weights, super::Weights::Pytorch(_));
    readable.then_some(files)
}

/// Known files have their known size: the cheap part of [`verify`](super::verify).
pub(super) fn check_sizes(repo: &str, files: &ModelFiles) -> Result<(), ModelError> {
    for path in files.paths() {
        let Some(size) = pin_of(repo, &path).and_then(|pin| pin.size) else { continue };
        let found = fs::metadata(&path)
            .map_err(|source| ModelError::Read { path: path.clone(), source })?
            .len();
        if found != size {
            return Err(ModelError::Damaged {
                what: path.display().to_string(),
                property: "size",
                found: found.to_string(),
                expected: size.to_string(),
            });
        }
    }
    Ok(())
}

/// What is known of a file in a snapshot folder.
pub(super) fn pin_of(repo: &str, path: &Path) -> Option<&'static super::PinnedFile> {
    let commit = path.parent()?.file_name()?.to_str()?;
    pinned_file(repo, commit, path.file_name()?.to_str()?)
}

/// A model of the cache.
#[derive(Debug)]
pub struct CachedModel {
    pub repo: String,
    pub commit: String,
    pub weights: PathBuf,
    /// Bytes of the weights file.
    pub size: u64,
}

/// The models in the cache that have weights in one file, by name.
pub fn list(config: &HubConfig) -> Vec<CachedModel> {
    let mut models = Vec::new();
    for folder in read_names(&config.cache) {
        let Some(repo) = folder.strip_prefix("models--").map(|name| name.replace("--", "/")) else {
            continue;
        };
        let cache = RepoCache::new(&config.cache, &repo);
        for commit in cache.commits() {
            let weights = ["model.safetensors", "pytorch_model.bin"]
                .iter()
                .map(|name| cache.snapshot(&commit).join(name))
                .find_map(|path| Some((fs::metadata(&path).ok()?.len(), path)));
            if let Some((size, weights)) = weights {
                models.push(CachedModel { repo: repo.clone(), commit, weights, size });
            }
        }
    }
    models
}

fn read_names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}
