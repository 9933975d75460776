//! Addresses of images, and who wrote them: what comes from the web names nothing on this machine.

use std::path::{Path, PathBuf};

use reqwest::Url;

use super::FetchError;

/// Who wrote the addresses of a source, which decides what they may name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Base {
    /// The web (a feed, a shop, a page): addresses of the web only, http and https.
    #[default]
    Web,
    /// Somebody with files on this machine, in a feed or on the command line: files too; relative
    /// paths start at the folder.
    Local(PathBuf),
    /// A folder whose files are the source: what lies in it, and nothing that a symlink in it
    /// leads to outside.
    Tree(PathBuf),
}

impl Base {
    /// Of what is typed: relative paths start at the working folder.
    pub fn user() -> Self {
        Base::Local(PathBuf::new())
    }

    /// `"web"`, `"local"`, `"tree"`: how a store keeps it, beside [`Base::folder`].
    pub fn zone(&self) -> &'static str {
        match self {
            Base::Web => "web",
            Base::Local(_) => "local",
            Base::Tree(_) => "tree",
        }
    }

    /// Where relative paths start; empty for the web, which has none.
    pub fn folder(&self) -> &Path {
        match self {
            Base::Web => Path::new(""),
            Base::Local(folder) | Base::Tree(folder) => folder,
        }
    }

    /// The inverse of [`Base::zone`] and [`Base::folder`]. A zone that is not known is trusted
    /// with nothing.
    pub fn from_parts(zone: &str, folder: impl Into<PathBuf>) -> Self {
        match zone {
            "local" => Base::Local(folder.into()),
            "tree" => Base::Tree(folder.into()),
            _ => Base::Web,
        }
    }

    /// The same from any working folder.
    pub(crate) fn absolute(self) -> Self {
        let absolute = |folder: PathBuf| match folder.as_os_str().is_empty() {
            true => std::env::current_dir().unwrap_or(folder),
            false => std::path::absolute(&folder).unwrap_or(folder),
        };
        match self {
            Base::Web => Base::Web,
            Base::Local(folder) => Base::Local(absolute(folder)),
            Base::Tree(folder) => Base::Tree(absolute(folder)),
        }
    }
}

/// Where the bytes of an image are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    Url(Url),
    File(PathBuf),
    /// A file that must lie in a folder, wherever symlinks lead.
    Inside {
        tree: PathBuf,
        file: PathBuf,
    },
}

impl Location {
    /// Reads `http://…`, `https://…` and, where `base` may name files, `file://…` or a path.
    /// Looks at nothing but the text: a file that is refused may or may not exist.
    ///
    /// # Errors
    /// [`FetchError::Address`] for another scheme, a malformed URL, or a file that `base` may not
    /// name.
    pub fn parse(text: &str, base: &Base) -> Result<Self, FetchError> {
        let parsed = match (text.trim(), base) {
            ("", _) => Err("it is empty".to_owned()),
            (trimmed, Base::Web) => of_the_web(trimmed),
            (trimmed, Base::Local(folder)) => match trimmed.contains("://") {
                true => by_scheme(trimmed),
                false => Ok(Location::File(folder.join(text))),
            },
            (_, Base::Tree(tree)) => {
                Ok(Location::Inside { tree: tree.clone(), file: tree.join(text) })
            }
        };
        parsed.map_err(|reason| FetchError::Address { text: text.into(), reason })
    }
}

const LOCAL: &str = "it names a local file, which only local sources may";

fn of_the_web(text: &str) -> Result<Location, String> {
    match Url::parse(text) {
        Ok(url) => match url.scheme() {
            "http" | "https" => Ok(Location::Url(url)),
            "file" => Err(LOCAL.into()),
            drive if drive.len() == 1 => Err(LOCAL.into()),
            _ => Err("on the web, supported are http and https".into()),
        },
        Err(url::ParseError::RelativeUrlWithoutBase) => Err(LOCAL.into()),
        Err(e) => Err(e.to_string()),
    }
}

fn by_scheme(text: &str) -> Result<Location, String> {
    let url = Url::parse(text).map_err(|e| e.to_string())?;
    match url.scheme() {
        "http" | "https" => Ok(Location::Url(url)),
        "file" => {
            url.to_file_path().map(Location::File).map_err(|()| "it names no local file".into())
        }
        _ => Err("supported are http, https, file and plain paths".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_files_names_files() {
        let base = Base::Local("/feed".into());
        let parse = |text| Location::parse(text, &base);
        assert_eq!(parse("a b.jpg").unwrap(), Location::File("/feed/a b.jpg".into()));
        assert_eq!(parse("/x/a.jpg").unwrap(), Location::File("/x/a.jpg".into()));
        assert!(matches!(parse("HTTPS://shop/a.jpg"), Ok(Location::Url(_))));
        assert!(matches!(parse(" https://shop/a.jpg"), Ok(Location::Url(_))));
        assert_eq!(parse("file:///x/a.jpg").unwrap(), Location::File("/x/a.jpg".into()));
        for bad in ["", " ", "ftp://shop/a.jpg", "http://", "data://x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_web_names_no_file() {
        for bad in [
            "file:///etc/passwd",
            "FILE:///etc/passwd",
            "file:etc/passwd",
            "file:/etc/passwd",
            " \t\nfile:///etc/passwd",
            "\u{1}file:///etc/passwd",
            "fi\nle:///etc/passwd",
            "file://localhost/etc/passwd",
            "file:\\\\\\etc\\passwd",
            "/etc/passwd",
            "../../etc/passwd",
            "etc/passwd",
            "//[/etc/passwd",
            "\\\\host\\x",
            "C:\\x.jpg",
            "c:/x.jpg",
            "a b.jpg",
            ".",
            "~",
            "%66ile:///etc/passwd",
        ] {
            match Location::parse(bad, &Base::Web) {
                Err(e) => {
                    assert_eq!(e.kind(), "fetch.address", "{bad}");
                    assert!(e.to_string().contains("only local sources may"), "{bad}: {e}");
                }
                Ok(found) => panic!("{bad}: {found:?}"),
            }
        }
        for bad in ["ftp://x/a", "data:image/png;base64,AA", "blob:https://x", "jar:file:///a", ""]
        {
            assert!(Location::parse(bad, &Base::Web).is_err(), "{bad}");
        }
        for good in ["https://shop/a.jpg", " HTTP://shop/../a.jpg ", "http:shop/a.jpg"] {
            assert!(matches!(Location::parse(good, &Base::Web), Ok(Location::Url(_))), "{good}");
        }
    }

    #[test]
    fn bases_come_back_from_a_store() {
        for base in [Base::Web, Base::Local("/a".into()), Base::Tree("/a".into())] {
            assert_eq!(Base::from_parts(base.zone(), base.folder()), base);
        }
        assert_eq!(Base::from_parts("moon", "/a"), Base::Web);
        assert!(Base::user().absolute().folder().is_absolute());
    }
}
