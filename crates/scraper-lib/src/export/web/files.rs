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

use super::Manifest;
use crate::{Error, output::Part};
use clip_core::trace::hex;

/// A file beside the manifest.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Written {
    file: String,
    bytes: u64,
    sha256: String,
}

/// The folder that is written.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        fs::create_dir_all(path).map_err(output(path))?;
        Ok(Folder { path: path.to_owned() })
    }

    /// A new file, whose name is known when it is finished.
    pub(super) fn file(&self) -> Result<NewFile<'_>, Error> {
        let file = Part::new(&self.path, "export").map_err(output(&self.path))?;
        // Others must be able to read what a web server is to send.
        file.let_all_read().map_err(output(&self.path))?;
        Ok(NewFile { folder: self, file: BufWriter::new(file), sha: Sha256::new(), bytes: 0 })
    }

    /// Puts the manifest in place and removes what neither it nor the one before names.
    pub(super) fn publish(&self, manifest: &Manifest) -> Result<(), Error> {
        let path = self.path.join("manifest.json");
        let before: Option<Manifest> =
            fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let mut file = self.file()?;
        let json = serde_json::to_vec(manifest).map_err(|e| Error::Internal(e.to_string()))?;
        file.write(&json)?;
        file.persist(&path)?;

        let kept: BTreeSet<&str> = before
            .iter()
            .flat_map(Manifest::files)
            .chain(manifest.files())
            .map(|written| written.file.as_str())
            .collect();
        for entry in fs::read_dir(&self.path).map_err(output(&self.path))?.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if is_ours(&name) && !kept.contains(&*name) {
                // It is only in the way; the export is complete.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }
}

/// Whether a file is one of an export's, by its name: nothing else in the folder is touched.
fn is_ours(name: &str) -> bool {
    let Some((stem, kind)) = name.rsplit_once('.') else { return false };
    let Some((part, digest)) = stem.rsplit_once('-') else { return false };
    let digest = digest.len() == 16 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    let part = match part.split_once('-') {
        Some(("cards", page)) => kind == "json" && page.bytes().all(|b| b.is_ascii_digit()),
        None if matches!(part, "facets" | "titles" | "words") => kind == "json",
        None => kind == "safetensors" && matches!(part, "scan" | "exact"),
        Some(_) => false,
    };
    digest && part
}

/// A file that is being written.
pub(super) struct NewFile<'a> {
    folder: &'a Folder,
    file: BufWriter<Part>,
    sha: Sha256,
    bytes: u64,
}

impl NewFile<'_> {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.sha.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes).map_err(output(&self.folder.path))
    }

    pub(super) fn floats(&mut self, values: &[f32]) -> Result<(), Error> {
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.write(&bytes)
    }

    /// Names the file `part-DIGEST.kind`.
    pub(super) fn finish(mut self, part: &str, kind: &str) -> Result<Written, Error> {
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
