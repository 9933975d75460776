//! One file of a model: on disk, or part of this program.

use std::{
    borrow::Cow,
    fmt,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
};

use super::ModelError;

/// config.json and its like are a few KiB, tokenizer.json 2 MiB.
const MAX_JSON: u64 = 64 << 20;

/// Where the bytes of a file are.
#[derive(Clone, PartialEq, Eq)]
pub enum ModelFile {
    Path(PathBuf),
    /// Compiled in.
    Builtin {
        name: &'static str,
        bytes: &'static [u8],
    },
}

impl ModelFile {
    /// The path, unless it is part of this program.
    pub fn path(&self) -> Option<&Path> {
        match self {
            ModelFile::Path(path) => Some(path),
            ModelFile::Builtin { .. } => None,
        }
    }

    /// Bytes; 0 if the file cannot be looked at.
    pub fn size(&self) -> u64 {
        match self {
            ModelFile::Path(path) => fs::metadata(path).map_or(0, |meta| meta.len()),
            ModelFile::Builtin { bytes, .. } => bytes.len() as u64,
        }
    }

    /// The content of a small file (at most 64 MiB).
    pub(super) fn read(&self) -> Result<Cow<'static, [u8]>, ModelError> {
        match self {
            ModelFile::Path(path) => {
                let fail = |source| ModelError::Read { path: path.to_owned(), source };
                let mut bytes = Vec::new();
                let file = File::open(path).map_err(fail)?;
                file.take(MAX_JSON).read_to_end(&mut bytes).map_err(fail)?;
                Ok(bytes.into())
            }
            ModelFile::Builtin { bytes, .. } => Ok((*bytes).into()),
        }
    }

    /// `source` as an error that names this file.
    pub(super) fn error(&self, source: impl Into<clip_core::Error>) -> ModelError {
        let path = self.path().map_or_else(|| self.to_string().into(), Path::to_owned);
        ModelError::Load { path, source: Box::new(source.into()) }
    }
}

impl From<PathBuf> for ModelFile {
    fn from(path: PathBuf) -> Self {
        ModelFile::Path(path)
    }
}

impl fmt::Display for ModelFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ModelFile::Path(path) => path.display().fmt(f),
            ModelFile::Builtin { name, .. } => write!(f, "{name} of the built-in model"),
        }
    }
}

/// Without the bytes.
impl fmt::Debug for ModelFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
