//! Tables of the SQLite store and how older files become newer ones.

use std::path::Path;

use rusqlite::{Connection, Transaction};

use super::StoreError;

/// "CLIP": tells this program's files from other databases.
const APPLICATION_ID: i64 = 0x434c_4950;

/// Step `n` turns version `n` into `n + 1`. Released steps are never edited.
const MIGRATIONS: [&str; 1] = ["
    CREATE TABLE provenances (
        id   INTEGER PRIMARY KEY,
        json TEXT NOT NULL UNIQUE
    ) STRICT;
    -- One row: the provenance that reads and runs use.
    CREATE TABLE current (
        one        INTEGER PRIMARY KEY CHECK (one = 1),
        provenance INTEGER NOT NULL REFERENCES provenances
    ) STRICT;
    CREATE TABLE products (
        id    TEXT PRIMARY KEY,
        title TEXT,
        url   TEXT
    ) STRICT, WITHOUT ROWID;
    -- sha256 is null until the image was fetched and read.
    CREATE TABLE images (
        product       TEXT NOT NULL REFERENCES products ON DELETE CASCADE,
        position      INTEGER NOT NULL,
        address       TEXT NOT NULL,
        sha256        BLOB,
        bytes         INTEGER,
        etag          TEXT,
        last_modified TEXT,
        PRIMARY KEY (product, position)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX images_by_sha256 ON images (sha256);
    -- vector: little-endian f32, as projected by the model (not normalised).
    CREATE TABLE vectors (
        sha256     BLOB NOT NULL,
        provenance INTEGER NOT NULL REFERENCES provenances,
        vector     BLOB NOT NULL,
        PRIMARY KEY (sha256, provenance)
    ) STRICT;
    CREATE TABLE quarantine (
        product  TEXT NOT NULL,
        position INTEGER NOT NULL,
        kind     TEXT NOT NULL,
        message  TEXT NOT NULL,
        PRIMARY KEY (product, position),
        FOREIGN KEY (product, position) REFERENCES images ON DELETE CASCADE
    ) STRICT, WITHOUT ROWID;
"];

/// Brings a new or older file to the newest version.
pub(super) fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let known = MIGRATIONS.len() as i64;
    let version = version(connection, path)?;
    if version == known {
        return Ok(());
    }
    // Another process may migrate at the same time: look again under the write lock.
    let transaction =
        Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)?;
    let version = self::version(&transaction, path)?;
    for step in MIGRATIONS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

fn version(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let found = pragma("user_version")?;
    let known = MIGRATIONS.len() as i64;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    if tables > 0 && pragma("application_id")? != APPLICATION_ID {
        return Err(StoreError::Foreign(path.to_owned()));
    }
    if found > known {
        return Err(StoreError::Newer { path: path.to_owned(), found, known });
    }
    Ok(found)
}
