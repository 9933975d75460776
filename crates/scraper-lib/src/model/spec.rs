//! What `--model` and `EMBEDDINGS_MODEL` may say.

use std::path::{Path, PathBuf};

use super::{BUILTIN, ModelError};

/// A folder on this machine, a repository on the hub, or the model in this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSpec {
    Folder(PathBuf),
    /// [`ModelFiles::builtin`](super::ModelFiles::builtin), by the name `tiny`.
    Builtin,
    Hub {
        /// `org/name`.
        repo: String,
        /// Branch, tag or commit; `None` is the pinned commit of a known model, else `main`.
        revision: Option<String>,
    },
}

impl ModelSpec {
    /// A folder that exists wins; else `tiny`, `org/name` or `org/name@revision`.
    ///
    /// # Errors
    /// [`ModelError::NoFolder`] for what looks like a path, [`ModelError::Spec`] otherwise.
    pub fn parse(text: &str) -> Result<Self, ModelError> {
        let path = Path::new(text);
        if path.is_dir() {
            return Ok(ModelSpec::Folder(path.to_owned()));
        }
        if text == BUILTIN {
            return Ok(ModelSpec::Builtin);
        }
        if path.is_absolute() || text.starts_with(['.', '~']) || text.contains('\\') {
            return Err(ModelError::NoFolder(path.to_owned()));
        }
        let (repo, revision) = match text.split_once('@') {
            Some((repo, revision)) => (repo, Some(revision)),
            None => (text, None),
        };
        let valid_repo = matches!(repo.split('/').collect::<Vec<_>>()[..], [org, name]
            if is_name(org) && is_name(name));
        // Becomes part of URLs and of paths in the cache.
        let valid_revision = revision.is_none_or(|r| r.split('/').all(is_name));
        if !valid_repo || !valid_revision {
            return Err(ModelError::Spec(text.to_owned()));
        }
        Ok(ModelSpec::Hub { repo: repo.to_owned(), revision: revision.map(str::to_owned) })
    }
}

fn is_name(part: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    (1..=96).contains(&part.len())
        && part.bytes().all(plain)
        && !part.starts_with('.')
        && !part.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_paths_and_nonsense() {
        let hub = |repo: &str, revision: Option<&str>| ModelSpec::Hub {
            repo: repo.into(),
            revision: revision.map(str::to_owned),
        };
        assert_eq!(ModelSpec::parse("a/b-c.1").unwrap(), hub("a/b-c.1", None));
        assert_eq!(ModelSpec::parse("a/b@refs/pr/3").unwrap(), hub("a/b", Some("refs/pr/3")));
        assert_eq!(ModelSpec::parse("tiny").unwrap(), ModelSpec::Builtin);
        assert_eq!(ModelSpec::parse("org/tiny").unwrap(), hub("org/tiny", None));
        assert!(matches!(ModelSpec::parse("./tiny"), Err(ModelError::NoFolder(_))));
        assert!(matches!(ModelSpec::parse("./nowhere"), Err(ModelError::NoFolder(_))));
        assert!(matches!(ModelSpec::parse("/nowhere"), Err(ModelError::NoFolder(_))));
        for bad in ["", "clip", "a/b/c", "a/..", "a/b@", "a/b@../x", "a b/c", "a/b@x y"] {
            assert!(matches!(ModelSpec::parse(bad), Err(ModelError::Spec(_))), "{bad:?}");
        }
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().to_str().unwrap();
        assert_eq!(ModelSpec::parse(text).unwrap(), ModelSpec::Folder(dir.path().into()));
    }
}
