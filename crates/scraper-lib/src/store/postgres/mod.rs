//! The store in a Postgres database with pgvector: one for a team, and for many machines.
//!
//! The tables are in a schema of their own, `clip_scraper`; vectors of each provenance are in a
//! table `vectors_<n>` with a column `vector(dim)`, so that they can have an index.

mod batch;
mod connection;
mod queue;
mod read;
mod rename;
mod schema;
mod search;
mod state;
mod sweep;
mod text;
mod write;

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use clip_core::{NormalizedEmbedding, Provenance, trace::sha256};

pub use connection::PostgresUrl;
pub(super) use queue::PostgresQueue;

use super::{
    Failure, ImageHash, ImageKey, Lookup, Row, SourceFailure, Stamp, State, Store, StoreError,
    Swept, Vanishing, View, Write, refused::Refusals,
};
use crate::{
    caches,
    fetch::Validators,
    report::FailureNote,
    source::{Base, Product},
    store::search::Hit,
};
use connection::Connection;

/// See `schema.rs` for the tables.
#[derive(Debug)]
pub struct PostgresStore {
    url: PostgresUrl,
    connection: Mutex<Connection>,
    /// Row of `provenances` that the run writes under.
    provenance: Option<i32>,
    refusals: Refusals,
    /// Transactions so far.
    written: usize,
}

/// Changes are folded after so many transactions of a process.
const FOLD: usize = 500;

impl PostgresStore {
    /// Connects, making or migrating the tables.
    ///
    /// # Errors
    /// [`StoreError`] says why the database cannot be used.
    pub fn open(url: &PostgresUrl) -> Result<Self, StoreError> {
        let mut connection = Connection::open(url)?;
        connection.with(|client| schema::migrate(client, url))?;
        let provenance = connection.with(schema::current)?.map(|(id, _)| id);
        Ok(PostgresStore {
            url: url.clone(),
            connection: Mutex::new(connection),
            provenance,
            refusals: Refusals::default(),
            written: 0,
        })
    }

    /// Makes the index for approximate search (HNSW over cosine distance), if it is not there.
    /// May take minutes; others can go on working.
    ///
    /// # Errors
    /// An empty store; vectors longer than pgvector indexes (2,000).
    pub fn index(&mut self) -> Result<(), StoreError> {
        let Some(id) = self.provenance else {
            return Err(StoreError::Empty(self.url.to_string()));
        };
        self.lock().with(|client| search::index(client, id))
    }

    /// With `enqueue` the images of the products join the queue.
    fn store(
        &mut self,
        writes: &[Write],
        provenance: Option<i32>,
        enqueue: bool,
    ) -> Result<(), StoreError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        self.written += 1;
        if self.written.is_multiple_of(FOLD) {
            connection.with(state::fold)?;
        }
        self.refusals.around(writes, &mut |writes| {
            let batch = batch::Batch::of(writes)?;
            connection.with(|client| write::apply(client, &batch, provenance, enqueue))
        })
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for PostgresStore {
    fn begin(
        &mut self,
        provenance: &Provenance,
        dim: usize,
        reembed: bool,
    ) -> Result<(), StoreError> {
        let id = self.lock().with(|client| schema::declare(client, provenance, dim, reembed))?;
        self.provenance = Some(id);
        Ok(())
    }

    fn apply(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        self.store(writes, self.provenance, false)
    }

    fn refused(&mut self) -> Vec<FailureNote> {
        self.refusals.take()
    }

    fn sweep(&mut self, complete: &[String], vanishing: &Vanishing) -> Result<Swept, StoreError> {
        self.lock().with(|client| sweep::sweep(client, complete, vanishing))
    }

    fn provenance(&self) -> Result<Option<Provenance>, StoreError> {
        Ok(self.lock().with(schema::current)?.map(|(_, provenance)| provenance))
    }

    fn rows(&self, view: &View, visit: &mut dyn FnMut(Row) -> bool) -> Result<(), StoreError> {
        read::rows(&mut self.lock(), view, visit)
    }

    fn stamp(&self) -> Result<Option<Stamp>, StoreError> {
        Ok(self.lock().with(state::state)?.map(|state| state.stamp))
    }

    /// On this machine, which may be one of many.
    fn scan_folder(&self) -> Option<PathBuf> {
        let name = sha256(self.url.identity().as_bytes());
        Some(caches::folder()?.join(format!("{}.scan", name.get(..32)?)))
    }

    fn scan_is_beside(&self) -> bool {
        false
    }

    fn state(
        &self,
        known: &dyn Fn(&State, &ImageHash) -> bool,
        visit: &mut dyn FnMut(&State, Row) -> bool,
    ) -> Result<Option<State>, StoreError> {
        state::rows(&mut self.lock(), known, visit)
    }

    fn products(&self, names: &[(&str, &str)]) -> Result<Vec<Option<Product>>, StoreError> {
        self.lock().with(|client| state::products(client, names))
    }

    fn search(
        &self,
        query: &NormalizedEmbedding,
        top: usize,
        view: &View,
        approximate: bool,
    ) -> Result<Vec<Hit>, StoreError> {
        let question = search::Question { query, top, view, approximate };
        self.lock().with(|client| search::search(client, &question))
    }

    fn sources(&self) -> Result<Vec<(String, Base)>, StoreError> {
        self.lock().with(|client| {
            let rows = client.query("SELECT name, base, zone FROM sources", &[])?;
            let source = |row: &postgres::Row| {
                let base = Base::from_parts(row.get(2), text::decode(row.get(1)));
                (text::decode(row.get(0)), base)
            };
            Ok(rows.iter().map(source).collect())
        })
    }

    fn failures(&self) -> Result<Vec<Failure>, StoreError> {
        self.lock().with(read::failures)
    }

    fn source_failures(&self) -> Result<Vec<SourceFailure>, StoreError> {
        self.lock().with(read::source_failures)
    }

    fn unsettled(&self) -> Result<u64, StoreError> {
        let Some(id) = self.provenance else { return Ok(0) };
        self.lock().with(|client| read::unsettled(client, id))
    }

    fn lookup(&self) -> Result<Box<dyn Lookup>, StoreError> {
        let connection = Connection::open(&self.url)?;
        Ok(Box::new(PostgresLookup { connection, provenance: self.provenance }))
    }
}

/// A connection for questions, beside the writer's.
#[derive(Debug)]
struct PostgresLookup {
    connection: Connection,
    provenance: Option<i32>,
}

impl Lookup for PostgresLookup {
    fn has_vector(&mut self, hash: &ImageHash) -> Result<bool, StoreError> {
        let Some(id) = self.provenance else { return Ok(false) };
        self.connection.with(|client| read::has_vector(client, id, hash))
    }

    fn validators(&mut self, key: &ImageKey) -> Result<Option<Validators>, StoreError> {
        let Some(id) = self.provenance else { return Ok(None) };
        self.connection.with(|client| read::validators(client, id, key))
    }
}
