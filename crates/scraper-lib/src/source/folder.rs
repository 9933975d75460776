//! A folder of images: every file is a product, its relative path is the id.

use std::{
    io,
    path::{Path, PathBuf},
};

use tokio::sync::mpsc::Sender;
use walkdir::{DirEntry, WalkDir};

use super::{Base, Product, Running, Source, SourceError, SourceItem};
use crate::fetch::OUTSIDE;

/// Names that promise an image. Formats that cannot be read are listed too, so that such files
/// are reported instead of silently missing. Not icons, which lie beside pages and show no product.
const EXTENSIONS: [&str; 23] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "dib", "svg", "tif", "tiff", "avif",
    "heic", "heif", "jxl", "tga", "pbm", "pgm", "ppm", "pnm", "pfm", "qoi",
];

/// Where symlinks may lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// Out of the folder, too.
    Anywhere,
    /// A folder that a link leads to must lie in the tree itself.
    Inside,
}

/// Image files below `root` in a fixed order (by name, folder by folder); hidden ones and other
/// extensions are left out. A circle of links, and a folder outside that may not be followed, are
/// errors of their own.
pub fn image_files(
    root: &Path,
    links: Links,
) -> impl Iterator<Item = Result<PathBuf, SourceError>> + use<> {
    let root = root.to_owned();
    let home = (links == Links::Inside).then(|| root.canonicalize().ok()).flatten();
    let mut walk = WalkDir::new(&root)
        .follow_links(true) // walkdir reports link cycles as errors
        .sort_by_file_name()
        .into_iter();
    let fail =
        |path: &Path, source| Err(SourceError::Read { place: path.display().to_string(), source });
    std::iter::from_fn(move || {
        loop {
            let entry = match walk.next()? {
                Ok(entry) => entry,
                Err(e) => {
                    let place = e.path().unwrap_or(&root).to_owned();
                    return Some(fail(&place, e.into()));
                }
            };
            let is_folder = entry.file_type().is_dir();
            let skipped = entry.depth() > 0 && hidden(&entry);
            let outside = !skipped && is_folder && leads_out(&entry, home.as_deref());
            if is_folder && (skipped || outside) {
                walk.skip_current_dir();
            }
            if outside {
                return Some(fail(entry.path(), io::Error::other(OUTSIDE)));
            }
            // What has an image's name and is no file is reported when it is opened.
            if !skipped && !is_folder && is_image(entry.path()) {
                return Some(Ok(entry.into_path()));
            }
        }
    })
}

fn leads_out(entry: &DirEntry, home: Option<&Path>) -> bool {
    match home {
        Some(home) if entry.depth() > 0 && entry.path_is_symlink() => {
            !entry.path().canonicalize().is_ok_and(|target| target.starts_with(home))
        }
        _ => false,
    }
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
    links: Links,
}

impl Folder {
    /// The images below `root`.
    pub fn new(root: &Path, links: Links) -> Self {
        Folder { root: root.to_owned(), links }
    }
}

impl Source for Folder {
    fn describe(&self) -> String {
        format!("folder {}", self.root.display())
    }

    fn base(&self) -> Base {
        match self.links {
            Links::Anywhere => Base::Local(self.root.clone()),
            Links::Inside => Base::Tree(self.root.clone()),
        }
    }

    fn run(self: Box<Self>, out: Sender<SourceItem>) -> Running {
        Box::pin(async move {
            let walk = tokio::task::spawn_blocking(move || {
                for file in image_files(&self.root, self.links) {
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

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn links_stay_in_the_tree_unless_told_otherwise() {
        let dir = tempfile::tempdir().unwrap();
        let (root, outside) = (dir.path().join("root"), dir.path().join("outside"));
        for folder in [&root.join("a"), &outside] {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(root.join("a/1.png"), "x").unwrap();
        fs::write(outside.join("2.png"), "x").unwrap();
        symlink(&outside, root.join("out")).unwrap();
        symlink(root.join("a"), root.join("in")).unwrap();
        symlink(&root, root.join("a/loop")).unwrap();
        symlink(outside.join("2.png"), root.join("3.png")).unwrap();
        let found = |links| {
            let files = image_files(&root, links).map(|file| match file {
                Ok(path) => path.strip_prefix(&root).unwrap().display().to_string(),
                Err(e) => format!("error: {e}"),
            });
            files.collect::<Vec<_>>()
        };
        let inside = found(Links::Inside);
        let good: Vec<_> = inside.iter().filter(|f| !f.starts_with("error")).collect();
        // A file's link is looked at when it is opened.
        assert_eq!(good, ["3.png", "a/1.png", "in/1.png"], "{inside:?}");
        let told = inside.iter().filter(|f| f.contains("/out: ") && f.contains("leads out"));
        assert_eq!((told.count(), inside.len()), (1, 6), "two circles and one way out: {inside:?}");
        assert!(found(Links::Anywhere).contains(&"out/2.png".to_owned()));
    }
}
