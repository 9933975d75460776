//! What `--store` names.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use super::{
    PostgresStore, PostgresUrl, RunLock, Shard, SqliteStore, Store, StoreError, WorkQueue,
    postgres::PostgresQueue,
};

/// A file, or a database on a server.
#[derive(Debug, Clone)]
pub enum StoreTarget {
    Sqlite(PathBuf),
    Postgres(Box<PostgresUrl>),
}

impl StoreTarget {
    /// Opens the store for reading results.
    ///
    /// # Errors
    /// [`StoreError::Missing`], or why it cannot be used.
    pub fn open_existing(&self) -> Result<Box<dyn Store>, StoreError> {
        match self {
            StoreTarget::Sqlite(path) => Ok(Box::new(SqliteStore::open_existing(path)?)),
            StoreTarget::Postgres(url) => Ok(Box::new(PostgresStore::open(url)?)),
        }
    }
}

impl StoreTarget {
    /// The files that it consists of, there or not.
    pub fn files(&self) -> Vec<PathBuf> {
        match self {
            StoreTarget::Sqlite(path) => ["", "-wal", "-shm", "-journal", ".lock"]
                .iter()
                .map(|suffix| {
                    let mut name = path.as_os_str().to_owned();
                    name.push(suffix);
                    name.into()
                })
                .collect(),
            StoreTarget::Postgres(_) => Vec::new(),
        }
    }
}

/// Keeps two runs from writing to one file at a time.
#[derive(Debug)]
pub struct Opened {
    _lock: Option<RunLock>,
}

impl StoreTarget {
    /// Opens the store for a run of this process alone; keep the second part as long as the
    /// store.
    ///
    /// # Errors
    /// [`StoreError::InUse`], or why it cannot be used.
    pub fn open(&self, shard: Option<Shard>) -> Result<(Box<dyn Store>, Opened), StoreError> {
        match self {
            StoreTarget::Sqlite(path) => {
                let lock = RunLock::acquire(path)?;
                let store = SqliteStore::open(path)?.with_shard(shard);
                Ok((Box::new(store), Opened { _lock: Some(lock) }))
            }
            StoreTarget::Postgres(url) => {
                Ok((Box::new(PostgresStore::open(url)?), Opened { _lock: None }))
            }
        }
    }
}

impl StoreTarget {
    /// Whether several processes can share a run in it.
    pub fn is_shared(&self) -> bool {
        matches!(self, StoreTarget::Postgres(_))
    }

    /// The queue of a run that processes share, whose images are leased for `lease`; `None` where the
    /// store has one writer.
    ///
    /// # Errors
    /// The store cannot be reached.
    pub fn work_queue(&self, lease: Duration) -> Result<Option<Box<dyn WorkQueue>>, StoreError> {
        match self {
            StoreTarget::Sqlite(_) => Ok(None),
            StoreTarget::Postgres(url) => Ok(Some(Box::new(PostgresQueue::open(url, lease)?))),
        }
    }
}

impl FromStr for StoreTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if PostgresUrl::is_meant(text) {
            return Ok(StoreTarget::Postgres(Box::new(text.parse()?)));
        }
        Ok(StoreTarget::Sqlite(Path::new(text).to_owned()))
    }
}

impl fmt::Display for StoreTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreTarget::Sqlite(path) => write!(f, "{}", path.display()),
            StoreTarget::Postgres(url) => write!(f, "{url}"),
        }
    }
}
