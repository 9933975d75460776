//! A folder of images: every file is a product, its relative path is the id.

use std::path::{Path, PathBuf};

use tokio::sync::mpsc::Sender;
use walkdir::{DirEntry, WalkDir};

use super::{Product, Running, Source, SourceError, SourceItem};

/// Names that promise an image. Formats that cannot be read are listed too, so that such files
/// are reported instead of silently missing.
const EXTENSIONS: [&str; 16] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "dib", "svg", "tif", "tiff", "avif",
    "heic", "heif", "jxl",
];

/// Image files below `root` in a fixed order (by name, folder by folder); hidden ones and other
/// extensions are left out.
pub fn image_files(root: &Path) -> impl Iterator<Item = Result<PathBuf, SourceError>> + use<> {
    let root = root.to_owned();
    WalkDir::new(&root)
        .follow_links(true) // walkdir reports link cycles as errors
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !hidden(entry))
        .filter_map(move |entry| match entry {
            Ok(entry) => (entry.file_type().is_file() && is_image(entry.path()))
                .then(|| Ok(entry.into_path())),
            Err(e) => Some(Err(SourceError::Read {
                place: e.path().unwrap_or(&root).display().to_string(),
                source: e.into(),
            })),
        })
}

fn hidden(entry: &DirEntry) -> bool {
    entry.file_name().as_encoded_bytes().starts_with(b".")
}

pub(super) fn is_image(path: &Path) -> bool {
    path.extension().is_some_and(|found| EXTENSIONS.iter().any(|e| found.eq_ignore_ascii_case(e)))
}

/// A folder as a [`Source`].
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    pub fn new(root: &Path) -> Self {
        Folder { root: root.to_owned() }
    }
}

impl Source for Folder {
    fn describe(&self) -> String {
        format!("folder {}", self.root.display())
    }

    fn base(&self) -> PathBuf {
        self.root.clone()
    }

    fn run(self: Box<Self>, out: Sender<SourceItem>) -> Running {
        Box::pin(async move {
            let walk = tokio::task::spawn_blocking(move || {
                for file in image_files(&self.root) {
                    if out.blocking_send(file.map(|path| product(&self.root, &path))).is_err() {
                        break;
                    }
                }
            });
            walk.await.map_err(|e| SourceError::Stopped(e.to_string()))
        })
    }
}

fn product(root: &Path, path: &Path) -> Product {
    let relative = path.strip_prefix(root).unwrap_or(path);
    // `/` on every system, so that a store made on one is understood on another.
    let id = relative
        .components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/");
    let title = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    Product { images: vec![id.clone()], id, title, ..Product::default() }
}
