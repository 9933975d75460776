//! The hub's protocol: metadata, file lists, and what of a model is brought into the cache.

mod metadata;
mod repo_info;

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use reqwest::{Response, header};

use super::{
    ModelError, ModelFiles, Origin, PinnedFile,
    answer::{is_html, plain, text},
    cache::{RepoCache, check_sizes, etag_of, is_commit},
    client::{Hub, unreachable},
    download::{Download, acquire_lock},
    pinned::FOR_PYTHON,
    verify::sha256,
};
use crate::{fetch::describe, report::Progress};
use metadata::{Expected, Metadata};
use repo_info::RepoInfo;

/// Metadata redirects (renamed repositories, mirrors) followed by hand.
const MAX_HOPS: usize = 5;
const API_LIMIT: usize = 16 << 20;

impl Hub {
    /// Makes sure that the cache holds the model, and says where. A file that is there already is
    /// not downloaded again.
    ///
    /// # Errors
    /// [`ModelError`], each with what to do.
    pub async fn pull(
        &self,
        repo: &str,
        revision: Option<&str>,
        progress: &Progress,
    ) -> Result<ModelFiles, ModelError> {
        if self.config.offline {
            let (repo, cache) = (repo.to_owned(), self.config.cache.clone());
            return Err(ModelError::Offline { repo, cache });
        }
        let cache = RepoCache::new(&self.config.cache, repo);
        let mut paths = HashMap::new();
        let (commit, origin) = if let (None, Some([small @ .., weights])) =
            (revision, (self.pins)(repo))
        {
            for pin in small {
                paths.insert(pin.name, self.file(repo, pin.commit, pin.name, progress).await?.1);
            }
            let main = small.first().unwrap_or(weights).commit;
            self.for_python(repo, main, FOR_PYTHON.iter().copied(), progress).await;
            let (commit, path) = self.file(repo, weights.commit, weights.name, progress).await?;
            if let Err(e) = cache.link_main(main, &path) {
                tracing::warn!("Python will not find the model: {e}");
            }
            paths.insert(weights.name, path);
            (commit, Origin::Pinned)
        } else {
            let revision = revision.unwrap_or("main");
            let info = self.info(repo, revision).await?;
            let weights = info.weights(repo, revision)?;
            for name in info.small() {
                paths.insert(name, self.file(repo, &info.sha, name, progress).await?.1);
            }
            let extra = FOR_PYTHON.into_iter().filter(|name| info.has(name));
            self.for_python(repo, &info.sha, extra, progress).await;
            paths.insert(weights, self.file(repo, &info.sha, weights, progress).await?.1);
            info.mark_absent(&cache);
            cache.write_ref(revision, &info.sha)?;
            (info.sha, Origin::Hub { whole: true })
        };
        let place = self.config.cache.clone();
        let lookup = |name: &str| paths.get(name).cloned();
        let files = ModelFiles::assemble(repo.to_owned(), Some(commit), &place, origin, lookup)?;
        check_sizes(repo, &files)?;
        Ok(files)
    }

    /// Brings all but the weights of a commit, of which the cache holds some.
    pub(super) async fn complete(
        &self,
        repo: &str,
        commit: &str,
        progress: &Progress,
    ) -> Result<(), ModelError> {
        let info = self.info(repo, commit).await?;
        for name in info.small() {
            self.file(repo, &info.sha, name, progress).await?;
        }
        info.mark_absent(&RepoCache::new(&self.config.cache, repo));
        Ok(())
    }

    /// Files that only Python reads: without them this program still works.
    async fn for_python(
        &self,
        repo: &str,
        commit: &str,
        names: impl Iterator<Item = &'static str>,
        progress: &Progress,
    ) {
        for name in names {
            match self.file(repo, commit, name, progress).await {
                Ok(_) => {}
                Err(ModelError::NoFile { .. }) => {
                    RepoCache::new(&self.config.cache, repo).mark_absent(commit, name);
                }
                Err(e) => {
                    tracing::warn!("Python may not find all of {repo} in the cache: {e}");
                    return;
                }
            }
        }
    }

    /// One file in the cache, downloaded if it is missing or known to be damaged: its commit and
    /// its path.
    async fn file(
        &self,
        repo: &str,
        revision: &str,
        file: &str,
        progress: &Progress,
    ) -> Result<(String, PathBuf), ModelError> {
        let cache = RepoCache::new(&self.config.cache, repo);
        let there = Some(cache.snapshot(revision).join(file))
            .filter(|path| is_commit(revision) && path.is_file());
        if let Some(path) = &there
            && !self.thorough
            && has_size(path, self.pin(repo, revision, file).and_then(|pin| pin.size))
        {
            return Ok((revision.to_owned(), path.clone()));
        }
        let url = self.resolve_url(repo, revision, file);
        let meta = match (self.metadata(repo, revision, file, &url).await, there) {
            // What the file's name and its pin tell must do.
            (Err(ModelError::Unreachable { .. }), Some(path)) => {
                super::verify::check(repo, &path)?;
                return Ok((revision.to_owned(), path));
            }
            (meta, _) => meta?,
        };
        let pin = self.pin(repo, &meta.commit, file);
        let expected = Expected::new(&url, &meta, pin)?;
        let path = cache.snapshot(&meta.commit).join(file);
        // No lock: this may be a place where nothing can be written.
        if path.is_file() {
            if self.is_right(&path, &expected).await? {
                return Ok((meta.commit, path));
            }
            progress.note(&format!("{file} in the cache is damaged; downloading it again"));
        }
        let _lock = acquire_lock(&cache.lock(&meta.etag), file, progress).await?;
        let blob = cache.blob(&meta.etag);
        if !(blob.is_file() && self.is_right(&blob, &expected).await?) {
            let download = Download {
                url: &url,
                size: expected.size,
                sha256: expected.sha256,
                incomplete: cache.incomplete(&meta.etag),
                target: blob,
                names: (repo, revision, file),
            };
            self.download(&download, progress).await?;
        }
        let anew = etag_of(&path).is_none_or(|etag| etag != meta.etag);
        let path = cache.link(&meta.commit, file, &meta.etag, anew)?;
        Ok((meta.commit, path))
    }

    fn pin(&self, repo: &str, commit: &str, file: &str) -> Option<&'static PinnedFile> {
        (self.pins)(repo)?.iter().find(|pin| pin.name == file && pin.commit == commit)
    }

    /// Whether a file in the cache is as expected; the content is read only where that is asked for.
    async fn is_right(&self, path: &Path, expected: &Expected<'_>) -> Result<bool, ModelError> {
        match expected.sha256 {
            _ if !has_size(path, expected.size) => Ok(false),
            Some(wanted) if self.thorough => {
                let path = path.to_owned();
                let found = tokio::task::spawn_blocking(move || sha256(&path)).await;
                let found = found.unwrap_or_else(|e| Err(unreachable(&self.config, e.to_string())));
                Ok(found? == wanted)
            }
            _ => Ok(true),
        }
    }

    fn resolve_url(&self, repo: &str, revision: &str, file: &str) -> String {
        format!("{}/{repo}/resolve/{}/{file}", self.config.endpoint, revision.replace('/', "%2F"))
    }

    async fn metadata(
        &self,
        repo: &str,
        revision: &str,
        file: &str,
        url: &str,
    ) -> Result<Metadata, ModelError> {
        let mut at = url.to_owned();
        let mut commit = None;
        for _ in 0..MAX_HOPS {
            let response = self.send(|| self.head.head(&at)).await?;
            let status = response.status();
            let headers = response.headers();
            // A hub that sends files through its own cache names the commit only at first.
            commit = text(headers, "x-repo-commit").filter(|c| is_commit(c)).or(commit);
            if status.is_redirection() && !headers.contains_key("x-linked-etag") {
                at = target(&response)?;
            } else if status.is_success() || status.is_redirection() {
                if is_html(headers) {
                    return Err(ModelError::Portal { url: plain(response.url()) });
                }
                return Metadata::read(&at, headers, status, commit);
            } else {
                return Err(self.refused(&response, repo, revision, Some(file)));
            }
        }
        Err(ModelError::Protocol { url: url.to_owned(), reason: "it redirects in a circle".into() })
    }

    async fn info(&self, repo: &str, revision: &str) -> Result<RepoInfo, ModelError> {
        let revision_path = revision.replace('/', "%2F");
        let url = format!("{}/api/models/{repo}/revision/{revision_path}", self.config.endpoint);
        let mut response = self.send(|| self.get.get(&url)).await?;
        if !response.status().is_success() {
            return Err(self.refused(&response, repo, revision, None));
        }
        if is_html(response.headers()) {
            return Err(ModelError::Portal { url: plain(response.url()) });
        }
        let protocol = |reason: String| ModelError::Protocol { url: url.clone(), reason };
        let mut body = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|e| unreachable(&self.config, describe(&e)))?
        {
            body.extend_from_slice(&chunk);
            if body.len() > API_LIMIT {
                return Err(protocol("the list of files is longer than 16 MiB".into()));
            }
        }
        let info: RepoInfo = serde_json::from_slice(&body).map_err(|e| protocol(e.to_string()))?;
        if is_commit(&info.sha) {
            return Ok(info);
        }
        Err(protocol(format!("{:?} is not a commit", info.sha)))
    }
}

/// Where a redirect leads to. It may be another hub: the token does not go there.
fn target(response: &Response) -> Result<String, ModelError> {
    let from = response.url();
    let to = response.headers().get(header::LOCATION);
    let to = to.and_then(|to| from.join(&String::from_utf8_lossy(to.as_bytes())).ok());
    // Not down to plain text.
    let to = to.filter(|to| to.scheme() == from.scheme() || to.scheme() == "https");
    to.map(|url| url.to_string()).ok_or_else(|| ModelError::Protocol {
        url: plain(from),
        reason: "it redirects to nowhere".into(),
    })
}

fn has_size(path: &Path, size: Option<u64>) -> bool {
    size.is_none_or(|size| std::fs::metadata(path).is_ok_and(|meta| meta.len() == size))
}
