//! CSV and JSONL feeds with the columns `id`, `title`, `url`, `image`.
//!
//! `image` is an address or a path relative to the feed; several are separated by `|` or form a
//! JSON array. Other columns are ignored. A record that cannot be read is reported with its
//! number, and reading goes on.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use tokio::sync::mpsc::Sender;

use super::{Product, Running, Source, SourceError, SourceItem};

/// A longer line is not a product; reading it whole could exhaust memory.
const MAX_LINE: u64 = 4 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedFormat {
    Csv,
    Jsonl,
}

/// A feed file as a [`Source`].
#[derive(Debug)]
pub struct Feed {
    path: PathBuf,
    format: FeedFormat,
}

impl Feed {
    pub fn new(path: &Path, format: FeedFormat) -> Self {
        Feed { path: path.to_owned(), format }
    }

    fn record(&self, record: u64, reason: impl ToString) -> SourceError {
        SourceError::Record { path: self.path.clone(), record, reason: reason.to_string() }
    }

    /// Calls `send` for each record until it returns false.
    fn read(&self, mut send: impl FnMut(SourceItem) -> bool) -> Result<(), SourceError> {
        let file = File::open(&self.path)
            .map_err(|source| SourceError::Read { path: self.path.clone(), source })?;
        match self.format {
            FeedFormat::Csv => self.read_csv(file, &mut send),
            FeedFormat::Jsonl => self.read_jsonl(BufReader::new(file), &mut send),
        }
    }

    fn read_csv(
        &self,
        file: File,
        send: &mut dyn FnMut(SourceItem) -> bool,
    ) -> Result<(), SourceError> {
        let format = |reason: String| SourceError::Format { path: self.path.clone(), reason };
        let mut reader =
            csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(file);
        let headers = reader.headers().map_err(|e| format(e.to_string()))?;
        let names: Vec<String> = headers
            .iter()
            .map(|name| name.trim_start_matches('\u{feff}').to_ascii_lowercase())
            .collect();
        let column = |name: &str| names.iter().position(|n| n == name);
        let (Some(id), Some(image)) = (column("id"), column("image").or(column("images"))) else {
            return Err(format(format!(
                "the first line names the columns {}; needed are \"id\" and \"image\" \
                 (\"title\" and \"url\" are optional)",
                names.join(", ")
            )));
        };
        let (title, url) = (column("title"), column("url"));
        for (number, row) in (1..).zip(reader.into_records()) {
            let item = row.map_err(|e| e.to_string()).and_then(|row| {
                // By hand: serde would read the id 007 as the number 7.
                let field = |column: Option<usize>| row.get(column?).map(str::to_owned);
                let row = Row {
                    id: Id::Text(field(Some(id)).unwrap_or_default()),
                    title: field(title),
                    url: field(url),
                    image: Images::One(field(Some(image)).unwrap_or_default()),
                };
                row.product()
            });
            if !send(item.map_err(|e| self.record(number, e))) {
                break;
            }
        }
        Ok(())
    }

    fn read_jsonl(
        &self,
        mut reader: impl BufRead,
        send: &mut dyn FnMut(SourceItem) -> bool,
    ) -> Result<(), SourceError> {
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            let read = reader
                .by_ref()
                .take(MAX_LINE)
                .read_until(b'\n', &mut line)
                .map_err(|source| SourceError::Read { path: self.path.clone(), source })?;
            if read == 0 {
                break;
            }
            if read as u64 == MAX_LINE && line.last() != Some(&b'\n') {
                return Err(self.record(number, "the line is longer than 4 MiB"));
            }
            let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line).trim_ascii();
            if text.is_empty() {
                continue;
            }
            let item = serde_json::from_slice::<Row>(text)
                .map_err(|e| e.to_string())
                .and_then(Row::product)
                .map_err(|e| self.record(number, e));
            if !send(item) {
                break;
            }
        }
        Ok(())
    }
}

impl Source for Feed {
    fn describe(&self) -> String {
        format!("feed {}", self.path.display())
    }

    fn base(&self) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).to_owned()
    }

    fn run(self: Box<Self>, out: Sender<SourceItem>) -> Running {
        Box::pin(async move {
            tokio::task::spawn_blocking(move || self.read(|item| out.blocking_send(item).is_ok()))
                .await
                .map_err(|e| SourceError::Stopped(e.to_string()))?
        })
    }
}

#[derive(Deserialize)]
struct Row {
    id: Id,
    title: Option<String>,
    url: Option<String>,
    #[serde(alias = "images")]
    image: Images,
}

/// Shops number their products or name them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Number(u64),
    Text(String),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Images {
    One(String),
    Many(Vec<String>),
}

impl Row {
    fn product(self) -> Result<Product, String> {
        let id = match self.id {
            Id::Number(number) => number.to_string(),
            Id::Text(text) => text.trim().to_owned(),
        };
        if id.is_empty() {
            return Err("the id is empty".into());
        }
        let images = match self.image {
            Images::Many(images) => images,
            Images::One(text) if text.trim_start().starts_with('[') => {
                serde_json::from_str(&text).map_err(|e| format!("image: {e}"))?
            }
            Images::One(text) => text.split('|').map(str::to_owned).collect(),
        };
        let images: Vec<String> =
            images.iter().map(|i| i.trim().to_owned()).filter(|i| !i.is_empty()).collect();
        if images.is_empty() {
            return Err(format!("product {id} has no image"));
        }
        let text = |field: Option<String>| field.filter(|text| !text.trim().is_empty());
        Ok(Product {
            id,
            title: text(self.title),
            url: text(self.url),
            images,
            ..Product::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<Vec<Result<Product, String>>, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        let format = if name.ends_with("csv") { FeedFormat::Csv } else { FeedFormat::Jsonl };
        let mut items = Vec::new();
        Feed::new(&path, format)
            .read(|item| {
                items.push(item.map_err(|e| e.to_string()));
                true
            })
            .map_err(|e| e.to_string())?;
        Ok(items)
    }

    #[test]
    fn csv_with_bom_extra_columns_and_bad_rows() {
        let text = "\u{feff}ID,Title,color,image,url\n\
            007, Red dress ,red,a.jpg|b.jpg,https://shop/7\n\
            8,,blue,\"[\"\"c,1.jpg\"\"]\",\n\
            9,no image,,,\n\
            ,no id,,d.jpg,\n";
        let items = read("feed.csv", text).unwrap();
        let first = items[0].as_ref().unwrap();
        assert_eq!((first.id.as_str(), first.title.as_deref()), ("007", Some("Red dress")));
        assert_eq!(first.images, ["a.jpg", "b.jpg"]);
        assert_eq!(items[1].as_ref().unwrap().images, ["c,1.jpg"]);
        assert!(items[2].as_ref().unwrap_err().contains("record 3: product 9 has no image"));
        assert!(items[3].as_ref().unwrap_err().contains("record 4: the id is empty"));
        assert_eq!(items.len(), 4);
    }

    #[test]
    fn a_csv_without_the_columns_names_them() {
        let error = read("feed.csv", "sku,picture\n1,a.jpg\n").unwrap_err();
        assert!(error.contains("sku, picture") && error.contains("\"id\""), "{error}");
    }

    #[test]
    fn jsonl_with_arrays_blank_and_broken_lines() {
        let text = "{\"id\":7,\"image\":[\"a.jpg\",\"b.jpg\"]}\n\n{oops}\n\
            {\"id\":\"x\",\"title\":\"T\",\"image\":\"c.jpg\",\"price\":3}";
        let items = read("feed.jsonl", text).unwrap();
        assert_eq!(items.len(), 3);
        assert_eq!(items[0].as_ref().unwrap().id, "7");
        assert_eq!(items[0].as_ref().unwrap().images, ["a.jpg", "b.jpg"]);
        assert!(items[1].as_ref().unwrap_err().contains("record 3"));
        assert_eq!(items[2].as_ref().unwrap().title.as_deref(), Some("T"));
    }
}
