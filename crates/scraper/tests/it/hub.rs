//! A stand-in for the Hugging Face hub and its CDN.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use scraper::{config::HubConfig, fetch::Retry, model::Hub};
use sha2::{Digest, Sha256};

use crate::{
    server::{Reply, Request, Server},
    support::{PREPROCESSOR, tiny_config, tiny_weights},
};

pub(crate) const REPO: &str = "org/tiny";
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
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
        let count = counter();
        let cdn = Server::start(move |request| {
            let before = count(request);
            cdn_fault(request, before).unwrap_or_else(|| Reply::ranged(request, tiny_weights()))
        });
        let (count, cdn_url) = (counter(), cdn.url.clone());
        let hub = Server::start(move |request| {
            let before = count(request);
            hub_fault(request, before).unwrap_or_else(|| answer(request, &cdn_url))
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
    Sha256::digest(tiny_weights()).iter().map(|b| format!("{b:02x}")).collect()
}

fn answer(request: &Request, cdn: &str) -> Reply {
    if request.path.starts_with(&format!("/api/models/{REPO}/revision/")) {
        let names = ["README.md", "config.json", "preprocessor_config.json", "model.safetensors"];
        let siblings: Vec<_> =
            names.iter().map(|name| serde_json::json!({"rfilename": name})).collect();
        let info = serde_json::json!({"id": REPO, "sha": COMMIT, "siblings": siblings});
        return Reply::ok(info.to_string());
    }
    let missing = |code| Reply::status(404).header("x-error-code", code);
    let Some(file) = request.path.strip_prefix(&format!("/{REPO}/resolve/{COMMIT}/")) else {
        return missing("RepoNotFound");
    };
    let small = |text: String, etag: &str| {
        Reply::ok(text).header("x-repo-commit", COMMIT).header("etag", format!("\"{etag}\""))
    };
    match file {
        "config.json" => small(tiny_config().to_json(), &"a".repeat(40)),
        "preprocessor_config.json" => small(PREPROCESSOR.into(), &"b".repeat(40)),
        "model.safetensors" => Reply::status(302)
            .header("x-repo-commit", COMMIT)
            .header("x-linked-etag", format!("\"{}\"", weights_sha256()))
            .header("x-linked-size", tiny_weights().len())
            .header("location", format!("{cdn}/weights?signature=s")),
        _ => missing("EntryNotFound"),
    }
}

pub(crate) fn repo_folder(cache: &Path) -> PathBuf {
    cache.join("models--org--tiny")
}
