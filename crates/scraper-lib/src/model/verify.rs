//! Checks files that are in the cache already.

use std::{fs::File, io::Read, path::Path};

use sha2::{Digest, Sha256};

use super::{
    ModelError, ModelFiles,
    cache::{etag_of, pin_of},
    download::hex,
};

/// Hashes every file whose SHA-256 is known (pinned, or large files of the hub, whose blob is
/// named by it). Returns how many files were checked, and how many have no known hash.
///
/// # Errors
/// [`ModelError::Damaged`] for the first file that differs.
pub fn verify(files: &ModelFiles) -> Result<(usize, usize), ModelError> {
    let (mut checked, mut unknown) = (0, 0);
    for path in files.paths() {
        match check(&files.model, &path)? {
            true => checked += 1,
            false => unknown += 1,
        }
    }
    Ok((checked, unknown))
}

/// Hashes one file of the model `repo`; whether its SHA-256 is known.
///
/// # Errors
/// [`ModelError::Damaged`] if it is another.
pub(super) fn check(repo: &str, path: &Path) -> Result<bool, ModelError> {
    let is_sha256 = |name: &String| name.len() == 64 && name.bytes().all(|b| b.is_ascii_hexdigit());
    let pinned = pin_of(repo, path).map(|pin| pin.sha256.to_owned());
    let Some(expected) = pinned.or_else(|| etag_of(path).filter(is_sha256)) else {
        return Ok(false);
    };
    let found = sha256(path)?;
    if found == expected {
        return Ok(true);
    }
    let (what, model) = (path.display().to_string(), repo.to_owned());
    Err(ModelError::Damaged { what, property: "sha256", found, expected, model })
}

pub(super) fn sha256(path: &Path) -> Result<String, ModelError> {
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
