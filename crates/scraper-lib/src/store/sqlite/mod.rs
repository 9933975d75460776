//! The store in one SQLite file: write-ahead log, one writer, readers beside it.

mod import;
mod merge;
mod read;
mod read_only;
mod schema;
mod write;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clip_core::Provenance;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use tempfile::TempDir;

pub use merge::{Merged, merge};
pub use read::SqliteLookup;

use super::{
    Failure, ImageHash, Lookup, Row, Shard, SourceFailure, Stamp, State, Store, StoreError, Swept,
    Vanishing, View, Write, refused::Refusals,
};
use crate::{
    report::FailureNote,
    source::{Base, Product},
};

/// How long a process waits while another one commits.
const PATIENCE: Duration = Duration::from_secs(30);

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
    refusals: Refusals,
    /// What is read instead, where the store may not be written; removed at the end.
    _copy: Option<TempDir>,
}

impl SqliteStore {
    /// Opens the store, making or migrating it.
    ///
    /// # Errors
    /// [`StoreError`] says why the file cannot be used.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let fail = |source| StoreError::Open { path: path.to_owned(), source };
        let mut connection = Connection::open(path).map_err(fail)?;
        connection.busy_timeout(PATIENCE)?;
        // Of a new file: of the usual 4096 bytes, a vector of 512 values would leave half unused.
        connection.pragma_update(None, "page_size", 8192)?;
        schema::migrate(&mut connection, path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A commit survives power loss too; one per batch costs nothing beside the embedding.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        // One that first reads and then writes would not wait for another's, but fail at once.
        connection.set_transaction_behavior(TransactionBehavior::Immediate);
        Self::on(connection, path, None)
    }

    /// Opens a store that must be there, for reading results: also where nothing may be written.
    ///
    /// # Errors
    /// [`StoreError::Missing`] and those of [`SqliteStore::open`].
    pub fn open_existing(path: &Path) -> Result<Self, StoreError> {
        match std::fs::metadata(path) {
            Ok(found) if found.is_file() => {}
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(StoreError::Unreadable { path: path.to_owned(), source: e });
            }
            _ => return Err(StoreError::Missing(path.to_owned())),
        }
        if read_only::may_write(path) {
            match Self::open(path) {
                Err(e) if read_only::is_about_the_place(&e) => {}
                opened => return opened,
            }
        }
        let (connection, copy) = read_only::open(path)?;
        Self::on(connection, path, copy)
    }

    fn on(connection: Connection, path: &Path, copy: Option<TempDir>) -> Result<Self, StoreError> {
        let mut store = SqliteStore {
            connection,
            path: path.to_owned(),
            provenance: None,
            run: 0,
            shard: None,
            refusals: Refusals::default(),
            _copy: copy,
        };
        store.provenance = store.current()?.map(|(id, _)| id);
        Ok(store)
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
        let mut provenance = provenance.clone();
        let mut known = None;
        if let Some((id, stored)) = self.current()? {
            if stored.agrees(&provenance) {
                known = Some(id);
                provenance.tokenizer = provenance.tokenizer.or(stored.tokenizer);
            } else if !reembed {
                let (stored, run) = (Box::new(stored), Box::new(provenance));
                return Err(StoreError::Provenance { stored, run });
            }
        }
        let json = serde_json::to_string(&provenance)
            .map_err(|e| StoreError::Damaged(format!("provenance: {e}")))?;
        let transaction = self.connection.transaction()?;
        if let Some(id) = known {
            // The store may be older than what is known of provenances now.
            let update = "UPDATE OR IGNORE provenances SET json = ?1 WHERE id = ?2";
            transaction.execute(update, params![json, id])?;
        }
        transaction.execute("INSERT OR IGNORE INTO provenances (json) VALUES (?1)", [&json])?;
        let id: i64 = match known {
            Some(id) => id,
            None => transaction.query_row(
                "SELECT id FROM provenances WHERE json = ?1",
                [&json],
                |row| row.get(0),
            )?,
        };
        let run: i64 = transaction.query_row(
            "INSERT INTO current (one, provenance, run, shard) VALUES (1, ?1, 1, ?2)
             ON CONFLICT DO UPDATE
             SET provenance = excluded.provenance, run = run + 1, shard = excluded.shard
             RETURNING run",
            params![id, self.shard.map(|shard| shard.to_string())],
            |row| row.get(0),
        )?;
        schema::stamp(&transaction)?;
        transaction.commit()?;
        (self.provenance, self.run) = (Some(id), run);
        Ok(())
    }

    fn apply(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let (provenance, run) = (self.provenance, self.run);
        let connection = &mut self.connection;
        self.refusals.around(writes, &mut |writes| {
            let transaction = connection.transaction()?;
            writes.iter().try_for_each(|one| write::write(&transaction, one, provenance, run))?;
            schema::stamp(&transaction)?;
            Ok(transaction.commit()?)
        })
    }

    fn refused(&mut self) -> Vec<FailureNote> {
        self.refusals.take()
    }

    fn sweep(&mut self, complete: &[String], vanishing: &Vanishing) -> Result<Swept, StoreError> {
        let (run, shard) = (self.run, self.shard);
        let transaction = self.connection.transaction()?;
        let mut swept = Swept::default();
        for source in complete {
            write::sweep(&transaction, source, run, shard, vanishing, &mut swept)?;
        }
        if !complete.is_empty() {
            write::drop_orphans(&transaction)?;
        }
        schema::stamp(&transaction)?;
        transaction.commit()?;
        Ok(swept)
    }

    fn provenance(&self) -> Result<Option<Provenance>, StoreError> {
        Ok(self.current()?.map(|(_, provenance)| provenance))
    }

    fn rows(&self, view: &View, visit: &mut dyn FnMut(Row) -> bool) -> Result<(), StoreError> {
        read::rows_but(&self.connection, view, &|_| false, visit)
    }

    fn stamp(&self) -> Result<Option<Stamp>, StoreError> {
        Ok(read::state(&self.connection)?.map(|state| state.stamp))
    }

    fn scan_folder(&self) -> Option<PathBuf> {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".scan");
        Some(name.into())
    }

    fn state(
        &self,
        known: &dyn Fn(&State, &ImageHash) -> bool,
        visit: &mut dyn FnMut(&State, Row) -> bool,
    ) -> Result<Option<State>, StoreError> {
        // Of an older version, or changed by another program.
        if read::state(&self.connection)?.is_none() {
            schema::stamp(&self.connection)?;
        }
        let deferred = TransactionBehavior::Deferred;
        let transaction = Transaction::new_unchecked(&self.connection, deferred)?;
        let Some(state) = read::state(&transaction)? else { return Ok(None) };
        let known = |hash: &ImageHash| known(&state, hash);
        read::rows_but(&transaction, &View::default(), &known, &mut |row| visit(&state, row))?;
        Ok(Some(state))
    }

    fn products(&self, names: &[(&str, &str)]) -> Result<Vec<Option<Product>>, StoreError> {
        names.iter().map(|(source, id)| read::one_product(&self.connection, source, id)).collect()
    }

    fn sources(&self) -> Result<Vec<(String, Base)>, StoreError> {
        read::sources(&self.connection)
    }

    fn failures(&self) -> Result<Vec<Failure>, StoreError> {
        read::failures(&self.connection)
    }

    fn source_failures(&self) -> Result<Vec<SourceFailure>, StoreError> {
        read::source_failures(&self.connection)
    }

    fn unsettled(&self) -> Result<u64, StoreError> {
        read::unsettled(&self.connection, self.run, self.provenance)
    }

    fn lookup(&self) -> Result<Box<dyn Lookup>, StoreError> {
        Ok(Box::new(SqliteLookup::open(&self.path, self.provenance)?))
    }
}

#[cfg(test)]
mod tests;
