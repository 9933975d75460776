//! A text file of addresses, one per line: of images, or of product pages. Lines that start with
//! `#` are comments.

use std::path::{Path, PathBuf};

use reqwest::Url;
use tokio::sync::mpsc::Sender;

use super::{
    Base, Product, Running, Source, SourceError, SourceItem, folder,
    lines::{Ends, Line, Lines, TOO_LONG},
    sitemap::{Listed, Reading, read_pages},
    web::Web,
};

/// A list as a [`Source`].
#[derive(Debug)]
pub struct List {
    path: PathBuf,
    web: Web,
}

/// What a line names.
#[derive(Debug, PartialEq)]
enum Entry {
    Image(Box<Product>),
    Page(Url),
}

impl List {
    /// The list at `path`; `web` reads the pages it names.
    pub fn new(path: &Path, web: Web) -> Self {
        List { path: path.to_owned(), web }
    }
}

/// An image by its ending, else a page. An image's id is its address; its title the file's name.
fn entry(line: &str) -> Result<Entry, String> {
    let url = Url::parse(line).map_err(|e| format!("{line:?} is not an address: {e}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{line:?} is not an address of the web"));
    }
    let name = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
    if !folder::is_image(Path::new(name)) {
        return Ok(Entry::Page(url));
    }
    let title = Path::new(name).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let id = line.to_owned();
    Ok(Entry::Image(Box::new(Product {
        images: vec![id.clone()],
        id,
        title,
        ..Product::default()
    })))
}

impl Source for List {
    fn describe(&self) -> String {
        format!("list {}", self.path.display())
    }

    fn base(&self) -> Base {
        Base::Web
    }

    fn run(self: Box<Self>, out: Sender<SourceItem>) -> Running {
        Box::pin(async move {
            let place = self.path.display().to_string();
            let (pages, listed) = tokio::sync::mpsc::channel(64);
            let (path, images) = (self.path.clone(), out.clone());
            let reading = tokio::task::spawn_blocking(move || {
                let fail = |source| SourceError::Read { place: place.clone(), source };
                let file = std::fs::File::open(&path).map_err(fail)?;
                let mut lines = Lines::new(std::io::BufReader::new(file), Ends::Either);
                while let Some((number, line)) = lines.next().map_err(fail)? {
                    let entry = match &line {
                        Line::TooLong => Err(TOO_LONG.to_owned()),
                        Line::Text(line) => {
                            let line = String::from_utf8_lossy(line);
                            let line = line.trim_start_matches('\u{feff}').trim();
                            if line.is_empty() || line.starts_with('#') {
                                continue;
                            }
                            entry(line)
                        }
                    };
                    let sent = match entry {
                        Ok(Entry::Image(product)) => images.blocking_send(Ok(*product)).is_ok(),
                        Ok(Entry::Page(url)) => pages.blocking_send(Ok(Listed::page(url))).is_ok(),
                        Err(reason) => {
                            let (place, record) = (place.clone(), number);
                            let e = SourceError::Record { place, record, reason };
                            images.blocking_send(Err(e)).is_ok()
                        }
                    };
                    if !sent {
                        break;
                    }
                }
                Ok(())
            });
            read_pages(&self.web, listed, &out, Reading::All).await;
            reading.await.map_err(|e| SourceError::Stopped(e.to_string()))?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_images_or_pages() {
        let image = "https://cdn/a/Red%20dress.JPG?width=800";
        match entry(image).unwrap() {
            Entry::Image(product) => {
                assert_eq!((product.id.as_str(), product.images.len()), (image, 1))
            }
            page => panic!("{page:?}"),
        }
        assert!(matches!(entry("https://shop/products/red"), Ok(Entry::Page(_))));
        assert!(entry("red.jpg").is_err() && entry("ftp://shop/a.jpg").is_err());
    }
}
