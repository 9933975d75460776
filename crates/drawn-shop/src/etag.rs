//! ETags of files, so that a conditional request costs what it costs a shop: no reading, no hashing.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

use sha2::{Digest, Sha256};

/// What tells that a file is as it was: a changed one of the same length and time has another inode,
/// or another time at which that was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    length: u64,
    pub(crate) modified: Option<SystemTime>,
    #[cfg(unix)]
    changed: (u64, i64, i64),
}

impl Stamp {
    /// `None` where there is no such file.
    pub(crate) async fn of(path: &Path) -> Option<Self> {
        #[cfg(unix)]
        use std::os::unix::fs::MetadataExt;
        let metadata = tokio::fs::metadata(path).await.ok().filter(|m| m.is_file())?;
        Some(Stamp {
            length: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            changed: (metadata.ino(), metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}

/// The ETags of files that were read.
#[derive(Debug, Default)]
pub(crate) struct Tags(Mutex<HashMap<PathBuf, (Stamp, String)>>);

impl Tags {
    /// `None` where the file was not read, or is not what it was.
    pub(crate) fn known(&self, path: &Path, stamp: &Stamp) -> Option<String> {
        let tags = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tags.get(path).filter(|(known, _)| known == stamp).map(|(_, tag)| tag.clone())
    }

    /// `stamp` was taken before the file was read.
    pub(crate) fn keep(&self, path: PathBuf, stamp: Stamp, tag: String) {
        let mut tags = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tags.insert(path, (stamp, tag));
    }
}

/// Of a file with this content.
pub(crate) fn etag(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    let tag: String = digest.iter().take(12).map(|b| format!("{b:02x}")).collect();
    format!("\"{tag}\"")
}
