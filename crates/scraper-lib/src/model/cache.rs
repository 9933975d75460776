//! The cache folder of `huggingface_hub`, shared with Python.
//!
//! `models--org--name/blobs/<etag>` holds contents, `snapshots/<commit>/<file>` links to them,
//! `refs/<revision>` names the commit that a branch or tag was resolved to, and
//! `.no_exist/<commit>/<file>` is there where the repository is known to have no such file
//! (<https://huggingface.co/docs/huggingface_hub/guides/manage-cache>). A blob may itself be a link,
//! into the store that `huggingface_hub` 2 shares between repositories (`blobs/<2 digits>/<Xet hash>`
//! in the cache); only the name of the first says what the content is.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    ModelError, ModelFiles, Origin, Weights,
    pinned::{pinned, pinned_file},
};
use crate::config::HubConfig;

/// Files that decide results and that a repository need not have.
pub(super) const OPTIONAL: [&str; 5] = [
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
];

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
        // Also: nothing to write where nothing may be.
        if is_commit(revision) || self.commit(revision).as_deref() == Some(commit) {
            return Ok(());
        }
        let path = self.root.join("refs").join(revision);
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        create_parent(&path)
            .and_then(|()| fs::write(&temporary, commit))
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(|source| ModelError::Write { path, source })
    }

    fn no_exist(&self, commit: &str, file: &str) -> PathBuf {
        self.root.join(".no_exist").join(commit).join(file)
    }

    /// Notes that the repository has no such file, as Python does. No more than a memory: whoever
    /// may not write asks again.
    pub(super) fn mark_absent(&self, commit: &str, file: &str) {
        let path = self.no_exist(commit, file);
        if !path.exists() {
            let _ = create_parent(&path).and_then(|()| fs::write(&path, ""));
        }
    }

    /// Whether `file` is in the snapshot, or known not to be in the repository.
    fn knows(&self, commit: &str, file: &str) -> bool {
        self.snapshot(commit).join(file).is_file() || self.no_exist(commit, file).is_file()
    }

    /// Makes all of a pinned model to be found where its `main` is, as Python looks for it: the
    /// weights are those of `main` in another form.
    pub(super) fn link_main(&self, main: &str, weights: &Path) -> Result<(), ModelError> {
        let file = "model.safetensors";
        if self.commit("main").is_none() {
            self.write_ref("main", main)?;
        }
        let _ = fs::remove_file(self.no_exist(main, file));
        match etag_of(weights) {
            Some(etag) if !self.snapshot(main).join(file).is_file() => {
                self.link(main, file, &etag, false).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Makes `snapshots/<commit>/<file>` point to the blob; `anew` also where it points elsewhere.
    pub(super) fn link(
        &self,
        commit: &str,
        file: &str,
        etag: &str,
        anew: bool,
    ) -> Result<PathBuf, ModelError> {
        let path = self.snapshot(commit).join(file);
        let made = create_parent(&path).and_then(|()| match path.exists() && !anew {
            true => Ok(()),
            false => point(etag, &self.blob(etag), &path),
        });
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

/// The name of the blob that a file of a snapshot links to: what the hub says of its content.
pub(super) fn etag_of(path: &Path) -> Option<String> {
    let target = fs::read_link(path).ok()?;
    let folder = target.parent()?.file_name()?;
    (folder == "blobs").then(|| target.file_name()?.to_str().map(str::to_owned)).flatten()
}

/// A model in the cache.
pub(super) enum Cached {
    /// All that the repository has of it.
    Whole(ModelFiles),
    /// Python downloads files one by one, as it needs them: of this commit some that decide
    /// results may be missing. `urgent` if without them something cannot be done.
    Part {
        files: ModelFiles,
        commit: String,
        urgent: bool,
    },
    Nothing,
}

/// Looks for the model in the cache.
///
/// # Errors
/// [`ModelError::Offline`] if it is not there and the hub must not be asked;
/// [`ModelError::Damaged`] if a known file has another size.
pub(super) fn find(
    config: &HubConfig,
    repo: &str,
    revision: Option<&str>,
) -> Result<Cached, ModelError> {
    let cache = RepoCache::new(&config.cache, repo);
    let pinned = match revision {
        None => find_pinned(config, repo, &cache).map(Cached::Whole),
        Some(_) => None,
    };
    let in_commit = || {
        let commit = cache.commit(revision.unwrap_or("main"))?;
        in_snapshot(repo, &cache, commit)
    };
    let found = pinned.or_else(in_commit).unwrap_or(Cached::Nothing);
    match &found {
        Cached::Whole(files) | Cached::Part { files, .. } => check_sizes(repo, files)?,
        Cached::Nothing if config.offline => {
            let repo = revision.map_or(repo.to_owned(), |r| format!("{repo}@{r}"));
            return Err(ModelError::Offline { repo, cache: config.cache.clone() });
        }
        Cached::Nothing => {}
    }
    Ok(found)
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
    let revision = Some(weights.commit.to_owned());
    ModelFiles::assemble(repo.to_owned(), revision, &place, Origin::Pinned, lookup).ok()
}

fn in_snapshot(repo: &str, cache: &RepoCache, commit: String) -> Option<Cached> {
    let place = cache.snapshot(&commit);
    let lookup = |name: &str| Some(place.join(name)).filter(|path| path.is_file());
    let whole = OPTIONAL.iter().all(|name| cache.knows(&commit, name))
        // One form of the tokenizer is enough.
        || (cache.knows(&commit, OPTIONAL[0])
            && cache.knows(&commit, OPTIONAL[1])
            && lookup("tokenizer.json").is_some());
    // The commit of a known model is known too, whoever downloaded it.
    let origin = match pinned(repo).is_some_and(|pins| pins.iter().any(|pin| pin.commit == commit))
    {
        true => Origin::Pinned,
        false => Origin::Hub { whole },
    };
    let revision = Some(commit.clone());
    let files = ModelFiles::assemble(repo.to_owned(), revision, &place, origin, lookup).ok()?;
    if !cfg!(feature = "pytorch") && matches!(files.weights, Weights::Pytorch(_)) {
        return None;
    }
    if whole {
        return Some(Cached::Whole(files));
    }
    let tokenizer = files.tokenizer.is_some() || files.vocab_merges.is_some();
    let settings = files.preprocessor.is_some() || files.processor.is_some();
    Some(Cached::Part { files, commit, urgent: !(tokenizer && settings) })
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
                model: repo.to_owned(),
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
    /// `org/name`.
    pub repo: String,
    /// The snapshot.
    pub commit: String,
    /// `model.safetensors`, else `pytorch_model.bin`.
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

#[cfg(all(test, unix))]
mod tests;
