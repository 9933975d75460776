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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedFormat {
    Csv,
    Tsv,
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
    pub fn file(path: &Path, format: FeedFormat) -> Self {
        let settings = FeedSettings::default();
        Feed { place: Place::File(path.to_owned()), format, settings }
    }

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
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Vec<Result<Product, String>>, String> {
        let mut items = Vec::new();
        let mut send = |item: SourceItem| {
            items.push(item.map_err(|e| e.to_string()));
            true
        };
        let format = FeedFormat::of(name).unwrap();
        super::read(name, format, &FeedSettings::default(), text.as_bytes(), &mut send)
            .map_err(|e| e.to_string())?;
        Ok(items)
    }

    #[test]
    fn csv_with_bom_extra_columns_and_bad_rows() {
        let text = "\u{feff}ID,Title,color,image,url,Price\n\
            007, Red dress ,red,a.jpg|b.jpg,https://shop/7,\"19,95 EUR\"\n\
            8,,blue,\"[\"\"c,1.jpg\"\"]\",\n\
            9,no image,,,\n\
            ,no id,,d.jpg,\n";
        let items = read("feed.csv", text).unwrap();
        let first = items[0].as_ref().unwrap();
        assert_eq!((first.id.as_str(), first.title.as_deref()), ("007", Some("Red dress")));
        assert_eq!(first.images, ["a.jpg", "b.jpg"]);
        assert_eq!((first.price, first.currency.as_deref()), (Some(19.95), Some("EUR")));
        assert_eq!(first.attributes["color"], "red");
        assert_eq!(items[1].as_ref().unwrap().images, ["c,1.jpg"]);
        assert_eq!(items[2].as_ref().unwrap().images, [""; 0], "told of later, not lost");
        assert!(items[3].as_ref().unwrap_err().contains("record 4: line 5: the id is empty"));
        assert_eq!(items.len(), 4);
    }

    #[test]
    fn a_csv_without_the_columns_names_them() {
        let error = read("feed.csv", "nr,picture\n1,a.jpg\n").unwrap_err();
        assert!(error.contains("nr, picture") && error.contains("\"id\""), "{error}");
    }

    #[test]
    fn merchant_feeds_as_a_table() {
        let text = "id\ttitle\timage link\tadditional image link\tprice\tavailability\n\
            A\t\"Quoted, with comma\"\thttps://x/1.jpg\thttps://x/2.jpg,https://x/3.jpg\t5 EUR\tin stock\n";
        let items = read("feed.tsv", text).unwrap();
        let product = items[0].as_ref().unwrap();
        assert_eq!(product.title.as_deref(), Some("Quoted, with comma"));
        assert_eq!((product.images.len(), product.price), (3, Some(5.0)));
    }

    #[test]
    fn jsonl_with_arrays_blank_and_broken_lines() {
        let text = "{\"id\":7,\"image\":[\"a.jpg\",\"b.jpg\"]}\n\n{oops}\n[1]\n\
            {\"id\":\"x\",\"title\":\"T\",\"image\":\"c.jpg\",\"price\":3}";
        let items = read("feed.jsonl.gz", text).unwrap();
        assert_eq!(items.len(), 4);
        assert_eq!(items[0].as_ref().unwrap().id, "7");
        assert_eq!(items[0].as_ref().unwrap().images, ["a.jpg", "b.jpg"]);
        assert!(items[1].as_ref().unwrap_err().contains("record 3"));
        assert!(items[2].as_ref().unwrap_err().contains("record 4: not a JSON object"));
        let last = items[3].as_ref().unwrap();
        assert_eq!((last.title.as_deref(), last.price), (Some("T"), Some(3.0)));
    }

    #[test]
    fn files_may_be_gzip() {
        use std::io::Write;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("feed.csv.gz");
        let mut file = flate2::write::GzEncoder::new(
            File::create(&path).unwrap(),
            flate2::Compression::fast(),
        );
        file.write_all(b"id,image\n1,a.jpg\n").unwrap();
        file.finish().unwrap();
        let open = |limit| unpacked(BufReader::new(File::open(&path).unwrap()), limit).unwrap();
        let mut text = String::new();
        open(99).read_to_string(&mut text).unwrap();
        assert_eq!(text, "id,image\n1,a.jpg\n");
        let error = open(16).read_to_string(&mut text).unwrap_err();
        assert!(error.to_string().contains("max_unpacked_gib"), "{error}");
    }
}
