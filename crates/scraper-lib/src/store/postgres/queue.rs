//! The work queue in Postgres. The process that reads the sources holds an advisory lock, which the
//! database takes back when its connection ends.

use std::time::Duration;

use clip_core::Provenance;

use crate::{
    report::FailureNote,
    store::{Claim, Filler, RunState, Store, WorkQueue},
};

use super::{
    Connection, PostgresStore, PostgresUrl, StoreError, Swept, Vanishing, Write, schema,
    sweep::sweep,
    text::{decode, encode},
};
use crate::source::Base;

/// Held by the process that reads the sources and ends the run.
const READER_LOCK: i64 = 0x434c_4950_0001;
/// An image that so many workers took and none returned is given up.
const TRIES: i32 = 5;

/// Kind of the failure of such an image.
const LOST: &str = "worker.lost";

/// One process's end of the queue.
#[derive(Debug)]
pub(in crate::store) struct PostgresQueue {
    url: PostgresUrl,
    connection: Connection,
    worker: i64,
    lease: Duration,
    reader: bool,
}

impl PostgresQueue {
    /// # Errors
    /// The database cannot be reached.
    pub(in crate::store) fn open(url: &PostgresUrl, lease: Duration) -> Result<Self, StoreError> {
        let mut connection = Connection::open(url)?;
        connection.with(|client| schema::migrate(client, url))?;
        let worker = connection
            .with(|client| Ok(client.query_one("SELECT nextval('workers')", &[])?.try_get(0)?))?;
        Ok(PostgresQueue { url: url.clone(), connection, worker, lease, reader: false })
    }
}

impl WorkQueue for PostgresQueue {
    fn lease(&self) -> Duration {
        self.lease
    }

    fn try_read(&mut self) -> Result<bool, StoreError> {
        if !self.reader {
            self.reader = self.connection.with(|client| {
                let row = client.query_one("SELECT pg_try_advisory_lock($1)", &[&READER_LOCK])?;
                Ok(row.try_get(0)?)
            })?;
        }
        Ok(self.reader)
    }

    fn begin(
        &mut self,
        provenance: &Provenance,
        dim: usize,
        reembed: bool,
    ) -> Result<(), StoreError> {
        self.connection.with(|client| {
            schema::declare(client, provenance, dim, reembed)?;
            let mut transaction = client.transaction()?;
            let alive = transaction.query_one(
                "SELECT NOT finished AND EXISTS (
                     SELECT 1 FROM queue WHERE NOT done AND lease > now()
                 ) FROM current",
                &[],
            )?;
            if !alive.try_get::<_, bool>(0)? {
                transaction.batch_execute("TRUNCATE queue")?;
                transaction.execute("UPDATE current SET run = run + 1", &[])?;
            }
            transaction.execute("UPDATE current SET complete = NULL, finished = false", &[])?;
            Ok(transaction.commit()?)
        })
    }

    fn state(&mut self) -> Result<Option<RunState>, StoreError> {
        self.connection.with(|client| {
            let Some((_, provenance)) = schema::current(client)? else { return Ok(None) };
            let row =
                client.query_one("SELECT complete IS NOT NULL, finished FROM current", &[])?;
            Ok(Some(RunState { provenance, read: row.try_get(0)?, finished: row.try_get(1)? }))
        })
    }

    fn claim(&mut self, count: usize) -> Result<Vec<Claim>, StoreError> {
        let (worker, lease) = (self.worker, self.lease.as_secs_f64());
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.connection.with(|client| {
            let rows = client.query(
                "WITH next AS (
                     SELECT key, position, source FROM queue
                     WHERE NOT done AND lease < now() AND tries < $4
                     ORDER BY lease, left(source, 200), left(product, 200), position
                     LIMIT $1 FOR UPDATE SKIP LOCKED
                 )
                 UPDATE queue q SET worker = $2, tries = tries + 1,
                     lease = now() + make_interval(secs => $3)
                 FROM next LEFT JOIN sources s ON s.name = next.source
                 WHERE q.key = next.key AND q.position = next.position
                 RETURNING q.source, q.product, q.position, q.address, coalesce(s.base, ''),
                     coalesce(s.zone, 'web')",
                &[&count, &worker, &lease, &TRIES],
            )?;
            // Those that are never claimed again are left when the others are gone.
            if i64::try_from(rows.len()).is_ok_and(|rows| rows < count) {
                give_up(client)?;
            }
            rows.iter()
                .map(|row| {
                    Ok(Claim {
                        key: super::read::key(row)?,
                        base: Base::from_parts(row.try_get(5)?, decode(row.try_get(4)?)),
                    })
                })
                .collect()
        })
    }

    fn heartbeat(&mut self) -> Result<(), StoreError> {
        let (worker, lease) = (self.worker, self.lease.as_secs_f64());
        self.connection.with(|client| {
            client.execute(
                "UPDATE queue SET lease = now() + make_interval(secs => $2)
                 WHERE worker = $1 AND NOT done",
                &[&worker, &lease],
            )?;
            Ok(())
        })
    }

    fn release(&mut self) -> Result<(), StoreError> {
        let worker = self.worker;
        self.connection.with(|client| {
            client.execute(
                "UPDATE queue SET lease = '-infinity', worker = NULL, tries = tries - 1
                 WHERE worker = $1 AND NOT done",
                &[&worker],
            )?;
            Ok(())
        })
    }

    fn is_open(&mut self) -> Result<bool, StoreError> {
        self.connection.with(|client| {
            let row =
                client.query_one("SELECT EXISTS (SELECT 1 FROM queue WHERE NOT done)", &[])?;
            Ok(row.try_get(0)?)
        })
    }

    fn finish(&mut self, vanishing: &Vanishing) -> Result<Swept, StoreError> {
        self.connection.with(|client| {
            let row = client.query_one("SELECT coalesce(complete, '{}') FROM current", &[])?;
            let complete = row.try_get::<_, Vec<String>>(0)?.into_iter().map(decode);
            let swept = sweep(client, &complete.collect::<Vec<_>>(), vanishing)?;
            client.batch_execute("UPDATE current SET finished = true; TRUNCATE queue")?;
            Ok(swept)
        })
    }

    fn given_up(&mut self) -> Result<Vec<FailureNote>, StoreError> {
        self.connection.with(|client| {
            let rows = client.query(
                "SELECT i.product, i.address, q.kind, q.message
                 FROM quarantine q JOIN images i USING (key, position)
                 JOIN products p ON p.key = i.key
                 WHERE q.kind = $1 AND p.seen = (SELECT run FROM current)",
                &[&LOST],
            )?;
            let text = |row: &postgres::Row, i| Ok::<_, StoreError>(decode(row.try_get(i)?));
            let note = |row: &postgres::Row| {
                let (product, image) = (text(row, 0)?, text(row, 1)?);
                Ok(FailureNote { product, image, kind: text(row, 2)?, message: text(row, 3)? })
            };
            rows.iter().map(note).collect()
        })
    }

    fn unsettled(&mut self) -> Result<u64, StoreError> {
        self.connection.with(|client| match schema::current(client)? {
            Some((id, _)) => super::read::unsettled(client, id),
            None => Ok(0),
        })
    }

    fn filler(&self) -> Result<Box<dyn Filler>, StoreError> {
        Ok(Box::new(PostgresFiller { store: PostgresStore::open(&self.url)? }))
    }

    fn store(&self) -> Result<Box<dyn Store>, StoreError> {
        Ok(Box::new(PostgresStore::open(&self.url)?))
    }
}

#[derive(Debug)]
struct PostgresFiller {
    store: PostgresStore,
}

impl Filler for PostgresFiller {
    fn add(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        self.store.store(writes, None, true)
    }

    fn refused(&mut self) -> Vec<FailureNote> {
        self.store.refused()
    }

    fn read(&mut self, complete: &[String]) -> Result<(), StoreError> {
        self.store.lock().with(|client| {
            let complete: Vec<String> = complete.iter().map(|name| encode(name)).collect();
            client.execute("UPDATE current SET complete = $1", &[&complete])?;
            Ok(())
        })
    }
}

/// Images that worker after worker took to its end are failures. They all have had a lease: without that
/// condition this looked at the whole queue.
fn give_up(client: &mut postgres::Client) -> Result<(), StoreError> {
    let message =
        format!("{TRIES} workers took this image and ended or stalled before they had a result");
    client.execute(
        "WITH lost AS (
             UPDATE queue SET done = true
             WHERE NOT done AND lease > '-infinity' AND lease < now() AND tries >= $1
             RETURNING key, position, address
         )
         INSERT INTO quarantine (source, product, position, kind, message)
         SELECT source, product, position, $3, $2
         FROM lost JOIN images USING (key, position, address)
         ON CONFLICT (key, position) DO UPDATE
         SET kind = excluded.kind, message = excluded.message",
        &[&TRIES, &message, &LOST],
    )?;
    Ok(())
}
