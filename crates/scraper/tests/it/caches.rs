//! Hubs and caches as they are: limits, mirrors, expired links, and what Python leaves.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use scraper_lib::{
    config::{DEFAULT_MODEL, HubConfig},
    model::Hub,
    report::Progress,
};
use serde_json::Value;

use crate::{
    hub::{COMMIT, FakeHub, NO_FAULT, REPO, files, repo_folder, weights_sha256},
    server::{Reply, Request, Server},
    support::{png, ran, scraper, tiny_model, tiny_weights},
};

fn online(hub: &str, folder: &Path, args: &[&str]) -> Command {
    let mut command = scraper(folder);
    command.env_remove("HF_HUB_OFFLINE").env("HF_ENDPOINT", hub).args(args);
    command
}

fn offline(folder: &Path, args: &[&str]) -> Command {
    let mut command = scraper(folder);
    command.args(args);
    command
}

/// Where the program, run in `folder`, has `org/tiny`.
fn cached(folder: &Path) -> PathBuf {
    repo_folder(&folder.join(".cache/huggingface/hub"))
}

fn snapshot(folder: &Path) -> PathBuf {
    cached(folder).join("snapshots").join(COMMIT)
}

/// What `embed` says of a picture.
fn embed(folder: &Path, command: &mut Command) -> Value {
    fs::write(folder.join("a.png"), png(1)).unwrap();
    let args = ["embed", "a.png", "--format", "jsonl"];
    ran(command.args(args)).expect(0).lines().remove(0)
}

#[test]
fn a_limit_is_waited_for_and_a_token_recommended() {
    let dir = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(
        |request, before| {
            let limited = before == 0 && request.path.ends_with("/config.json");
            let limit = "\"resolvers\";r=0;t=2";
            (limited && request.method == "HEAD")
                .then(|| Reply::status(429).header("ratelimit", limit))
        },
        NO_FAULT,
    );
    let started = Instant::now();
    let pulled = ran(&mut online(&hub.hub.url, dir.path(), &["model", "pull", REPO])).expect(0);
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    let told = "limits the number of requests: going on in 2 s (a token in HF_TOKEN raises";
    assert!(pulled.stderr.contains(told), "{}", pulled.stderr);
}

#[tokio::test]
async fn a_redirect_that_does_not_tell_the_size_is_fine() {
    let dir = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(
        |request, _| {
            (request.method == "HEAD" && request.path.ends_with(".safetensors")).then(|| {
                // Its own length, not that of the file.
                let reply = Reply::ok("Found. Redirecting to the CDN").code(302);
                let reply = reply.header("x-repo-commit", COMMIT).header("location", "/cdn");
                reply.header("x-linked-etag", format!("\"{}\"", weights_sha256()))
            })
        },
        NO_FAULT,
    );
    let files = hub.client(dir.path()).pull(REPO, None, &Progress::hidden()).await.unwrap();
    assert_eq!(fs::read(files.weights.path().unwrap()).unwrap(), tiny_weights());
}

#[tokio::test]
async fn a_mirror_that_redirects_to_another_hub_keeps_the_token() {
    for status in [307, 308] {
        let dir = tempfile::tempdir().unwrap();
        let hub = FakeHub::start(NO_FAULT, NO_FAULT);
        let to = hub.hub.url.clone();
        let mirror = Server::start(move |request| {
            Reply::status(status).header("location", format!("{to}{}", request.path))
        });
        let config = HubConfig { endpoint: mirror.url.clone(), ..hub.config(dir.path()) };
        let files = Hub::new(&config).unwrap().pull(REPO, None, &Progress::hidden()).await.unwrap();
        assert_eq!(fs::read(files.weights.path().unwrap()).unwrap(), tiny_weights());
        let has_token = |request: &Request| request.header("authorization").is_some();
        assert!(mirror.requests().iter().all(has_token));
        assert!(!hub.hub.requests().is_empty() && !hub.hub.requests().iter().any(has_token));
        assert!(!hub.cdn.requests().iter().any(has_token));
    }
}

#[tokio::test]
async fn a_link_that_expires_is_asked_for_again() {
    for status in [403, 410] {
        let dir = tempfile::tempdir().unwrap();
        let hub = match status {
            403 => FakeHub::start(NO_FAULT, |request, before| match before {
                0 => Some(Reply::ranged(request, tiny_weights()).cut(70_000)),
                1 => Some(Reply::ok("<Error>Request has expired</Error>").code(403)),
                _ => None,
            }),
            _ => FakeHub::start(NO_FAULT, |_, before| (before == 0).then(|| Reply::status(410))),
        };
        let files = hub.client(dir.path()).pull(REPO, None, &Progress::hidden()).await.unwrap();
        assert_eq!(fs::read(files.weights.path().unwrap()).unwrap(), tiny_weights());
        if status == 403 {
            assert_eq!(hub.ranges(), [None, Some(70_000), Some(70_000)]);
        }
    }
}

/// Python puts blobs that several repositories share into a store, by another hash than SHA-256.
#[test]
#[cfg(unix)]
fn blobs_in_the_shared_store_are_not_called_damaged() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(NO_FAULT, NO_FAULT);
    ran(&mut online(&hub.hub.url, dir.path(), &["model", "pull", REPO])).expect(0);
    let blob = cached(dir.path()).join("blobs").join(weights_sha256());
    let xet = "ab".repeat(32);
    let store = dir.path().join(".cache/huggingface/hub/blobs/ab");
    fs::create_dir_all(&store).unwrap();
    fs::rename(&blob, store.join(&xet)).unwrap();
    symlink(Path::new("../../blobs/ab").join(&xet), &blob).unwrap();

    let info = ["model", "info", REPO, "--verify"];
    let text = ran(&mut offline(dir.path(), &info)).expect(0).text();
    assert!(text.contains("SHA-256 of 1 files matches"), "{text}");
    embed(dir.path(), offline(dir.path(), &[]).env("EMBEDDINGS_MODEL", REPO));

    // And one that is, is replaced here without touching the store.
    let mut bytes = fs::read(store.join(&xet)).unwrap();
    bytes[500_000] ^= 1;
    fs::write(store.join(&xet), &bytes).unwrap();
    ran(&mut offline(dir.path(), &info)).expect(1);
    ran(&mut online(&hub.hub.url, dir.path(), &["model", "pull", REPO])).expect(0);
    ran(&mut offline(dir.path(), &info)).expect(0);
    assert_eq!(fs::read(store.join(&xet)).unwrap(), bytes);
}

/// A cache that holds what `CLIPModel.from_pretrained` alone downloads.
fn config_and_weights(folder: &Path) {
    let snapshot = snapshot(folder);
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(cached(folder).join("refs")).unwrap();
    fs::write(cached(folder).join("refs/main"), COMMIT).unwrap();
    for name in ["config.json", "model.safetensors"] {
        fs::write(snapshot.join(name), &files()[name]).unwrap();
    }
}

#[test]
fn a_cache_that_lacks_files_is_completed_from_the_hub() {
    let dir = tempfile::tempdir().unwrap();
    config_and_weights(dir.path());
    let mut all = files();
    let settings = r#"{"size": 32, "crop_size": 32, "image_mean": [0.5, 0.5, 0.5]}"#;
    all.insert("preprocessor_config.json".into(), settings.into());
    let hub = FakeHub::serve(all, NO_FAULT, NO_FAULT);

    let model = ["--model", REPO];
    fs::write(dir.path().join("a.png"), png(1)).unwrap();
    let lacking = ran(offline(dir.path(), &["embed", "a.png"]).args(model)).expect(1).stderr;
    assert!(lacking.contains("preprocessor_config.json"), "{lacking}");
    assert!(lacking.contains(&format!("`scraper model pull {REPO}`")), "{lacking}");
    let lacking = ran(offline(dir.path(), &["embed", "--text", "a"]).args(model)).expect(1).stderr;
    assert!(lacking.contains("has no tokenizer.json"), "{lacking}");

    let line =
        embed(dir.path(), online(&hub.hub.url, dir.path(), &[]).env("EMBEDDINGS_MODEL", REPO));
    let label = line["provenance"]["preprocessing"].as_str().unwrap();
    assert!(label.contains("mean=[0.5, 0.5, 0.5]"), "{label}");
    assert!(hub.cdn.requests().is_empty(), "the weights are there");

    // What the repository has not is remembered.
    let asked = hub.hub.requests().len();
    embed(dir.path(), online(&hub.hub.url, dir.path(), &[]).env("EMBEDDINGS_MODEL", REPO));
    assert_eq!(hub.hub.requests().len(), asked);
    let text = ["embed", "--text", "a red dress"];
    let noted = ran(offline(dir.path(), &text).args(model)).expect(0).stderr;
    assert!(noted.contains("CLIP's own tokenizer"), "{noted}");
}

/// All files below, with their sizes.
fn listing(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(listing(&path)),
            false => found.push((path.clone(), fs::symlink_metadata(&path).unwrap().len())),
        }
    }
    found.sort();
    found
}

#[test]
fn a_complete_cache_is_only_read() {
    let dir = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(NO_FAULT, NO_FAULT);
    ran(&mut online(&hub.hub.url, dir.path(), &["model", "pull", REPO])).expect(0);
    let cache = dir.path().join(".cache");
    fs::remove_dir_all(cache.join("huggingface/hub/.locks")).unwrap();
    let before = listing(&cache);
    embed(dir.path(), offline(dir.path(), &[]).env("EMBEDDINGS_MODEL", REPO));
    embed(dir.path(), online(&hub.hub.url, dir.path(), &[]).env("EMBEDDINGS_MODEL", REPO));
    // Also where somebody else answers for its completeness.
    ran(&mut online(&hub.hub.url, dir.path(), &["model", "pull", REPO])).expect(0);
    assert_eq!(listing(&cache), before);
}

#[test]
fn what_transformers_5_saves_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let model = tiny_model(dir.path());
    let vector = || {
        let mut command = offline(dir.path(), &[]);
        let line = embed(dir.path(), command.env("EMBEDDINGS_MODEL", &model));
        (line["provenance"]["preprocessing"].clone(), line["embedding"].clone())
    };
    let clip = vector();
    let settings = r#"{"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
        "resample": 3, "size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}"#;
    let nested =
        format!(r#"{{"processor_class": "CLIPProcessor", "image_processor": {settings}}}"#);
    // The nested settings win over the file beside it.
    fs::write(model.join("processor_config.json"), nested).unwrap();
    let both = vector();
    assert_ne!(both, clip);
    fs::remove_file(model.join("preprocessor_config.json")).unwrap();
    assert_eq!(vector(), both);
    // As the same settings in the older file.
    fs::write(model.join("processor_config.json"), r#"{"processor_class": "CLIPProcessor"}"#)
        .unwrap();
    fs::write(model.join("preprocessor_config.json"), settings).unwrap();
    assert_eq!(vector(), both);
    // Neither tells.
    fs::remove_file(model.join("preprocessor_config.json")).unwrap();
    let mut command = offline(dir.path(), &["embed", "a.png", "--model", "tiny-is-a-folder"]);
    fs::rename(&model, dir.path().join("tiny-is-a-folder")).unwrap();
    let error = ran(&mut command).expect(1).stderr;
    assert!(error.contains("neither preprocessor_config.json nor"), "{error}");
}

/// The pinned default has its weights at another commit than the rest, and Python looks for all of
/// it where `main` is.
#[test]
#[cfg(unix)]
fn a_pinned_model_needs_no_more_than_config_and_weights_offline() {
    let dir = tempfile::tempdir().unwrap();
    let repo = dir.path().join(".cache/huggingface/hub/models--openai--clip-vit-base-patch32");
    let main = "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268";
    let snapshot = repo.join("snapshots").join(main);
    fs::create_dir_all(&snapshot).unwrap();
    fs::create_dir_all(repo.join("refs")).unwrap();
    fs::write(repo.join("refs/main"), main).unwrap();
    for name in ["config.json", "model.safetensors"] {
        fs::write(snapshot.join(name), &files()[name]).unwrap();
    }
    let command = || {
        let mut command = offline(dir.path(), &["embed", "--format", "jsonl", "--text", "a"]);
        command.args(["--model", DEFAULT_MODEL]);
        command
    };
    // What the files that are missing say is known: that is told, and no error.
    let text = ran(&mut command()).expect(0);
    assert!(text.stderr.contains("CLIP's own tokenizer"), "{}", text.stderr);
    fs::write(dir.path().join("a.png"), png(1)).unwrap();
    let both = ran(command().arg("a.png")).expect(0);
    assert!(both.stderr.contains("preprocessor_config.json of openai"), "{}", both.stderr);
    assert!(both.lines()[0]["provenance"]["tokenizer"].as_str().unwrap().len() == 64);
}
