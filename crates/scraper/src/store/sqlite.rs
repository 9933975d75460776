//! The store in one SQLite file: write-ahead log, one writer, readers beside it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clip_core::Provenance;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::{Failure, ImageHash, ImageKey, Lookup, Row, Store, StoreError, Write, schema::migrate};
use crate::{fetch::Validators, source::Product};

/// See `schema.rs` for the tables.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    path: PathBuf,
    /// Row of `provenances` that the run writes under.
    provenance: Option<i64>,
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
        migrate(&mut connection, path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // A commit survives power loss too; one per batch costs nothing beside the embedding.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        let mut store = SqliteStore { connection, path: path.to_owned(), provenance: None };
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
    fn begin(&mut self, provenance: &Provenance, reembed: bool) -> Result<(), StoreError> {
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
        transaction.execute("INSERT OR REPLACE INTO current VALUES (1, ?1)", [id])?;
        transaction.commit()?;
        self.provenance = Some(id);
        Ok(())
    }

    fn apply(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let provenance = self.provenance;
        let transaction = self.connection.transaction()?;
        for write in writes {
            match write {
                Write::Product(product) => put_product(&transaction, product)?,
                Write::Image { key, hash, bytes, validators } => {
                    transaction
                        .prepare_cached(
                            "UPDATE images SET sha256 = ?3, bytes = ?4, etag = ?5,
                             last_modified = ?6
                             WHERE product = ?1 AND position = ?2 AND address = ?7",
                        )?
                        .execute(params![
                            key.product,
                            key.position,
                            hash,
                            i64::try_from(*bytes).unwrap_or(i64::MAX),
                            validators.etag,
                            validators.last_modified,
                            key.address
                        ])?;
                    release(&transaction, key)?;
                }
                Write::Unchanged { key } => release(&transaction, key)?,
                Write::Vector { hash, values } => {
                    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
                    transaction
                        .prepare_cached(
                            "INSERT OR IGNORE INTO vectors (sha256, provenance, vector)
                             VALUES (?1, ?2, ?3)",
                        )?
                        .execute(params![hash, provenance, bytes])?;
                }
                Write::Failure { key, kind, message } => {
                    transaction
                        .prepare_cached(
                            "INSERT OR REPLACE INTO quarantine (product, position, kind, message)
                             SELECT product, position, ?3, ?4 FROM images
                             WHERE product = ?1 AND position = ?2 AND address = ?5",
                        )?
                        .execute(params![key.product, key.position, kind, message, key.address])?;
                }
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn provenance(&self) -> Result<Option<Provenance>, StoreError> {
        Ok(self.current()?.map(|(_, provenance)| provenance))
    }

    fn rows(&self, visit: &mut dyn FnMut(Row) -> bool) -> Result<(), StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT p.id, p.title, p.url, i.address, i.position, i.sha256, v.vector
             FROM products p
             JOIN images i ON i.product = p.id
             JOIN vectors v ON v.sha256 = i.sha256
             WHERE v.provenance = (SELECT provenance FROM current)
             ORDER BY p.id, i.position",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let product: String = row.get(0)?;
            let vector = row.get_ref(6)?.as_blob().unwrap_or_default();
            let (chunks, rest) = vector.as_chunks::<4>();
            if chunks.is_empty() || !rest.is_empty() {
                return Err(StoreError::Damaged(format!("the vector of {product} is cut")));
            }
            let row = Row {
                product,
                title: row.get(1)?,
                url: row.get(2)?,
                image: row.get(3)?,
                position: row.get(4)?,
                hash: row.get(5)?,
                values: chunks.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect(),
            };
            if !visit(row) {
                break;
            }
        }
        Ok(())
    }

    fn failures(&self) -> Result<Vec<Failure>, StoreError> {
        let mut statement = self.connection.prepare(
            "SELECT product, position, address, kind, message
             FROM quarantine JOIN images USING (product, position)
             ORDER BY product, position",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(Failure {
                key: ImageKey { product: row.get(0)?, position: row.get(1)?, address: row.get(2)? },
                kind: row.get(3)?,
                message: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn lookup(&self) -> Result<Box<dyn Lookup>, StoreError> {
        let open = || -> rusqlite::Result<Connection> {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let connection = Connection::open_with_flags(&self.path, flags)?;
            connection.busy_timeout(Duration::from_secs(30))?;
            Ok(connection)
        };
        let connection =
            open().map_err(|source| StoreError::Open { path: self.path.clone(), source })?;
        Ok(Box::new(SqliteLookup { connection, provenance: self.provenance }))
    }
}

/// Out of the quarantine.
fn release(connection: &Connection, key: &ImageKey) -> Result<(), StoreError> {
    connection
        .prepare_cached("DELETE FROM quarantine WHERE product = ?1 AND position = ?2")?
        .execute(params![key.product, key.position])?;
    Ok(())
}

fn put_product(connection: &Connection, product: &Product) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO products (id, title, url) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET title = excluded.title, url = excluded.url",
        )?
        .execute(params![product.id, product.title, product.url])?;
    connection
        .prepare_cached("DELETE FROM images WHERE product = ?1 AND position >= ?2")?
        .execute(params![product.id, i64::try_from(product.images.len()).unwrap_or(i64::MAX)])?;
    // Another address is another image: nothing that was known holds for it.
    let mut moved = connection.prepare_cached(
        "DELETE FROM images WHERE product = ?1 AND position = ?2 AND address <> ?3",
    )?;
    let mut put = connection.prepare_cached(
        "INSERT OR IGNORE INTO images (product, position, address) VALUES (?1, ?2, ?3)",
    )?;
    for (position, address) in product.images.iter().enumerate() {
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        moved.execute(params![product.id, position, address])?;
        put.execute(params![product.id, position, address])?;
    }
    Ok(())
}

/// A read-only connection beside the writer's.
#[derive(Debug)]
pub struct SqliteLookup {
    connection: Connection,
    provenance: Option<i64>,
}

impl Lookup for SqliteLookup {
    fn has_vector(&self, hash: &ImageHash) -> Result<bool, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT 1 FROM vectors WHERE sha256 = ?1 AND provenance = ?2")?;
        Ok(statement.exists(params![hash, self.provenance])?)
    }

    fn validators(&self, key: &ImageKey) -> Result<Option<Validators>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT etag, last_modified FROM images i
             WHERE product = ?1 AND position = ?2 AND address = ?3
             AND (etag IS NOT NULL OR last_modified IS NOT NULL)
             AND EXISTS (SELECT 1 FROM vectors v
                         WHERE v.sha256 = i.sha256 AND v.provenance = ?4)",
        )?;
        let found = statement
            .query_row(params![key.product, key.position, key.address, self.provenance], |row| {
                Ok(Validators { etag: row.get(0)?, last_modified: row.get(1)? })
            })
            .optional()?;
        Ok(found)
    }
}

#[cfg(test)]
#[path = "sqlite_tests.rs"]
mod tests;
