//! Where this program keeps what it can make again.

use std::path::PathBuf;

/// Folders for it, the best first: `clip-scraper` in `XDG_CACHE_HOME` or the home folder's `.cache`, then
/// a folder of this user alone among the temporary files. They need not be there, nor take files.
pub(crate) fn folders() -> impl Iterator<Item = PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = || Some(PathBuf::from(set("HOME").or_else(|| set("USERPROFILE"))?).join(".cache"));
    let cache = set("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    let cache = cache.map(|cache| cache.join("clip-scraper"));
    cache.into_iter().chain(std::iter::once_with(private_temporary).flatten())
}

/// The first of them that is there or can be made: a container may have a home that nobody can write to.
pub(crate) fn folder() -> Option<PathBuf> {
    folders().find(|folder| std::fs::create_dir_all(folder).is_ok())
}

/// A folder that other users of the machine can neither read nor fill.
#[cfg(unix)]
fn private_temporary() -> Option<PathBuf> {
    use std::{
        fs,
        os::unix::fs::{DirBuilderExt, MetadataExt},
    };
    // Its owner is whoever this process is.
    let me = tempfile::tempfile().ok()?.metadata().ok()?.uid();
    let folder = std::env::temp_dir().join(format!("clip-scraper-{me}"));
    let _ = fs::DirBuilder::new().mode(0o700).create(&folder);
    let found = fs::symlink_metadata(&folder).ok()?;
    (found.is_dir() && found.uid() == me && found.mode() & 0o077 == 0).then_some(folder)
}

#[cfg(not(unix))]
fn private_temporary() -> Option<PathBuf> {
    Some(std::env::temp_dir().join("clip-scraper"))
}
