//! Stores that this process may read and not write: of another user, on a read-only file system.
//!
//! SQLite wants to make files beside a store with a write-ahead log even to read it. Here nothing
//! is made beside it, and it is not migrated:
//!
//! - Where the log is empty, the file alone is the store: it is opened as one that does not change
//!   (`immutable`, <https://www.sqlite.org/uri.html>).
//! - Where a run is under way, its log and index can be read beside it.
//! - Otherwise (a log that a killed run left, or the format of an older version) a copy in the
//!   folder for temporary files is read, and put in order there.

use std::{
    fs::{self, File, OpenOptions},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use reqwest::Url;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tempfile::TempDir;

use super::{StoreError, schema};

/// A connection to read with, and the copy that it reads, where it is one.
pub(super) type Opened = (Connection, Option<TempDir>);

/// Whether this process may change the file.
pub(super) fn may_write(path: &Path) -> bool {
    OpenOptions::new().write(true).open(path).is_ok()
}

/// Whether opening for writing failed only because of a place that cannot be written, or has no
/// room for the log's index.
pub(super) fn is_about_the_place(error: &StoreError) -> bool {
    if matches!(error, StoreError::Full | StoreError::Io(_)) {
        return true;
    }
    let (StoreError::Open { source: e, .. } | StoreError::Sqlite(e)) = error else { return false };
    matches!(
        e.sqlite_error_code(),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied)
    )
}

/// # Errors
/// The file cannot be read, or is no store of this program.
pub(super) fn open(path: &Path) -> Result<Opened, StoreError> {
    // Says more than SQLite: "permission denied".
    File::open(path).map_err(|source| StoreError::Unreadable { path: path.to_owned(), source })?;
    let log = beside(path, "-wal");
    let logged = fs::metadata(&log).is_ok_and(|found| found.len() > 0);
    let found = if logged {
        // Works as long as a writer keeps the log's index.
        with_flags(path, OpenFlags::empty(), "")
    } else {
        with_flags(path, OpenFlags::SQLITE_OPEN_URI, "?immutable=1")
    };
    match found {
        Ok(connection) if schema::is_current(&connection, path)? => return Ok((connection, None)),
        Ok(_) => {}
        Err(_) if logged => {}
        Err(e) => return Err(e),
    }
    copy(path, logged.then_some(log))
}

fn with_flags(path: &Path, flags: OpenFlags, query: &str) -> Result<Connection, StoreError> {
    let fail = |source| StoreError::Open { path: path.to_owned(), source };
    let name = match query {
        "" => path.to_owned(),
        query => format!("{}{query}", uri(path)?).into(),
    };
    let flags = flags | OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(name, flags).map_err(fail)?;
    connection.busy_timeout(super::PATIENCE)?;
    // Opening alone reads nothing.
    connection
        .query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get::<_, i64>(0))
        .map_err(|e| match e.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StoreError::from(e),
            _ => fail(e),
        })?;
    Ok(connection)
}

/// The path as an address, in which SQLite takes settings.
fn uri(path: &Path) -> Result<String, StoreError> {
    let fail = |source| StoreError::Unreadable { path: path.to_owned(), source };
    let absolute = std::path::absolute(path).map_err(fail)?;
    let url = Url::from_file_path(absolute).map_err(|()| fail(ErrorKind::InvalidInput.into()))?;
    Ok(url.into())
}

/// Reads a copy, which is recovered and migrated.
fn copy(path: &Path, log: Option<PathBuf>) -> Result<Opened, StoreError> {
    let fail = |source| StoreError::Copy { path: path.to_owned(), source };
    let folder = tempfile::Builder::new().prefix("scraper-store-").tempdir().map_err(fail)?;
    let to = folder.path().join("store.db");
    // A writer may fold the log into the file meanwhile: then it is copied again.
    for _ in 0..3 {
        let before = stamps(path);
        fs::copy(path, &to).map_err(fail)?;
        let log_to = beside(&to, "-wal");
        if let Some(log) = &log {
            match fs::copy(log, &log_to) {
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                copied => drop(copied.map_err(fail)?),
            }
        }
        if stamps(path) == before {
            break;
        }
    }
    for file in [to.clone(), beside(&to, "-wal")] {
        make_writable(&file);
    }
    let mut connection = Connection::open(&to)
        .map_err(|source| StoreError::Open { path: path.to_owned(), source })?;
    schema::migrate(&mut connection, path)?;
    Ok((connection, Some(folder)))
}

/// The copy has the permissions of the original.
fn make_writable(path: &Path) {
    #[cfg(unix)]
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    #[cfg(not(unix))]
    let permissions = {
        let Ok(found) = fs::metadata(path) else { return };
        let mut permissions = found.permissions();
        permissions.set_readonly(false);
        permissions
    };
    let _ = fs::set_permissions(path, permissions);
}

fn stamps(path: &Path) -> [Option<(u64, std::time::SystemTime)>; 2] {
    [path.to_owned(), beside(path, "-wal")].map(|file| {
        let found = fs::metadata(file).ok()?;
        Some((found.len(), found.modified().ok()?))
    })
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
