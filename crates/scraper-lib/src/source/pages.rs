//! What pages, feeds and sitemaps said when they were last read: with it, the next run asks
//! "has it changed?" and downloads nothing that has not.

use std::{
    io::{Read, Write},
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use rusqlite::{Connection, OptionalExtension, params};

use crate::fetch::Validators;

/// Of the layout below and of what sources store; another version empties the file.
const VERSION: i64 = 1;
/// What was not used for so long is removed.
const KEEP: Duration = Duration::from_secs(60 * 24 * 3600);

/// One document as it was last seen.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Page {
    pub(super) validators: Validators,
    /// What the sitemap said when it was read.
    pub(super) lastmod: Option<String>,
    /// Its bytes, or what a source made of them.
    pub(super) content: Vec<u8>,
}

/// A file of pages. It only saves work: it may be removed at any time.
#[derive(Debug)]
pub struct Pages(Mutex<Connection>);

impl Pages {
    /// Opens or makes the file.
    ///
    /// # Errors
    /// It cannot be opened or written.
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        Self::prepare(Connection::open(path)?)
    }

    /// Pages that are forgotten when the program ends.
    ///
    /// # Errors
    /// None in practice.
    pub fn in_memory() -> rusqlite::Result<Self> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(connection: Connection) -> rusqlite::Result<Self> {
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if found != VERSION {
            connection.execute_batch(
                "DROP TABLE IF EXISTS pages;
                 CREATE TABLE pages (
                     key           TEXT PRIMARY KEY,
                     etag          TEXT,
                     last_modified TEXT,
                     lastmod       TEXT,
                     used          INTEGER NOT NULL,
                     content       BLOB NOT NULL
                 ) STRICT;",
            )?;
            connection.pragma_update(None, "user_version", VERSION)?;
        }
        let old = now().saturating_sub(i64::try_from(KEEP.as_secs()).unwrap_or(i64::MAX));
        connection.execute("DELETE FROM pages WHERE used < ?1", [old])?;
        Ok(Pages(Mutex::new(connection)))
    }

    pub(super) fn get(&self, key: &str) -> rusqlite::Result<Option<Page>> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = "UPDATE pages SET used = ?2 WHERE key = ?1
                   RETURNING etag, last_modified, lastmod, content";
        let found = connection
            .prepare_cached(sql)?
            .query_row(params![key, now()], |row| {
                let validators = Validators { etag: row.get(0)?, last_modified: row.get(1)? };
                Ok((validators, row.get(2)?, row.get::<_, Vec<u8>>(3)?))
            })
            .optional()?;
        Ok(found.and_then(|(validators, lastmod, packed)| {
            let mut content = Vec::new();
            // Damaged: as if it were not there.
            DeflateDecoder::new(packed.as_slice()).read_to_end(&mut content).ok()?;
            Some(Page { validators, lastmod, content })
        }))
    }

    pub(super) fn put(&self, key: &str, page: &Page) -> rusqlite::Result<()> {
        let mut packed = DeflateEncoder::new(Vec::new(), Compression::fast());
        let packed = packed.write_all(&page.content).and_then(|()| packed.finish());
        let Ok(packed) = packed else { return Ok(()) }; // memory never fails to be written
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sql = "INSERT OR REPLACE INTO pages (key, etag, last_modified, lastmod, used, content)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let Validators { etag, last_modified } = &page.validators;
        connection.prepare_cached(sql)?.execute(params![
            key,
            etag,
            last_modified,
            page.lastmod,
            now(),
            packed
        ])?;
        Ok(())
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_survive_and_old_ones_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pages.db");
        let page = Page {
            validators: Validators { etag: Some("\"1\"".into()), last_modified: None },
            lastmod: Some("2026-01-01".into()),
            content: b"text".repeat(1000),
        };
        Pages::open(&path).unwrap().put("a", &page).unwrap();
        let pages = Pages::open(&path).unwrap();
        assert_eq!(pages.get("a").unwrap().unwrap(), page);
        assert_eq!(pages.get("b").unwrap(), None);
        pages.0.lock().unwrap().execute("UPDATE pages SET used = 5", []).unwrap();
        drop(pages);
        assert_eq!(Pages::open(&path).unwrap().get("a").unwrap(), None);
    }

    #[test]
    fn another_version_starts_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pages.db");
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TABLE pages (x); PRAGMA user_version = 99").unwrap();
        drop(connection);
        assert_eq!(Pages::open(&path).unwrap().get("a").unwrap(), None);
    }
}
