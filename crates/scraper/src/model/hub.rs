//! The hub's protocol: metadata, file lists, and which sentence each answer means.

use std::{collections::HashMap, path::PathBuf, time::Duration};

use reqwest::{
    Client, RequestBuilder, Response, StatusCode, Url,
    header::{self, HeaderMap},
    redirect,
};
use serde::Deserialize;

use super::{
    ModelError, ModelFiles, PinnedFile,
    cache::{RepoCache, check_sizes, is_commit},
    download::{Download, acquire_lock},
    pinned::{pinned, pinned_file},
};
use crate::{
    config::HubConfig,
    fetch::{Retry, client_builder, describe, retry_after},
    report::Progress,
};

/// Metadata redirects (renamed repositories) followed by hand.
const MAX_HOPS: usize = 5;
const API_LIMIT: usize = 16 << 20;

/// A connection to the hub, or to a mirror of it.
#[derive(Debug, Clone)]
pub struct Hub {
    pub(super) config: HubConfig,
    /// Follows no redirect: the answer to a HEAD is in the first response.
    head: Client,
    /// Follows redirects to the CDN; reqwest drops the token when the host changes.
    pub(super) get: Client,
    /// Applies to each request; a download that makes progress starts counting anew.
    pub retry: Retry,
}

/// What a HEAD says about one file.
#[derive(Debug)]
pub(super) struct Metadata {
    pub commit: String,
    pub etag: String,
    pub size: Option<u64>,
}

impl Hub {
    /// # Errors
    /// [`ModelError::Unreachable`] if HTTP cannot be set up.
    pub fn new(config: &HubConfig) -> Result<Self, ModelError> {
        let build = |policy| {
            client_builder()
                .connect_timeout(Duration::from_secs(10))
                .read_timeout(Duration::from_secs(60))
                .https_only(config.endpoint.starts_with("https://"))
                .redirect(policy)
                .build()
                .map_err(|e| unreachable(config, describe(&e)))
        };
        Ok(Hub {
            config: config.clone(),
            head: build(redirect::Policy::none())?,
            get: build(redirect::Policy::limited(10))?,
            retry: Retry { attempts: 5, ..Retry::default() },
        })
    }

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
        let mut paths = HashMap::new();
        let weights_commit = if let (None, Some(pins)) = (revision, pinned(repo)) {
            for pin in pins {
                paths.insert(pin.name, self.file(repo, pin.commit, pin.name, progress).await?.1);
            }
            pins.last().map(|pin| pin.commit.to_owned())
        } else {
            let revision = revision.unwrap_or("main");
            let info = self.info(repo, revision).await?;
            for name in info.wanted(repo, revision)? {
                paths.insert(name, self.file(repo, &info.sha, name, progress).await?.1);
            }
            RepoCache::new(&self.config.cache, repo).write_ref(revision, &info.sha)?;
            Some(info.sha)
        };
        let place = self.config.cache.clone();
        let lookup = |name: &str| paths.get(name).cloned();
        let files = ModelFiles::assemble(repo.to_owned(), weights_commit, &place, lookup)?;
        check_sizes(repo, &files)?;
        Ok(files)
    }

    /// One file in the cache, downloaded if it is missing: its commit and its path.
    async fn file(
        &self,
        repo: &str,
        revision: &str,
        file: &str,
        progress: &Progress,
    ) -> Result<(String, PathBuf), ModelError> {
        let cache = RepoCache::new(&self.config.cache, repo);
        if is_commit(revision) {
            let path = cache.snapshot(revision).join(file);
            if path.is_file() {
                return Ok((revision.to_owned(), path));
            }
        }
        let url = self.resolve_url(repo, revision, file);
        let meta = self.metadata(repo, revision, file, &url).await?;
        let pin = pinned_file(repo, &meta.commit, file);
        let expected = Expected::new(&url, &meta, pin)?;
        let _lock = acquire_lock(&cache.lock(&meta.etag), file, progress).await?;
        if !cache.blob(&meta.etag).is_file() {
            let download = Download {
                url: &url,
                size: expected.size,
                sha256: expected.sha256,
                incomplete: cache.incomplete(&meta.etag),
                target: cache.blob(&meta.etag),
                names: (repo, revision, file),
            };
            self.download(&download, progress).await?;
        }
        let path = cache.link(&meta.commit, file, &meta.etag)?;
        Ok((meta.commit, path))
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
        for _ in 0..MAX_HOPS {
            let response = self.send(|| self.head.head(&at)).await?;
            let status = response.status();
            let headers = response.headers();
            if status.is_redirection() && !headers.contains_key("x-linked-etag") {
                at = self.same_origin(&response)?;
            } else if status.is_success() || status.is_redirection() {
                return metadata(&at, headers);
            } else {
                return Err(self.refused(&response, repo, revision, Some(file)));
            }
        }
        Err(ModelError::Protocol { url: url.to_owned(), reason: "it redirects in a circle".into() })
    }

    /// The target of a redirect, which must stay on the hub: the token goes there.
    fn same_origin(&self, response: &Response) -> Result<String, ModelError> {
        let from = response.url();
        let target = text(response.headers(), header::LOCATION.as_str())
            .and_then(|location| from.join(location).ok())
            .filter(|to| to.origin() == from.origin());
        target.map(|url| url.to_string()).ok_or_else(|| ModelError::Protocol {
            url: from.to_string(),
            reason: "it redirects elsewhere without saying which file it is (X-Linked-Etag)".into(),
        })
    }

    async fn info(&self, repo: &str, revision: &str) -> Result<RepoInfo, ModelError> {
        let revision_path = revision.replace('/', "%2F");
        let url = format!("{}/api/models/{repo}/revision/{revision_path}", self.config.endpoint);
        let mut response = self.send(|| self.get.get(&url)).await?;
        if !response.status().is_success() {
            return Err(self.refused(&response, repo, revision, None));
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

    /// Sends a request with the token, again after a pause where that may help.
    pub(super) async fn send(
        &self,
        request: impl Fn() -> RequestBuilder,
    ) -> Result<Response, ModelError> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let sent = self.authorized(request()).send().await;
            let wait = match &sent {
                Ok(response) if is_busy(response.status()) => retry_after(response.headers()),
                Ok(_) => None,
                Err(e) if e.is_builder() || e.is_redirect() => {
                    return Err(unreachable(&self.config, describe(e)));
                }
                Err(_) => None,
            };
            match sent {
                Ok(response) if !is_busy(response.status()) => return Ok(response),
                Ok(response) if attempt >= self.retry.attempts => {
                    let (url, status) = (plain(response.url()), response.status().as_u16());
                    return Err(ModelError::Busy { url, status, attempts: attempt });
                }
                Err(e) if attempt >= self.retry.attempts => {
                    return Err(unreachable(&self.config, describe(&e)));
                }
                _ => tokio::time::sleep(self.retry.wait(attempt, wait)).await,
            }
        }
    }

    pub(super) fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        // A compressed body would make sizes and ranges mean something else.
        let request = request.header(header::ACCEPT_ENCODING, "identity");
        match &self.config.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// The sentence for an answer that is neither success nor worth a retry.
    pub(super) fn refused(
        &self,
        response: &Response,
        repo: &str,
        revision: &str,
        file: Option<&str>,
    ) -> ModelError {
        let (repo, revision) = (repo.to_owned(), revision.to_owned());
        let no_repo = |repo| ModelError::NoRepo { repo, endpoint: self.config.endpoint.clone() };
        let code = text(response.headers(), "x-error-code");
        match (response.status(), code, file) {
            (_, Some("RevisionNotFound"), _) => ModelError::NoRevision { repo, revision },
            (_, Some("RepoNotFound"), _) => no_repo(repo),
            (StatusCode::NOT_FOUND, _, Some(file)) => {
                ModelError::NoFile { repo, revision, file: file.to_owned() }
            }
            (StatusCode::NOT_FOUND, _, None) => no_repo(repo),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, ..) => {
                ModelError::Access { repo, token_sent: self.config.token.is_some() }
            }
            (status, ..) => {
                ModelError::Status { url: plain(response.url()), status: status.as_u16() }
            }
        }
    }
}

/// Size and hash that a download must have.
struct Expected<'a> {
    size: Option<u64>,
    sha256: Option<&'a str>,
}

impl<'a> Expected<'a> {
    /// A pin wins; the etag of a large (LFS) file is its SHA-256.
    fn new(
        url: &str,
        meta: &'a Metadata,
        pin: Option<&'static PinnedFile>,
    ) -> Result<Self, ModelError> {
        let lfs = Some(meta.etag.as_str())
            .filter(|etag| etag.len() == 64 && etag.bytes().all(|b| b.is_ascii_hexdigit()));
        let pinned = pin.map(|pin| pin.sha256);
        let differs = |property, found: String, expected: String| ModelError::Corrupt {
            url: url.to_owned(),
            property,
            found,
            expected,
        };
        // Known before 600 MB have been downloaded.
        if let (Some(lfs), Some(pinned)) = (lfs, pinned)
            && lfs != pinned
        {
            return Err(differs("sha256", lfs.into(), pinned.into()));
        }
        let pinned_size = pin.and_then(|pin| pin.size);
        if let (Some(found), Some(size)) = (meta.size, pinned_size)
            && found != size
        {
            return Err(differs("size", found.to_string(), size.to_string()));
        }
        Ok(Expected { size: pinned_size.or(meta.size), sha256: pinned.or(lfs) })
    }
}

#[derive(Debug, Deserialize)]
struct RepoInfo {
    sha: String,
    #[serde(default)]
    siblings: Vec<Sibling>,
}

#[derive(Debug, Deserialize)]
struct Sibling {
    rfilename: String,
}

impl RepoInfo {
    /// The files to download, weights last.
    fn wanted(&self, repo: &str, revision: &str) -> Result<Vec<&'static str>, ModelError> {
        let has = |name: &str| self.siblings.iter().any(|s| s.rfilename == name);
        let tokenizer: &[&str] =
            if has("tokenizer.json") { &["tokenizer.json"] } else { &["vocab.json", "merges.txt"] };
        let weights = if has("model.safetensors") {
            "model.safetensors"
        } else if has("model.safetensors.index.json") {
            return Err(ModelError::Sharded { place: repo.to_owned() });
        } else if has("pytorch_model.bin") && cfg!(feature = "pytorch") {
            "pytorch_model.bin"
        } else {
            let (repo, revision) = (repo.to_owned(), revision.to_owned());
            return Err(ModelError::NoWeights { repo, revision });
        };
        let small = ["preprocessor_config.json"].iter().chain(tokenizer).copied();
        // config.json always: its absence must be an error that names it.
        Ok(["config.json"].into_iter().chain(small.filter(|n| has(n))).chain([weights]).collect())
    }
}

fn metadata(url: &str, headers: &HeaderMap) -> Result<Metadata, ModelError> {
    let protocol = |reason: &str| ModelError::Protocol { url: url.into(), reason: reason.into() };
    let commit = text(headers, "x-repo-commit")
        .filter(|commit| is_commit(commit))
        .ok_or_else(|| protocol("it names no commit (X-Repo-Commit)"))?;
    let etag = text(headers, "x-linked-etag")
        .or_else(|| text(headers, "etag"))
        .map(|etag| etag.trim_start_matches("W/").trim_matches('"'))
        // Becomes a file name.
        .filter(|etag| (1..=128).contains(&etag.len()))
        .filter(|etag| etag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
        .ok_or_else(|| protocol("it sends no usable ETag"))?;
    let size = text(headers, "x-linked-size").or_else(|| text(headers, "content-length"));
    Ok(Metadata {
        commit: commit.to_owned(),
        etag: etag.to_owned(),
        size: size.and_then(|size| size.parse().ok()),
    })
}

pub(super) fn is_busy(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504)
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

pub(super) fn unreachable(config: &HubConfig, reason: String) -> ModelError {
    ModelError::Unreachable { endpoint: config.endpoint.clone(), reason }
}

/// Without the query, which on a CDN holds a signature.
fn plain(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}
