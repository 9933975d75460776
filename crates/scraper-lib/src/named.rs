//! Files named by their content, and the manifest that is replaced last: each is on the disk before
//! it has its name, so a manifest never names what is not there.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, output::Part};
use clip_core::trace::hex;

/// The name of the manifest.
pub(crate) const MANIFEST: &str = "manifest.json";

/// A file beside the manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) file: String,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

/// Parts, and the ends of their names.
pub(crate) type Kinds = &'static [(&'static str, &'static str)];

/// The folder that is written.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    kinds: Kinds,
    /// Everybody may read what a web server is to send.
    open: bool,
}

impl Folder {
    /// Makes it. Its files are of these `kinds`; others are left alone.
    pub(crate) fn open(path: &Path, kinds: Kinds) -> Result<Self, Error> {
        fs::create_dir_all(path).map_err(output(path))?;
        Ok(Folder { path: path.to_owned(), kinds, open: true })
    }

    /// Its files may be read by those who may read any new file of this user.
    pub(crate) fn like_others(self) -> Self {
        Folder { open: false, ..self }
    }

    /// Where a file of it lies.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A file without a name, which is gone when it is closed.
    pub(crate) fn nameless(&self) -> Result<fs::File, Error> {
        tempfile::tempfile_in(&self.path).map_err(self.error())
    }

    /// What a failure to write it is.
    pub(crate) fn error(&self) -> impl Fn(io::Error) -> Error + use<> {
        output(&self.path)
    }

    /// A new file, whose name is known when it is finished.
    pub(crate) fn file(&self) -> Result<NewFile<'_>, Error> {
        let file = Part::new(&self.path, "export").map_err(output(&self.path))?;
        if self.open {
            file.let_all_read().map_err(output(&self.path))?;
        }
        Ok(NewFile { folder: self, file: BufWriter::new(file), sha: Sha256::new(), bytes: 0 })
    }

    /// Puts the manifest in place and removes what neither it nor the one before names: `kept`.
    pub(crate) fn publish(&self, manifest: &[u8], kept: &BTreeSet<&str>) -> Result<(), Error> {
        let mut file = self.file()?;
        file.write(manifest)?;
        file.persist(&self.path(MANIFEST))?;
        for entry in fs::read_dir(&self.path).map_err(output(&self.path))?.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if self.is_ours(&name) && !kept.contains(&*name) {
                // It is only in the way; the manifest is complete.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }

    /// Whether a file is one of ours, by its name: nothing else in the folder is touched.
    fn is_ours(&self, name: &str) -> bool {
        let Some((stem, kind)) = name.rsplit_once('.') else { return false };
        let Some((part, digest)) = stem.rsplit_once('-') else { return false };
        let digest = digest.len() == 16 && digest.bytes().all(|b| b.is_ascii_hexdigit());
        // A part may have pages.
        let part = match part.split_once('-') {
            Some((part, page)) if page.bytes().all(|b| b.is_ascii_digit()) => part,
            _ => part,
        };
        digest && self.kinds.contains(&(part, kind))
    }
}

/// A file that is being written.
pub(crate) struct NewFile<'a> {
    folder: &'a Folder,
    file: BufWriter<Part>,
    sha: Sha256,
    bytes: u64,
}

impl NewFile<'_> {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.sha.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(output(&self.folder.path))
    }

    pub(crate) fn floats(&mut self, values: &[f32]) -> Result<(), Error> {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.write(&bytes)
    }

    /// Names the file `part-DIGEST.kind`.
    pub(crate) fn finish(mut self, part: &str, kind: &str) -> Result<Written, Error> {
        let sha256 = hex(&std::mem::take(&mut self.sha).finalize());
        let file = format!("{part}-{}.{kind}", &sha256[..16]);
        let bytes = self.bytes;
        let path = self.folder.path.join(&file);
        self.persist(&path)?;
        Ok(Written { file, bytes, sha256 })
    }

    fn persist(self, path: &Path) -> Result<(), Error> {
        let file = self.file.into_inner().map_err(|e| output(path)(e.into_error()))?;
        file.place(path).map_err(output(path))
    }
}

fn output(path: &Path) -> impl Fn(io::Error) -> Error + use<> {
    let what = path.display().to_string();
    move |source| Error::Output { what: what.clone(), source }
}
