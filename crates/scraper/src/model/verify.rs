//! Checks files that are in the cache already.

use std::{fs::File, io::Read, path::Path};

use sha2::{Digest, Sha256};

use super::{ModelError, ModelFiles, cache::pin_of, download::hex};

/// Hashes every file whose SHA-256 is known (pinned, or large files of the hub, whose blob is
/// named by it). Returns how many files were checked, and how many have no known hash.
///
/// # Errors
/// [`ModelError::Damaged`] for the first file that differs.
pub fn verify(files: &ModelFiles) -> Result<(usize, usize), ModelError> {
    let (mut checked, mut unknown) = (0, 0);
    for path in files.paths() {
        let blob = path.canonicalize().ok().and_then(|path| {
            let name = path.file_name()?.to_str()?.to_owned();
            (name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit())).then_some(name)
        });
        let pinned = pin_of(&files.model, &path).map(|pin| pin.sha256.to_owned());
        let Some(expected) = pinned.or(blob) else {
            unknown += 1;
            continue;
        };
        let found = sha256(&path)?;
        if found != expected {
            let what = path.display().to_string();
            return Err(ModelError::Damaged { what, property: "sha256", found, expected });
        }
        checked += 1;
    }
    Ok((checked, unknown))
}

fn sha256(path: &Path) -> Result<String, ModelError> {
    let fail = |source| ModelError::Read { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(fail)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer).map_err(fail)? {
            0 => return Ok(hex(&hasher.finalize())),
            n => hasher.update(buffer.get(..n).unwrap_or_default()),
        }
    }
}
