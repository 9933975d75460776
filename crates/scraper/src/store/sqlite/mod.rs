//! The store in one SQLite file: write-ahead log, one writer, readers beside it.

mod merge;
mod read;
mod schema;
mod write;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clip_core::Provenance;
use rusqlite::{Connection, OptionalExtension, params};

pub use merge::{Merged, merge};
pub use read::SqliteLookup;

use super::{Failure, Lookup, Row, Shard, Store, StoreError, Swept, View, Write};
use crate::source::Base;

/// See `schema.rs` for the tables.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    path: PathBuf,
    /// Row of `provenances` that the run writes under.
    provenance: Option<i64>,
    /// Number of the run.
    run: i64,
    shard: Option<Shard>,
}

impl SqliteStore {
    /// Opens the store, making or migrating it.
    ///
    /// # Errors
    /// [`StoreError`] says why the file cannot be used.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let fail = |source| StoreError::Open { path: path.to_owned(), source };
        let mut connection = Connection::open(path).map_err(fail)?;
        connection.busy_timeout(Duration::from_secs(30))?;
        schema::migrate(&mut connection, path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A commit survives power loss too; one per batch costs nothing beside the embedding.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let mut store = SqliteStore {
            connection,
            path: path.to_owned(),
            provenance: None,
            run: 0,
            shard: None,
        };
        store.provenance = store.current()?.map(|(id, _)| id);
        Ok(store)
    }

    /// Opens a store that must be there, for reading results.
    ///
    /// # Errors
    /// [`StoreError::Missing`] and those of [`SqliteStore::open`].
    pub fn open_existing(path: &Path) -> Result<Self, StoreError> {
        match path.is_file() {
            true => Self::open(path),
            false => Err(StoreError::Missing(path.to_owned())),
        }
    }

    /// The share of the products that the next run is about; it leaves the others as they are.
    #[must_use]
    pub fn with_shard(mut self, shard: Option<Shard>) -> Self {
        self.shard = shard;
        self
    }

    fn current(&self) -> Result<Option<(i64, Provenance)>, StoreError> {
        let sql = "SELECT id, json FROM provenances
                   WHERE id = (SELECT provenance FROM current)";
        let found: Option<(i64, String)> =
            self.connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        let Some((id, json)) = found else { return Ok(None) };
        let provenance = serde_json::from_str(&json)
            .map_err(|e| StoreError::Damaged(format!("provenance {id}: {e}")))?;
        Ok(Some((id, provenance)))
    }
}

impl Store for SqliteStore {
    fn begin(
        &mut self,
        provenance: &Provenance,
        _dim: usize,
        reembed: bool,
    ) -> Result<(), StoreError> {
        if let Some((_, stored)) = self.current()?
            && stored != *provenance
            && !reembed
        {
            let (stored, run) = (Box::new(stored), Box::new(provenance.clone()));
            return Err(StoreError::Provenance { stored, run });
        }
        let json = serde_json::to_string(provenance)
            .map_err(|e| StoreError::Damaged(format!("provenance: {e}")))?;
        let transaction = self.connection.transaction()?;
        transaction.execute("INSERT OR IGNORE INTO provenances (json) VALUES (?1)", [&json])?;
        let id: i64 = transaction.query_row(
            "SELECT id FROM provenances WHERE json = ?1",
            [&json],
            |row| row.get(0),
        )?;
        let run: i64 = transaction.query_row(
            "INSERT INTO current (one, provenance, run, shard) VALUES (1, ?1, 1, ?2)
             ON CONFLICT DO UPDATE
             SET provenance = excluded.provenance, run = run + 1, shard = excluded.shard
             RETURNING run",
            params![id, self.shard.map(|shard| shard.to_string())],
            |row| row.get(0),
        )?;
        transaction.commit()?;
        (self.provenance, self.run) = (Some(id), run);
        Ok(())
    }

    fn apply(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let (provenance, run) = (self.provenance, self.run);
        let transaction = self.connection.transaction()?;
        writes.iter().try_for_each(|one| write::write(&transaction, one, provenance, run))?;
        transaction.commit()?;
        Ok(())
    }

    fn sweep(&mut self, complete: &[String], keep: u32) -> Result<Swept, StoreError> {
        let (run, shard) = (self.run, self.shard);
        let transaction = self.connection.transaction()?;
        let mut swept = Swept::default();
        for source in complete {
            write::sweep(&transaction, source, run, shard, keep, &mut swept)?;
        }
        if !complete.is_empty() {
            write::drop_orphans(&transaction)?;
        }
        transaction.commit()?;
        Ok(swept)
    }

    fn provenance(&self) -> Result<Option<Provenance>, StoreError> {
        Ok(self.current()?.map(|(_, provenance)| provenance))
    }

    fn rows(&self, view: &View, visit: &mut dyn FnMut(Row) -> bool) -> Result<(), StoreError> {
        read::rows(&self.connection, view, visit)
    }

    fn sources(&self) -> Result<Vec<(String, Base)>, StoreError> {
        read::sources(&self.connection)
    }

    fn failures(&self) -> Result<Vec<Failure>, StoreError> {
        read::failures(&self.connection)
    }

    fn lookup(&self) -> Result<Box<dyn Lookup>, StoreError> {
        Ok(Box::new(SqliteLookup::open(&self.path, self.provenance)?))
    }
}

#[cfg(test)]
mod tests;
