//! One large file: streamed, resumed, hashed on the way, moved into place when it is right.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use reqwest::{Response, StatusCode, header};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::{
    ModelError,
    answer::{is_busy, is_html, plain, wait_asked},
    cache::create_parent,
    client::{Hub, unreachable},
};
use crate::{
    fetch::describe,
    report::{Progress, Task, Unit},
};

/// Connections per file in all, however many of them made progress.
const MAX_CONNECTIONS: u32 = 1000;

pub(super) struct Download<'a> {
    pub url: &'a str,
    pub size: Option<u64>,
    pub sha256: Option<&'a str>,
    /// Where the bytes gather; kept when the download fails, so that the next one resumes.
    pub incomplete: PathBuf,
    pub target: PathBuf,
    /// Repository, revision and file, for messages.
    pub names: (&'a str, &'a str, &'a str),
}

/// The part at hand: its length, and the hash over it.
struct Part {
    length: u64,
    hasher: Sha256,
}

/// Why one connection ended early.
enum Ended {
    /// Worth another connection, after the wait that the server asked for.
    Retry(String, Option<Duration>),
    Fatal(ModelError),
}

impl Hub {
    pub(super) async fn download(
        &self,
        download: &Download<'_>,
        progress: &Progress,
    ) -> Result<(), ModelError> {
        let write = |source| ModelError::Write { path: download.incomplete.clone(), source };
        create_parent(&download.incomplete).map_err(write)?;
        let mut part = rehash(&download.incomplete).await?;
        let task = progress.task(download.names.2, download.size, Unit::Bytes);
        task.set(part.length);
        let mut restarted = false;
        loop {
            self.fill(download, &mut part, &task).await?;
            let found = hex(&part.hasher.clone().finalize());
            let Some((property, found, expected)) = wrong(download, part.length, found) else {
                break;
            };
            // Once more from zero: the kept part may stem from another version of the file.
            fs::remove_file(&download.incomplete).map_err(write)?;
            if restarted {
                let url = download.url.to_owned();
                return Err(ModelError::Corrupt { url, property, found, expected });
            }
            tracing::warn!("{}: wrong {property} {found}, starting over", download.names.2);
            restarted = true;
            part = Part { length: 0, hasher: Sha256::new() };
            task.set(0);
        }
        fs::rename(&download.incomplete, &download.target)
            .map_err(|source| ModelError::Write { path: download.target.clone(), source })?;
        task.finish();
        Ok(())
    }

    /// Connects until the announced size is reached or connections stop bringing anything.
    async fn fill(
        &self,
        download: &Download<'_>,
        part: &mut Part,
        task: &Task,
    ) -> Result<(), ModelError> {
        let mut failures = 0;
        for _ in 0..MAX_CONNECTIONS {
            if part.length > 0 && download.size == Some(part.length) {
                return Ok(());
            }
            let before = part.length;
            let (reason, wait) = match self.connect(download, part, task).await {
                Ok(()) => return Ok(()),
                Err(Ended::Fatal(error)) => return Err(error),
                Err(Ended::Retry(reason, wait)) => (reason, wait),
            };
            failures = if part.length > before { 1 } else { failures + 1 };
            if failures >= self.retry.attempts {
                let url = download.url.to_owned();
                return Err(ModelError::Cut { url, attempts: failures, reason });
            }
            let wait = self.retry.wait(failures, wait);
            tracing::info!("{}: {reason}; going on in {wait:.1?}", download.names.2);
            tokio::time::sleep(wait).await;
        }
        let reason = "too many connections".into();
        Err(ModelError::Cut { url: download.url.to_owned(), attempts: MAX_CONNECTIONS, reason })
    }

    /// One connection: asks for the missing rest and appends what comes.
    async fn connect(
        &self,
        download: &Download<'_>,
        part: &mut Part,
        task: &Task,
    ) -> Result<(), Ended> {
        let from = part.length;
        let request = || match from {
            0 => self.get.get(download.url),
            _ => self.get.get(download.url).header(header::RANGE, format!("bytes={from}-")),
        };
        let mut response = self.send_once(request()).await?;
        // Links to the CDN are good for some minutes or an hour; the hub gives a new one.
        let redirected = response.url().as_str() != download.url;
        match response.status() {
            status if status.is_success() && is_html(response.headers()) => {
                let url = plain(response.url());
                return Err(Ended::Fatal(ModelError::Portal { url }));
            }
            status @ (StatusCode::FORBIDDEN | StatusCode::GONE) if redirected => {
                let reason = format!("the link to the file has expired (it answered {status})");
                return Err(Ended::Retry(reason, None));
            }
            StatusCode::PARTIAL_CONTENT if range_start(&response) == Some(from) => {}
            // The whole file (no ranges here), or a part that cannot be continued.
            StatusCode::OK if from == 0 => {}
            StatusCode::OK => restart(download, part, task)?,
            StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT => {
                restart(download, part, task)?;
                return Err(Ended::Retry(
                    "the server cannot continue the part at hand".into(),
                    None,
                ));
            }
            status if is_busy(status) => {
                let reason = format!("the server answered {status}");
                let asked = wait_asked(response.headers());
                self.tell_limit(status, asked);
                return Err(Ended::Retry(reason, asked));
            }
            _ => {
                let (repo, revision, file) = download.names;
                return Err(Ended::Fatal(self.refused(&response, repo, revision, Some(file))));
            }
        }
        let write =
            |source| Ended::Fatal(ModelError::Write { path: download.incomplete.clone(), source });
        let mut append = tokio::fs::OpenOptions::new();
        append.create(true).append(true);
        let file = append.open(&download.incomplete).await.map_err(write)?;
        let mut out = tokio::io::BufWriter::with_capacity(1 << 20, file);
        let ended = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    out.write_all(&chunk).await.map_err(write)?;
                    part.hasher.update(&chunk);
                    part.length += chunk.len() as u64;
                    task.set(part.length);
                    // A server that sends more than it announced must not fill the disk.
                    if download.size.is_some_and(|size| part.length > size) {
                        break Ok(());
                    }
                }
                Ok(None) if download.size.is_some_and(|size| part.length < size) => {
                    break Err(Ended::Retry("the connection closed early".into(), None));
                }
                Ok(None) => break Ok(()),
                Err(e) => break Err(Ended::Retry(describe(&e), None)),
            }
        };
        // What arrived is kept, whatever happened.
        out.flush().await.map_err(write)?;
        if ended.is_ok() {
            out.get_ref().sync_all().await.map_err(write)?;
        }
        ended
    }

    async fn send_once(&self, request: reqwest::RequestBuilder) -> Result<Response, Ended> {
        match self.authorized(request).send().await {
            Ok(response) => Ok(response),
            Err(e) if e.is_builder() || e.is_redirect() => {
                Err(Ended::Fatal(unreachable(&self.config, describe(&e))))
            }
            Err(e) => Err(Ended::Retry(describe(&e), None)),
        }
    }
}

/// The first property of the complete file that is not as expected.
fn wrong(
    download: &Download<'_>,
    length: u64,
    sha256: String,
) -> Option<(&'static str, String, String)> {
    match (download.size, download.sha256) {
        (Some(size), _) if size != length => Some(("size", length.to_string(), size.to_string())),
        (_, Some(expected)) if expected != sha256 => Some(("sha256", sha256, expected.into())),
        _ => None,
    }
}

fn restart(download: &Download<'_>, part: &mut Part, task: &Task) -> Result<(), Ended> {
    let emptied = fs::File::create(&download.incomplete);
    emptied.map_err(|source| {
        Ended::Fatal(ModelError::Write { path: download.incomplete.clone(), source })
    })?;
    *part = Part { length: 0, hasher: Sha256::new() };
    task.set(0);
    Ok(())
}

/// Start of a 206's `Content-Range: bytes 5-9/10` (RFC 9110, section 14.4).
fn range_start(response: &Response) -> Option<u64> {
    let range = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.trim().strip_prefix("bytes ")?.split('-').next()?.trim().parse().ok()
}

/// Length and hash of what an earlier run left.
async fn rehash(path: &Path) -> Result<Part, ModelError> {
    let path = path.to_owned();
    let part = tokio::task::spawn_blocking(move || match fs::File::open(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            Ok(Part { length: 0, hasher: Sha256::new() })
        }
        Err(source) => Err(ModelError::Read { path, source }),
        Ok(mut file) => {
            let mut part = Part { length: 0, hasher: Sha256::new() };
            let mut buffer = vec![0; 1 << 20];
            loop {
                match file.read(&mut buffer) {
                    Ok(0) => break Ok(part),
                    Ok(n) => {
                        part.hasher.update(buffer.get(..n).unwrap_or_default());
                        part.length += n as u64;
                    }
                    Err(source) => break Err(ModelError::Read { path, source }),
                }
            }
        }
    });
    part.await.unwrap_or_else(|_| Ok(Part { length: 0, hasher: Sha256::new() }))
}

/// Holds the lock of one blob (`flock`, as Python's `filelock` does), so that two processes
/// don't download the same file.
pub(super) async fn acquire_lock(
    path: &Path,
    file: &str,
    progress: &Progress,
) -> Result<fs::File, ModelError> {
    let write = |source| ModelError::Write { path: path.to_owned(), source };
    create_parent(path).map_err(write)?;
    let lock = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(write)?;
    let mut told = false;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(fs::TryLockError::WouldBlock) => {
                if !told {
                    progress.note(&format!("waiting for another process that downloads {file}"));
                    told = true;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(fs::TryLockError::Error(e)) => {
                // Some network file systems have no locks; the hash still guards the result.
                tracing::warn!("no lock on {}: {e}", path.display());
                return Ok(lock);
            }
        }
    }
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
