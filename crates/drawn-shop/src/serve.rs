//! A folder over HTTP on localhost, with what image hosts do: ETag, Last-Modified, conditional
//! requests and byte ranges (RFC 9110); and, where there is a shop front in it, what shops do:
//! `/products/ID` is a page, `/products.json?limit=L&page=P` is a part of the list.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::{Component, Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use axum::{
    Router,
    body::Body,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri, header, response::Builder},
    response::{IntoResponse, Response},
};
use tokio::sync::oneshot;

use crate::etag::{Stamp, Tags, etag};

/// A running server; dropping it stops it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    counts: Arc<Counts>,
    /// Dropped first: tells the server's thread to end.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

/// How requests were answered.
#[derive(Debug, Default)]
struct Counts {
    full: AtomicU64,
    partial: AtomicU64,
    not_modified: AtomicU64,
    failed: AtomicU64,
    log: Mutex<Vec<Logged>>,
}

/// A request and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// Path and query.
    pub target: String,
    /// Whether it asked for changes only.
    pub conditional: bool,
    /// HTTP status of the answer.
    pub status: u16,
}

/// How many requests were answered how, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answered {
    /// 200.
    pub full: u64,
    /// 206.
    pub partial: u64,
    /// 304.
    pub not_modified: u64,
    /// 4xx and 5xx.
    pub failed: u64,
}

#[derive(Debug, Clone)]
struct Folder {
    root: PathBuf,
    counts: Arc<Counts>,
    tags: Arc<Tags>,
}

impl Server {
    /// Serves the files under `root` on 127.0.0.1 at `port` (0: any free one), from a thread of
    /// its own, until dropped.
    ///
    /// ```
    /// use std::{io::{Read, Write}, net::TcpStream};
    ///
    /// let dir = tempfile::tempdir()?;
    /// std::fs::write(dir.path().join("a.txt"), "red dress")?;
    /// let server = drawn_shop::serve::Server::start(dir.path(), 0)?;
    ///
    /// let mut stream = TcpStream::connect(server.address())?;
    /// stream.write_all(b"GET /a.txt HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    /// let mut answer = String::new();
    /// stream.read_to_string(&mut answer)?;
    /// assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("red dress"));
    /// assert_eq!(server.answered().full, 1);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// There is no such folder, or the port is taken.
    pub fn start(root: &Path, port: u16) -> io::Result<Self> {
        let root = root.canonicalize()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let counts = Arc::new(Counts::default());
        let folder = Folder { root, counts: Arc::clone(&counts), tags: Arc::default() };
        let app = Router::new().fallback(answer).with_state(folder);
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                tokio::select! {
                    _ = async { axum::serve(listener, app).await } => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        Ok(Server { address, counts, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`, without a final slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked and answered since the last call.
    pub fn take_log(&self) -> Vec<Logged> {
        std::mem::take(&mut *self.counts.log.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many requests were answered how, so far.
    pub fn answered(&self) -> Answered {
        let get = |n: &AtomicU64| n.load(Ordering::Relaxed);
        Answered {
            full: get(&self.counts.full),
            partial: get(&self.counts.partial),
            not_modified: get(&self.counts.not_modified),
            failed: get(&self.counts.failed),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panicked server has already printed why.
            let _ = thread.join();
        }
    }
}

async fn answer(
    State(folder): State<Folder>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let response = file(&folder, &method, &uri, &headers).await;
    let counter = match response.status() {
        StatusCode::NOT_MODIFIED => &folder.counts.not_modified,
        StatusCode::PARTIAL_CONTENT => &folder.counts.partial,
        status if status.is_success() => &folder.counts.full,
        _ => &folder.counts.failed,
    };
    counter.fetch_add(1, Ordering::Relaxed);
    let logged = Logged {
        target: uri.to_string(),
        conditional: headers.contains_key(header::IF_NONE_MATCH)
            || headers.contains_key(header::IF_MODIFIED_SINCE),
        status: response.status().as_u16(),
    };
    folder.counts.log.lock().unwrap_or_else(PoisonError::into_inner).push(logged);
    response
}

async fn file(folder: &Folder, method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let relative = Path::new(uri.path().trim_start_matches('/'));
    // Names of drawn shops need no percent-decoding; anything but plain components is refused.
    if !relative.components().all(|c| matches!(c, Component::Normal(_))) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let mut path = folder.root.join(relative);
    let mut found = Stamp::of(&path).await;
    if found.is_none() && path.extension().is_none() {
        path.set_extension("html");
        found = Stamp::of(&path).await;
    }
    let Some(stamp) = found else { return StatusCode::NOT_FOUND.into_response() };
    let whole = relative != Path::new("products.json");
    let known = if whole { folder.tags.known(&path, &stamp) } else { None };
    let about = About { modified: stamp.modified, content_type: content_type(&path) };
    if let Some(tag) = &known
        && about.unchanged(headers, tag)
    {
        return about.respond(headers, tag, Vec::new());
    }
    let Ok(mut bytes) = tokio::fs::read(&path).await else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if !whole {
        bytes = part(&bytes, uri.query().unwrap_or_default());
    }
    let tag = known.unwrap_or_else(|| etag(&bytes));
    let response = about.respond(headers, &tag, bytes);
    if whole {
        folder.tags.keep(path, stamp, tag);
    }
    response
}

/// A page of a product list, as Shopify's shops count: 30 products unless more are asked for, 250
/// at most.
fn part(list: &[u8], query: &str) -> Vec<u8> {
    let number = |name: &str, usual: usize| {
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.filter(|(n, _)| *n == name).find_map(|(_, v)| v.parse().ok()).unwrap_or(usual)
    };
    let (limit, page) = (number("limit", 30).min(250), number("page", 1).max(1));
    let mut list: serde_json::Value = serde_json::from_slice(list).unwrap_or_default();
    if let Some(products) = list["products"].as_array_mut() {
        let from = limit.saturating_mul(page - 1).min(products.len());
        let to = from.saturating_add(limit).min(products.len());
        *products = products.drain(from..to).collect();
    }
    list.to_string().into_bytes()
}

/// What the headers say of a file that exists.
struct About {
    modified: Option<SystemTime>,
    content_type: &'static str,
}

impl About {
    fn date(&self) -> Option<String> {
        self.modified.map(httpdate::fmt_http_date)
    }

    /// Whether the answer is 304. If-None-Match wins over If-Modified-Since (RFC 9110, 13.2.2).
    fn unchanged(&self, asked: &HeaderMap, tag: &str) -> bool {
        match text(asked, header::IF_NONE_MATCH) {
            Some(tags) => tags.split(',').any(|t| t.trim().trim_start_matches("W/") == tag),
            None => {
                let since = text(asked, header::IF_MODIFIED_SINCE);
                self.modified.is_some() && since == self.date().as_deref()
            }
        }
    }

    /// `bytes` are not looked at where it is unchanged.
    fn respond(&self, asked: &HeaderMap, tag: &str, bytes: Vec<u8>) -> Response {
        let mut base = Response::builder()
            .header(header::ETAG, tag)
            .header(header::ACCEPT_RANGES, "bytes")
            .header(header::CONTENT_TYPE, self.content_type);
        let date = self.date();
        if let Some(date) = &date {
            base = base.header(header::LAST_MODIFIED, date);
        }
        let built = if self.unchanged(asked, tag) {
            base.status(StatusCode::NOT_MODIFIED).body(Body::empty())
        } else {
            let if_range = text(asked, header::IF_RANGE);
            let ranges = if_range.is_none_or(|r| r == tag || Some(r) == date.as_deref());
            let range = text(asked, header::RANGE).filter(|_| ranges);
            body(base, range.and_then(|r| parse(r, bytes.len())), bytes)
        };
        built.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
    }
}

fn text(asked: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    asked.get(name).and_then(|v| v.to_str().ok())
}

/// All of a file, or a range of it as [`parse`] gives it.
fn body(
    base: Builder,
    range: Option<Option<(usize, usize)>>,
    bytes: Vec<u8>,
) -> Result<Response, axum::http::Error> {
    let total = bytes.len();
    match range {
        None => base.body(Body::from(bytes)),
        Some(Some((first, last))) => base
            .status(StatusCode::PARTIAL_CONTENT)
            .header(header::CONTENT_RANGE, format!("bytes {first}-{last}/{total}"))
            .body(Body::from(bytes.get(first..=last).unwrap_or_default().to_vec())),
        Some(None) => base
            .status(StatusCode::RANGE_NOT_SATISFIABLE)
            .header(header::CONTENT_RANGE, format!("bytes */{total}"))
            .body(Body::empty()),
    }
}

/// A single byte range, inclusive. Outer `None`: not one we understand, so the whole file is sent;
/// inner `None`: it lies beyond the file.
fn parse(range: &str, total: usize) -> Option<Option<(usize, usize)>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    let end = total.checked_sub(1);
    let (first, last) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last),
        (Ok(first), Err(_)) if last.is_empty() => (first, usize::MAX),
        (Err(_), Ok(0)) if first.is_empty() => return Some(None),
        (Err(_), Ok(n)) if first.is_empty() => (total.saturating_sub(n), usize::MAX),
        _ => return None,
    };
    Some(end.filter(|end| first <= *end).map(|end| (first, last.min(end))))
}

fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|e| e.to_str()) {
        Some("jpg") => "image/jpeg",
        Some("png") => "image/png",
        Some("webp") => "image/webp",
        Some("jsonl") => "application/jsonl",
        Some("json") => "application/json",
        Some("xml") => "application/xml",
        Some("gz") => "application/gzip",
        Some("txt") => "text/plain; charset=utf-8",
        Some("tsv") => "text/tab-separated-values",
        Some("html") => "text/html; charset=utf-8",
        Some("wasm") => "application/wasm",
        _ => "application/octet-stream",
    }
}
