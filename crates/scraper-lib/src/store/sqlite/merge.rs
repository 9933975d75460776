//! Joins the stores of a run's shards.

use std::path::{Path, PathBuf};

use rusqlite::params;

use super::{SqliteStore, StoreError, import};
use crate::{
    output::sync_folder,
    report::Progress,
    scan,
    store::{RunLock, Shard, Store},
};

/// What came together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merged {
    /// In the new store.
    pub products: u64,
    /// In the new store.
    pub vectors: u64,
}

/// Makes the new store `out` from `parts`: stores, and Parquet tables of vectors as projected (a file,
/// or the folder of a bulk job). Of a store that a run with `--shard` wrote, only the
/// products of that shard count: the rest is as old as the copy that the run started from.
/// `out` appears when it is complete.
///
/// # Errors
/// `out` exists already; parts of different provenance, or with a product in common; those of
/// [`SqliteStore::open_existing`].
pub fn merge(parts: &[PathBuf], out: &Path) -> Result<Merged, StoreError> {
    if out.exists() {
        return Err(StoreError::Exists(out.to_owned()));
    }
    let beside = |suffix: &str| {
        let mut name = out.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let making = beside(".merging");
    let fail = |source| StoreError::Lock { path: out.to_owned(), source };
    // Neither another merge nor a run makes the same store meanwhile.
    let _lock = RunLock::acquire(out)?;
    let clear = || {
        for part in ["", "-wal", "-shm", "-journal"].map(|s| beside(&format!(".merging{s}"))) {
            match std::fs::remove_file(part) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(fail(e)),
                _ => {}
            }
        }
        Ok(())
    };
    // What a merge has left that was killed.
    clear()?;
    let merged = join(parts, &making).inspect_err(|_| drop(clear()))?;
    let sync = || std::fs::File::open(&making)?.sync_all();
    sync().map_err(fail)?;
    if out.exists() {
        clear()?;
        return Err(StoreError::Exists(out.to_owned()));
    }
    std::fs::rename(&making, out).map_err(fail)?;
    sync_folder(out);
    scan::refresh(&SqliteStore::open(out)?, &Progress::hidden());
    Ok(merged)
}

fn join(parts: &[PathBuf], making: &Path) -> Result<Merged, StoreError> {
    let merged = {
        let mut store = SqliteStore::open(making)?;
        for part in parts {
            match import::tables(part)? {
                Some(tables) => {
                    tables.iter().try_for_each(|table| import::add(&mut store, table))?
                }
                None => add(&mut store, part)?,
            }
        }
        let count = |sql| -> Result<u64, StoreError> {
            let count: i64 = store.connection.query_row(sql, [], |row| row.get(0))?;
            Ok(u64::try_from(count).unwrap_or(0))
        };
        Merged {
            products: count("SELECT count(*) FROM products")?,
            vectors: count("SELECT count(*) FROM vectors")?,
        }
    }; // the last connection folds the log into the file
    Ok(merged)
}

fn add(store: &mut SqliteStore, path: &Path) -> Result<(), StoreError> {
    let unfit = |reason: String| StoreError::Unmergeable { path: path.to_owned(), reason };
    let part = SqliteStore::open_existing(path)?;
    let Some(provenance) = part.provenance()? else {
        return Ok(()); // a run that never began
    };
    if let Some(stored) = store.provenance()?
        && !stored.agrees(&provenance)
    {
        return Err(unfit(StoreError::differences(&stored, &provenance)));
    }
    let (run, shard): (i64, Option<String>) =
        part.connection.query_row("SELECT run, shard FROM current", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let shard: Option<Shard> = match shard.map(|text| text.parse()) {
        None => None,
        Some(Ok(shard)) => Some(shard),
        Some(Err(e)) => return Err(StoreError::Damaged(format!("{}: {e}", path.display()))),
    };
    let ids = part
        .connection
        .prepare("SELECT source, id FROM products")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<(String, String)>, _>>()?;
    drop(part);

    store.begin(&provenance, 0, false)?;
    let text = path.to_string_lossy();
    store.connection.execute("ATTACH ?1 AS part", [&text])?;
    let transaction = store.connection.transaction()?;
    transaction.execute_batch(
        "DROP TABLE IF EXISTS temp.chosen;
         CREATE TEMP TABLE chosen (source TEXT, id TEXT, PRIMARY KEY (source, id)) WITHOUT ROWID",
    )?;
    {
        let mut choose = transaction.prepare("INSERT INTO chosen VALUES (?1, ?2)")?;
        let mut known =
            transaction.prepare("SELECT 1 FROM main.products WHERE source = ?1 AND id = ?2")?;
        for (source, id) in &ids {
            if shard.is_some_and(|shard| !shard.holds(source, id)) {
                continue;
            }
            if known.exists([source, id])? {
                return Err(unfit(format!("the product {id} is in another of the stores too")));
            }
            choose.execute([source, id])?;
        }
    }
    transaction.execute_batch(
        "INSERT OR IGNORE INTO main.sources SELECT * FROM part.sources;
         INSERT OR IGNORE INTO main.source_failures SELECT * FROM part.source_failures;
         INSERT INTO main.products SELECT p.* FROM part.products p JOIN chosen USING (source, id);
         INSERT INTO main.images
            SELECT i.* FROM part.images i
            JOIN chosen c ON c.source = i.source AND c.id = i.product;
         INSERT INTO main.quarantine
            SELECT q.* FROM part.quarantine q
            JOIN chosen c ON c.source = q.source AND c.id = q.product;
         INSERT OR IGNORE INTO main.damaged
            SELECT sha256 FROM part.damaged
            WHERE sha256 IN (SELECT sha256 FROM main.images);",
    )?;
    transaction.execute(
        "INSERT OR IGNORE INTO main.vectors (sha256, provenance, vector)
         SELECT v.sha256, ?1, v.vector FROM part.vectors v
         WHERE v.provenance = (SELECT provenance FROM part.current)
         AND v.sha256 IN (SELECT i.sha256 FROM part.images i
                          JOIN chosen c ON c.source = i.source AND c.id = i.product)",
        params![store.provenance],
    )?;
    transaction.execute("UPDATE main.current SET run = max(run, ?1), shard = NULL", [run])?;
    super::schema::stamp(&transaction)?;
    transaction.commit()?;
    store.connection.execute("DETACH part", [])?;
    Ok(())
}
