//! Feeds in one file: CSV, TSV, JSONL, and Google Merchant's XML; on disk or on the web, plain or
//! gzip.
//!
//! Needed are an id and an image (several are separated by `|`, or form a JSON array); paths are
//! relative to the feed. `record.rs` lists the names that are understood; every other column
//! becomes an attribute. A record that cannot be read is reported with its number, and reading
//! goes on.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;
use reqwest::Url;
use serde_json::Value;
use tokio::sync::mpsc::Sender;

use super::{
    Base, Product, Running, Source, SourceError, SourceItem,
    columns::Columns,
    json,
    lines::{Ends, Line, Lines, TOO_LONG},
    record::Record,
    settings::FeedSettings,
    table::{Dialect, Row, Table},
    web::{FEED_LIMIT, Wanted, Web},
    wide, xml_list,
};

/// How a feed writes its products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedFormat {
    /// A table with commas, or semicolons.
    Csv,
    /// A table with tabs.
    Tsv,
    /// One JSON object per line.
    Jsonl,
    /// XML: Google Merchant's (RSS 2.0 or Atom), or a list of another shape.
    Merchant,
}

impl FeedFormat {
    /// By the ending of a file name or of the path of an address; `.gz` is looked behind.
    pub fn of(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        match name.rsplit_once('.')?.1 {
            "csv" => Some(FeedFormat::Csv),
            "tsv" | "tab" => Some(FeedFormat::Tsv),
            "jsonl" | "ndjson" => Some(FeedFormat::Jsonl),
            "xml" | "rss" | "atom" => Some(FeedFormat::Merchant),
            _ => None,
        }
    }

    fn accept(self) -> &'static str {
        match self {
            FeedFormat::Csv => "text/csv,*/*;q=0.5",
            FeedFormat::Tsv => "text/tab-separated-values,*/*;q=0.5",
            FeedFormat::Jsonl => "application/jsonl,application/x-ndjson,*/*;q=0.5",
            FeedFormat::Merchant => "application/xml,application/rss+xml,*/*;q=0.5",
        }
    }
}

/// Where a feed is.
#[derive(Debug, Clone)]
enum Place {
    File(PathBuf),
    Url(Url, Web),
}

/// A feed as a [`Source`].
#[derive(Debug)]
pub struct Feed {
    place: Place,
    format: FeedFormat,
    settings: FeedSettings,
}

impl Feed {
    /// A feed on this machine.
    pub fn file(path: &Path, format: FeedFormat) -> Self {
        let settings = FeedSettings::default();
        Feed { place: Place::File(path.to_owned()), format, settings }
    }

    /// A feed on the web.
    pub fn url(url: &Url, format: FeedFormat, web: Web) -> Self {
        let settings = FeedSettings::default();
        Feed { place: Place::Url(url.clone(), web), format, settings }
    }

    pub(super) fn with(self, settings: FeedSettings) -> Self {
        Feed { settings, ..self }
    }

    fn place(&self) -> String {
        match &self.place {
            Place::File(path) => path.display().to_string(),
            Place::Url(url, _) => url.to_string(),
        }
    }

    async fn open(&self) -> Result<Box<dyn BufRead + Send>, SourceError> {
        let (place, limit) = (self.place(), self.settings.max_unpacked);
        let fail = move |source| SourceError::Read { place: place.clone(), source };
        match &self.place {
            Place::File(path) => {
                let path = path.clone();
                let open = move || unpacked(BufReader::new(File::open(&path)?), limit);
                let opened = tokio::task::spawn_blocking(open).await;
                opened.map_err(|e| SourceError::Stopped(e.to_string()))?.map_err(fail)
            }
            Place::Url(url, web) => {
                let accept = self.format.accept();
                let wanted = Wanted { url, accept, limit: FEED_LIMIT, lastmod: None };
                unpacked(Cursor::new(web.packed(&wanted).await?), limit).map_err(fail)
            }
        }
    }
}

/// Unpacked while it is read, where it is gzip; an error where more than `limit` bytes come out.
fn unpacked(
    mut packed: impl BufRead + Send + 'static,
    limit: u64,
) -> io::Result<Box<dyn BufRead + Send>> {
    Ok(match packed.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        true => {
            let plain = Bounded { inner: MultiGzDecoder::new(packed), left: limit, limit };
            Box::new(BufReader::new(plain))
        }
        false => Box::new(packed),
    })
}

/// Ends with an error after `limit` bytes.
struct Bounded<R> {
    inner: R,
    left: u64,
    limit: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(read as u64).ok_or_else(|| {
            let gib = self.limit >> 30;
            io::Error::other(format!("unpacked, it is more than {gib} GiB (max_unpacked_gib)"))
        })?;
        Ok(read)
    }
}

/// Calls `send` for each record until it returns false.
pub(super) fn read(
    place: &str,
    format: FeedFormat,
    settings: &FeedSettings,
    reader: impl BufRead,
    send: &mut dyn FnMut(SourceItem) -> bool,
) -> Result<(), SourceError> {
    if format == FeedFormat::Merchant {
        return xml_list::read(place, reader, &settings.mapping, send); // which says what it is in
    }
    let reader = wide::decoded(reader)
        .map_err(|source| SourceError::Read { place: place.to_owned(), source })?;
    match format {
        FeedFormat::Csv => read_table(place, Dialect::CSV, settings, reader, send),
        FeedFormat::Tsv => read_table(place, Dialect::TSV, settings, reader, send),
        FeedFormat::Jsonl | FeedFormat::Merchant => read_jsonl(place, reader, send),
    }
}

fn bad_record(place: &str, record: u64, reason: impl ToString) -> SourceError {
    SourceError::Record { place: place.to_owned(), record, reason: reason.to_string() }
}

fn read_table(
    place: &str,
    dialect: Dialect,
    settings: &FeedSettings,
    reader: impl BufRead,
    send: &mut dyn FnMut(SourceItem) -> bool,
) -> Result<(), SourceError> {
    let format = |reason: String| SourceError::Format { place: place.to_owned(), reason };
    let broken = |source| SourceError::Read { place: place.to_owned(), source };
    let fits = |names: &[String]| Columns::of(names, &settings.columns).is_ok();
    let mut table = Table::open(reader, dialect, &fits).map_err(broken)?.map_err(format)?;
    let (mut columns, [id, image]) =
        Columns::of(table.names(), &settings.columns).map_err(format)?;
    if let Columns::Known(known) = &columns {
        tracing::info!("{place} is a table of {}", known.name);
    }
    table.key_columns(id, image);
    // Rows by their lines, for what is wrong with a product of several.
    let (mut number, mut ready) = (0, Vec::new());
    loop {
        let row = table.next().map_err(broken)?;
        let last = row.is_none();
        match row {
            Some(Row { line, fields: Ok(fields) }) => columns.row(line, fields, &mut ready),
            Some(Row { line, fields: Err(reason) }) => ready.push((line, Err(reason))),
            None => columns.finish(&mut ready),
        }
        number += 1;
        for (line, item) in ready.drain(..) {
            if !send(item.map_err(|e| bad_record(place, number, format!("line {line}: {e}")))) {
                return Ok(());
            }
        }
        if last {
            return Ok(());
        }
    }
}

fn read_jsonl(
    place: &str,
    reader: impl BufRead,
    send: &mut dyn FnMut(SourceItem) -> bool,
) -> Result<(), SourceError> {
    let broken = |source| SourceError::Read { place: place.to_owned(), source };
    let mut lines = Lines::new(reader, Ends::Feed);
    while let Some((number, line)) = lines.next().map_err(broken)? {
        let item = match &line {
            Line::TooLong => Err(format!("the line cannot be read: {TOO_LONG}")),
            Line::Text(line) => {
                let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
                if text.is_empty() {
                    continue;
                }
                json_record(text)
            }
        };
        if !send(item.map_err(|e| bad_record(place, number, e))) {
            break;
        }
    }
    Ok(())
}

fn json_record(text: &[u8]) -> Result<Product, String> {
    match json::read(text) {
        Ok(Value::Object(fields)) => {
            let mut record = Record::default();
            for (name, value) in fields {
                record.add(&name, value);
            }
            record.product()
        }
        Ok(_) => Err("not a JSON object".to_owned()),
        Err(e) => Err(e.to_string()),
    }
}

impl Source for Feed {
    fn describe(&self) -> String {
        format!("feed {}", self.place())
    }

    fn base(&self) -> Base {
        match &self.place {
            Place::File(path) => Base::Local(path.parent().unwrap_or(Path::new("")).to_owned()),
            Place::Url(..) => Base::Web,
        }
    }

    fn run(self: Box<Self>, out: Sender<SourceItem>) -> Running {
        Box::pin(async move {
            let reader = self.open().await?;
            let (place, format) = (self.place(), self.format);
            let settings = self.settings.clone();
            // What is relative in a feed of the web is relative to its address.
            let web = match &self.place {
                Place::Url(url, _) => Some(url.clone()),
                Place::File(_) => None,
            };
            tokio::task::spawn_blocking(move || {
                read(&place, format, &settings, reader, &mut |mut item| {
                    if let (Some(web), Ok(product)) = (&web, &mut item) {
                        for image in &mut product.images {
                            if let Ok(url) = web.join(image) {
                                *image = url.into();
                            }
                        }
                    }
                    out.blocking_send(item).is_ok()
                })
            })
            .await
            .map_err(|e| SourceError::Stopped(e.to_string()))?
        })
    }
}

#[cfg(test)]
mod tests;
