//! Files of this machine: only regular ones, which are there at once and end.

use std::{io, path::Path};

use tokio::io::AsyncReadExt;

use super::FetchError;

/// Why a link is not followed.
pub(crate) const OUTSIDE: &str =
    "it is a link that leads out of the folder; --follow-symlinks follows it";

/// Reads a regular file of at most `limit` bytes. A pipe, a device or a folder is an error at
/// once, and what says that it is empty (`/proc`) is not read.
///
/// # Errors
/// [`FetchError::File`] or [`FetchError::TooLarge`], with the path.
pub async fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, FetchError> {
    let fail = |source| FetchError::File { path: path.to_owned(), source };
    let too_large = || FetchError::TooLarge { what: path.display().to_string(), limit };
    // Before it is opened: that alone waits for a pipe's writer, and wakes devices.
    let regular = |meta: std::fs::Metadata| match meta.is_file() {
        true => Ok(meta.len()),
        false => Err(fail(io::Error::other("it is not a regular file"))),
    };
    match regular(tokio::fs::metadata(path).await.map_err(fail)?)? {
        0 => return Ok(Vec::new()),
        length if length > limit => return Err(too_large()),
        _ => {}
    }
    let file = tokio::fs::File::open(path).await.map_err(fail)?;
    regular(file.metadata().await.map_err(fail)?)?; // it may have been changed meanwhile
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).await.map_err(fail)?;
    if bytes.len() as u64 > limit {
        return Err(too_large());
    }
    Ok(bytes)
}

/// The same for a file that must lie in the folder `tree`, wherever links lead.
///
/// # Errors
/// Those of [`read_file`]; [`FetchError::File`] where it lies elsewhere.
pub(super) async fn read_inside(
    tree: &Path,
    path: &Path,
    limit: u64,
) -> Result<Vec<u8>, FetchError> {
    let fail = |source| FetchError::File { path: path.to_owned(), source };
    let tree = tokio::fs::canonicalize(tree).await.map_err(fail)?;
    let target = tokio::fs::canonicalize(path).await.map_err(fail)?;
    if !target.starts_with(&tree) {
        return Err(fail(io::Error::other(OUTSIDE)));
    }
    read_file(&target, limit).await
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::fs::symlink, time::Duration};

    use super::*;

    async fn read(path: &Path) -> Result<Vec<u8>, String> {
        let reading = tokio::time::timeout(Duration::from_secs(20), read_file(path, 1 << 20));
        reading.await.expect("nothing is waited for").map_err(|e| e.to_string())
    }

    #[tokio::test]
    async fn only_regular_files_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("a"), "abc").unwrap();
        symlink(path("a"), path("link")).unwrap();
        assert_eq!(
            (read(&path("a")).await, read(&path("link")).await.unwrap().len()),
            (Ok("abc".into()), 3)
        );
        let made = std::process::Command::new("mkfifo").arg(path("pipe")).status();
        assert!(made.unwrap().success());
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        for name in [&path("pipe"), &path("socket"), dir.path(), Path::new("/dev/zero")] {
            let error = read(name).await.unwrap_err();
            assert!(error.contains("not a regular file"), "{error}");
        }
        assert_eq!(read(Path::new("/proc/self/environ")).await.unwrap_or_default(), b"");
        assert_eq!(read_file(&path("none"), 1).await.unwrap_err().kind(), "file.missing");
        assert_eq!(read_file(&path("a"), 2).await.unwrap_err().kind(), "fetch.too_large");
    }

    #[tokio::test]
    async fn what_lies_outside_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        fs::create_dir(&root).unwrap();
        fs::write(dir.path().join("secret"), "abc").unwrap();
        fs::write(root.join("a"), "abc").unwrap();
        symlink("a", root.join("inside")).unwrap();
        symlink("../secret", root.join("outside")).unwrap();
        for (name, good) in
            [("a", true), ("inside", true), ("outside", false), ("../secret", false)]
        {
            let read = read_inside(&root, &root.join(name), 99).await;
            assert_eq!(read.is_ok(), good, "{name}");
        }
        let absolute = root.join(dir.path().join("secret"));
        assert!(read_inside(&root, &absolute, 99).await.is_err());
    }
}
