//! A stand-in for the Hugging Face hub and its CDN.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use scraper_lib::{config::HubConfig, fetch::Retry, model::Hub};
use sha2::{Digest, Sha256};

use crate::{
    server::{Reply, Request, Server},
    support::{PREPROCESSOR, tiny_config, tiny_weights},
};

pub(crate) const REPO: &str = "org/tiny";
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Another of its commits.
pub(crate) const OTHER: &str = "89abcdef0123456789abcdef0123456789abcdef";
pub(crate) const TOKEN: &str = "hf_secret";

/// What may go wrong: sees the request and how many like it (method and path) came before.
pub(crate) type Fault = fn(&Request, usize) -> Option<Reply>;

pub(crate) const NO_FAULT: Fault = |_, _| None;

pub(crate) struct FakeHub {
    pub(crate) hub: Server,
    pub(crate) cdn: Server,
}

impl FakeHub {
    /// `org/tiny` at [`COMMIT`], the branch `main`; weights are redirected to the CDN.
    pub(crate) fn start(hub_fault: Fault, cdn_fault: Fault) -> Self {
        Self::serve(files(), hub_fault, cdn_fault)
    }

    /// The same with other files.
    pub(crate) fn serve(files: Files, hub_fault: Fault, cdn_fault: Fault) -> Self {
        let (count, stored) = (counter(), files.clone());
        let cdn = Server::start(move |request| {
            let before = count(request);
            cdn_fault(request, before).unwrap_or_else(|| {
                let name = request.path.split(['/', '?']).nth(1).unwrap_or_default();
                stored.get(name).map_or(Reply::status(404), |bytes| Reply::ranged(request, bytes))
            })
        });
        let (count, cdn_url) = (counter(), cdn.url.clone());
        let hub = Server::start(move |request| {
            let before = count(request);
            hub_fault(request, before).unwrap_or_else(|| answer(request, &files, &cdn_url))
        });
        FakeHub { hub, cdn }
    }

    pub(crate) fn config(&self, cache: &Path) -> HubConfig {
        HubConfig {
            endpoint: self.hub.url.clone(),
            token: Some(TOKEN.into()),
            cache: cache.to_owned(),
            offline: false,
        }
    }

    /// A client that does not make the tests wait.
    pub(crate) fn client(&self, cache: &Path) -> Hub {
        let mut hub = Hub::new(&self.config(cache)).unwrap();
        hub.retry = Retry { base: Duration::from_millis(1), ..hub.retry };
        hub
    }

    /// The `Range` headers that the CDN saw.
    pub(crate) fn ranges(&self) -> Vec<Option<usize>> {
        self.cdn.requests().iter().map(Request::range_from).collect()
    }
}

fn counter() -> impl Fn(&Request) -> usize {
    let seen = Arc::new(Mutex::new(HashMap::new()));
    move |request: &Request| {
        let mut seen = seen.lock().unwrap();
        let count = seen.entry((request.method.clone(), request.path.clone())).or_insert(0);
        *count += 1;
        *count - 1
    }
}

pub(crate) fn weights_sha256() -> String {
    sha256(tiny_weights())
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Names and contents.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Of `org/tiny`.
pub(crate) fn files() -> Files {
    [
        ("README.md", b"tiny".to_vec()),
        ("config.json", tiny_config().to_json().into_bytes()),
        ("preprocessor_config.json", PREPROCESSOR.into()),
        ("model.safetensors", tiny_weights().to_vec()),
    ]
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .into()
}

fn answer(request: &Request, files: &Files, cdn: &str) -> Reply {
    let missing = |code| Reply::status(404).header("x-error-code", code);
    if request.path.starts_with(&format!("/api/models/{REPO}/tree/")) {
        return missing("EntryNotFound");
    }
    if request.path.starts_with(&format!("/api/models/{REPO}")) {
        let siblings: Vec<_> =
            files.keys().map(|name| serde_json::json!({"rfilename": name})).collect();
        let info = serde_json::json!({"id": REPO, "sha": COMMIT, "siblings": siblings});
        return Reply::ok(info.to_string()).header("content-type", "application/json");
    }
    let revisions = [("main", COMMIT), (COMMIT, COMMIT), (OTHER, OTHER)];
    let file = revisions.iter().find_map(|(name, commit)| {
        let file = request.path.strip_prefix(&format!("/{REPO}/resolve/{name}/"))?;
        Some((file, *commit))
    });
    let Some((file, commit)) = file else { return missing("RepoNotFound") };
    let Some(bytes) = files.get(file) else {
        return missing("EntryNotFound").header("x-repo-commit", commit);
    };
    let sha256 = sha256(bytes);
    match file.ends_with(".safetensors") {
        // A git hash, as far as anyone can tell.
        false => Reply::ok(bytes.clone())
            .header("x-repo-commit", commit)
            .header("etag", format!("\"{}\"", &sha256[..40])),
        true => Reply::status(302)
            .header("x-repo-commit", commit)
            .header("x-linked-etag", format!("\"{sha256}\""))
            .header("x-linked-size", bytes.len())
            .header("location", format!("{cdn}/{file}?signature=s")),
    }
}

pub(crate) fn repo_folder(cache: &Path) -> PathBuf {
    cache.join("models--org--tiny")
}
