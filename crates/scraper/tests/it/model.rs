//! Downloads from the hub, when all is well and when not.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use scraper_lib::{
    model::{ModelError, ModelFiles},
    report::Progress,
};

use crate::{
    hub::{COMMIT, FakeHub, Fault, NO_FAULT, REPO, TOKEN, repo_folder, weights_sha256},
    server::Reply,
    support::{finished, png, ran, scraper, tiny_weights},
};

async fn pull(hub: &FakeHub, cache: &Path) -> Result<ModelFiles, ModelError> {
    hub.client(cache).pull(REPO, None, &Progress::hidden()).await
}

fn blob(cache: &Path) -> std::path::PathBuf {
    repo_folder(cache).join("blobs").join(weights_sha256())
}

fn incomplete(cache: &Path) -> std::path::PathBuf {
    blob(cache).with_extension("incomplete")
}

fn assert_whole(cache: &Path, files: &ModelFiles) {
    assert_eq!(fs::read(files.weights.path().unwrap()).unwrap(), tiny_weights());
    assert!(blob(cache).is_file() && !incomplete(cache).exists());
}

#[tokio::test]
async fn the_cache_is_laid_out_as_python_does_and_nothing_is_fetched_twice() {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path();
    let hub = FakeHub::start(NO_FAULT, NO_FAULT);
    let files = pull(&hub, cache).await.unwrap();
    assert_whole(cache, &files);
    assert_eq!(files.revision.as_deref(), Some(COMMIT));
    let repo = repo_folder(cache);
    assert_eq!(fs::read_to_string(repo.join("refs/main")).unwrap(), COMMIT);
    let weights = files.weights.path().unwrap();
    assert_eq!(weights, repo.join("snapshots").join(COMMIT).join("model.safetensors"));
    #[cfg(unix)]
    assert_eq!(fs::read_link(weights).unwrap(), Path::new("../../blobs").join(weights_sha256()));

    let bearer = format!("Bearer {TOKEN}");
    let requests = hub.hub.requests();
    assert!(requests.iter().all(|r| r.header("authorization") == Some(&bearer)));
    let cdn = hub.cdn.requests();
    assert_eq!(cdn.len(), 1);
    assert_eq!(cdn[0].header("authorization"), None, "the token stays on the hub");

    pull(&hub, cache).await.unwrap();
    assert_eq!(hub.cdn.requests().len(), 1);
}

#[tokio::test]
async fn a_cut_connection_is_resumed_where_it_ended() {
    let dir = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(NO_FAULT, |request, before| match before {
        0 => Some(Reply::ranged(request, tiny_weights()).cut(100_000)),
        1 => Some(Reply::ranged(request, tiny_weights()).cut(50_000)),
        _ => None,
    });
    let files = pull(&hub, dir.path()).await.unwrap();
    assert_whole(dir.path(), &files);
    assert_eq!(hub.ranges(), [None, Some(100_000), Some(150_000)]);
}

#[tokio::test]
async fn a_later_process_resumes_what_an_earlier_one_left() {
    let dir = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(NO_FAULT, |request, before| match before {
        0 => Some(Reply::ranged(request, tiny_weights()).cut(70_000)),
        1 => Some(Reply::status(404)),
        _ => None,
    });
    assert!(pull(&hub, dir.path()).await.is_err());
    assert_eq!(fs::metadata(incomplete(dir.path())).unwrap().len(), 70_000);
    let files = pull(&hub, dir.path()).await.unwrap();
    assert_whole(dir.path(), &files);
    assert_eq!(hub.ranges(), [None, Some(70_000), Some(70_000)]);
}

#[tokio::test]
async fn a_server_without_ranges_starts_over_and_a_damaged_part_does_too() {
    let dir = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(NO_FAULT, |_, before| match before {
        0 => Some(Reply::ok(tiny_weights()).cut(70_000)),
        _ => Some(Reply::ok(tiny_weights())),
    });
    let files = pull(&hub, dir.path()).await.unwrap();
    assert_whole(dir.path(), &files);

    let dir = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(NO_FAULT, NO_FAULT);
    fs::create_dir_all(blob(dir.path()).parent().unwrap()).unwrap();
    fs::write(incomplete(dir.path()), vec![7; 5000]).unwrap();
    let files = pull(&hub, dir.path()).await.unwrap();
    assert_whole(dir.path(), &files);
    assert_eq!(hub.ranges(), [Some(5000), None], "the hash told that the part was no good");
}

#[tokio::test]
async fn a_wrong_hash_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(NO_FAULT, |_, _| {
        let mut wrong = tiny_weights().to_vec();
        wrong[1_000_000] ^= 1;
        Some(Reply::ok(wrong))
    });
    let error = pull(&hub, dir.path()).await.unwrap_err();
    assert_eq!(error.kind(), "model.damaged");
    let text = error.to_string();
    assert!(text.contains("sha256") && text.contains(&weights_sha256()), "{text}");
    assert!(!blob(dir.path()).exists() && !incomplete(dir.path()).exists());
    assert_eq!(hub.cdn.requests().len(), 2, "once more from zero, then it gives up");
}

#[tokio::test]
async fn a_pinned_file_that_differs_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(
        |request, _| {
            let commit = request.path.split('/').nth(4)?;
            let reply = Reply::ok("{}").header("x-repo-commit", commit);
            Some(reply.header("etag", format!("\"{}\"", "c".repeat(40))))
        },
        NO_FAULT,
    );
    let client = hub.client(dir.path());
    let repo = scraper_lib::config::DEFAULT_MODEL;
    let error = client.pull(repo, None, &Progress::hidden()).await.unwrap_err().to_string();
    assert!(error.contains("config.json") && error.contains("b575ef3c36f2a057"), "{error}");
}

#[tokio::test]
async fn answers_that_pass_are_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(
        |request, before| match (request.path.ends_with("config.json"), before) {
            (true, 0) => Some(Reply::status(503)),
            (true, 1) => Some(Reply::status(429).header("retry-after", "1")),
            _ => None,
        },
        |_, before| (before == 0).then(|| Reply::status(503)),
    );
    let started = Instant::now();
    let files = pull(&hub, dir.path()).await.unwrap();
    assert_whole(dir.path(), &files);
    assert!(started.elapsed() >= Duration::from_secs(2), "two files were told to wait 1 s");
}

#[tokio::test]
async fn a_hub_that_stays_busy_is_named_after_some_attempts() {
    let dir = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(|_, _| Some(Reply::status(503)), NO_FAULT);
    let error = pull(&hub, dir.path()).await.unwrap_err();
    assert!(error.to_string().contains("503, 5 times"), "{error}");
    assert_eq!(hub.hub.requests().len(), 5);
}

fn portal() -> Reply {
    let page = "<!DOCTYPE html><title>Welcome to the hotel</title>";
    Reply::ok(page).header("content-type", "text/html; charset=utf-8")
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let text = async |fault| {
        let dir = tempfile::tempdir().unwrap();
        let hub = FakeHub::start(fault, NO_FAULT);
        pull(&hub, dir.path()).await.unwrap_err().to_string()
    };
    let gated = text(|_, _| {
        let reply = Reply::status(403).header("x-error-code", "GatedRepo");
        // A C1 control character (U+009B, "CSI") would speak to the terminal.
        Some(reply.header("x-error-message", "Ask for access\u{9b}2J to org/tiny."))
    })
    .await;
    assert!(gated.contains("org/tiny is gated: accept its terms at http://127"), "{gated}");
    assert!(gated.contains("HF_TOKEN") && gated.contains("Ask for access2J to org"), "{gated}");
    let forbidden = text(|_, _| Some(Reply::status(403))).await;
    assert!(forbidden.contains("may not be read: the token in HF_TOKEN"), "{forbidden}");
    let token = text(|_, _| {
        let said = "Invalid credentials in Authorization header";
        Some(Reply::status(401).header("x-error-message", said))
    })
    .await;
    assert!(token.contains("does not know the token in HF_TOKEN"), "{token}");
    assert!(token.contains("Invalid credentials"), "{token}");
    for fault in [
        // In place of the list, of a small file, and of the weights.
        (|_, _| Some(portal())) as Fault,
        |request, _| request.path.ends_with("/config.json").then(portal),
        |request, _| {
            let weights = request.path.ends_with(".safetensors") && request.method == "GET";
            weights.then(portal)
        },
    ] {
        let text = text(fault).await;
        assert!(text.contains("web page instead of a file: a captive portal"), "{text}");
    }
    let repo = text(|_, _| Some(Reply::status(401).header("x-error-code", "RepoNotFound"))).await;
    assert!(repo.contains("there is no model org/tiny"), "{repo}");
    let revision =
        text(|_, _| Some(Reply::status(404).header("x-error-code", "RevisionNotFound"))).await;
    assert!(revision.contains("org/tiny has no revision \"main\""), "{revision}");
    let file = text(|request, _| {
        let config = request.path.ends_with("/config.json");
        config.then(|| Reply::status(404).header("x-error-code", "EntryNotFound"))
    })
    .await;
    assert!(file.contains("has no file config.json") && file.contains(COMMIT), "{file}");
}

#[tokio::test]
async fn names_from_the_server_cannot_leave_the_cache() {
    let dir = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(
        |request, _| {
            let commit = request.path.contains("resolve").then_some(COMMIT)?;
            let reply = Reply::ok("x").header("x-repo-commit", commit);
            Some(reply.header("etag", "\"../../../evil\""))
        },
        NO_FAULT,
    );
    let error = pull(&hub, dir.path()).await.unwrap_err();
    assert_eq!(error.kind(), "model.protocol", "{error}");
}

fn command(hub: &FakeHub, folder: &Path, args: &[&str]) -> Command {
    let mut command = scraper(folder);
    command.env_remove("HF_HUB_OFFLINE").env("HF_ENDPOINT", &hub.hub.url);
    command.args(args);
    command
}

#[test]
fn two_processes_download_once() {
    let dir = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(NO_FAULT, |request, _| {
        Some(Reply::ranged(request, tiny_weights()).delay(Duration::from_millis(700)))
    });
    let children = [(); 2].map(|()| {
        let mut command = command(&hub, dir.path(), &["model", "pull", REPO]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    for child in children {
        let ran = finished(child.wait_with_output().unwrap()).expect(0);
        assert!(ran.text().contains("model.safetensors"), "{}", ran.text());
    }
    assert_eq!(hub.cdn.requests().len(), 1);
}

#[test]
fn pulled_once_the_model_works_offline() {
    let dir = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(NO_FAULT, NO_FAULT);
    ran(&mut command(&hub, dir.path(), &["model", "pull", REPO])).expect(0);
    let before = hub.hub.requests().len();

    fs::write(dir.path().join("a.png"), png(1)).unwrap();
    fs::write(dir.path().join(".env"), format!("EMBEDDINGS_MODEL={REPO}\n")).unwrap();
    let embed = ["embed", "a.png", "--format", "jsonl"];
    let line = ran(scraper(dir.path()).args(embed)).expect(0).lines().remove(0);
    assert_eq!(line["provenance"]["model"], REPO);
    assert_eq!(line["provenance"]["revision"], COMMIT);

    let online = command(&hub, dir.path(), &embed).output().unwrap();
    assert!(online.status.success());
    assert_eq!(hub.hub.requests().len(), before, "the cache comes before the hub");

    let list = ran(scraper(dir.path()).args(["model", "list"])).expect(0).text();
    assert!(list.contains(&format!("{REPO}@{COMMIT}")), "{list}");
    let info = ran(scraper(dir.path()).args(["model", "info", REPO, "--verify"])).expect(0).text();
    assert!(info.contains("SHA-256 of 1 files matches"), "{info}");

    let blob = blob(&dir.path().join(".cache/huggingface/hub"));
    let mut bytes = fs::read(&blob).unwrap();
    bytes[500_000] ^= 1;
    fs::write(&blob, bytes).unwrap();
    let info = ran(scraper(dir.path()).args(["model", "info", REPO, "--verify"])).expect(1);
    assert!(info.stderr.contains("is damaged"), "{}", info.stderr);
    assert!(info.stderr.contains(&format!("`scraper model pull {REPO}`")), "{}", info.stderr);

    // What the message advises helps; and a small file that is cut short is noticed too.
    let config = repo_folder(&dir.path().join(".cache/huggingface/hub"));
    let config = config.join("snapshots").join(COMMIT).join("config.json").canonicalize().unwrap();
    fs::write(&config, "{").unwrap();
    let pulled = ran(&mut command(&hub, dir.path(), &["model", "pull", REPO])).expect(0);
    assert!(
        pulled.stderr.contains("model.safetensors in the cache is damaged"),
        "{}",
        pulled.stderr
    );
    ran(scraper(dir.path()).args(["model", "info", REPO, "--verify"])).expect(0);
    ran(scraper(dir.path()).args(embed)).expect(0);
}

#[test]
fn a_hub_that_cannot_be_reached_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let hub = FakeHub::start(|_, _| Some(Reply::status(404)), NO_FAULT);
    let missing = ran(&mut command(&hub, dir.path(), &["model", "pull", "org/other"])).expect(1);
    assert!(
        missing.stderr.contains("there is no model org/other on http://"),
        "{}",
        missing.stderr
    );
    let info = ran(&mut command(&hub, dir.path(), &["model", "info", "org/other"])).expect(1);
    assert!(info.stderr.contains("scraper model pull org/other"), "{}", info.stderr);
}
