//! What reads the tables.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::super::{
    Failure, ImageHash, ImageKey, Lookup, Row, SourceFailure, State, StoreError, View,
};
use crate::{
    fetch::Validators,
    source::{Availability, Base, Product},
};

/// What [`product`] reads.
const PRODUCT: &str = "p.source, p.id, p.title, p.description, p.url, p.brand, p.category, p.price,
                p.currency, p.availability, p.attributes";

/// See [`super::Store::rows`]; of the bytes that are `known` without the vector, which is not read.
pub(super) fn rows_but(
    connection: &Connection,
    view: &View,
    known: &dyn Fn(&ImageHash) -> bool,
    visit: &mut dyn FnMut(Row) -> bool,
) -> Result<(), StoreError> {
    let mut one = connection.prepare("SELECT vector FROM vectors WHERE rowid = ?1")?;
    let mut statement = connection.prepare(&format!(
        "SELECT {PRODUCT}, p.missed, i.address, i.position, i.sha256, v.rowid, p.born,
                EXISTS (SELECT 1 FROM damaged d WHERE d.sha256 = i.sha256)
         FROM products p
         JOIN images i ON i.source = p.source AND i.product = p.id
         JOIN vectors v ON v.sha256 = i.sha256
         WHERE v.provenance = (SELECT provenance FROM current) AND (?1 OR p.missed = 0)
         ORDER BY p.source, p.id, i.position"
    ))?;
    let mut rows = statement.query([view.vanished])?;
    while let Some(row) = rows.next()? {
        let product = product(row)?;
        if !view.filter.holds(&product) {
            continue;
        }
        let hash = row.get(14)?;
        let values = match known(&hash) {
            true => Vec::new(),
            false => one.query_row([row.get::<_, i64>(15)?], |row| {
                let (chunks, rest) = row.get_ref(0)?.as_blob()?.as_chunks::<4>();
                let values = chunks.iter().map(|&bytes| f32::from_le_bytes(bytes));
                // Without values it is told as a cut one.
                Ok(if rest.is_empty() { values.collect() } else { Vec::new() })
            })?,
        };
        if values.is_empty() && !known(&hash) {
            return Err(StoreError::Damaged(format!("the vector of {} is cut", product.id)));
        }
        let row = Row {
            product,
            missed: row.get(11)?,
            born: row.get(16)?,
            image: row.get(12)?,
            position: row.get(13)?,
            hash,
            values,
            damaged: row.get(17)?,
        };
        if !visit(row) {
            break;
        }
    }
    Ok(())
}

/// `None` while it is not known.
pub(super) fn state(connection: &Connection) -> Result<Option<State>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT stamp, vectors FROM current WHERE stamp IS NOT NULL AND vectors IS NOT NULL",
    )?;
    let state = statement
        .query_row([], |row| Ok(State { stamp: row.get(0)?, vectors: row.get(1)? }))
        .optional()?;
    Ok(state)
}

pub(super) fn one_product(
    connection: &Connection,
    source: &str,
    id: &str,
) -> Result<Option<Product>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {PRODUCT} FROM products p WHERE source = ?1 AND id = ?2"
    ))?;
    let mut rows = statement.query([source, id])?;
    rows.next()?.map(product).transpose()
}

fn product(row: &rusqlite::Row<'_>) -> Result<Product, StoreError> {
    let id: String = row.get(1)?;
    let attributes = row.get_ref(10)?.as_str().unwrap_or_default();
    let attributes = super::super::attributes(&id, attributes)?;
    Ok(Product {
        source: row.get(0)?,
        id,
        title: row.get(2)?,
        description: row.get(3)?,
        url: row.get(4)?,
        brand: row.get(5)?,
        category: row.get(6)?,
        // Older runs took any number of digits.
        price: row.get::<_, Option<f64>>(7)?.filter(|price| price.is_finite()),
        currency: row.get(8)?,
        availability: row
            .get::<_, Option<String>>(9)?
            .and_then(|name| Availability::from_name(&name)),
        attributes,
        images: Vec::new(),
        page: None,
        completes: None,
    })
}

pub(super) fn sources(connection: &Connection) -> Result<Vec<(String, Base)>, StoreError> {
    let mut statement = connection.prepare("SELECT name, base, zone FROM sources")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, base(row, 1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn failures(connection: &Connection) -> Result<Vec<Failure>, StoreError> {
    let mut statement = connection.prepare(
        "SELECT i.source, product, position, address, kind, message, coalesce(s.base, ''),
                coalesce(s.zone, 'web')
         FROM quarantine JOIN images i USING (source, product, position)
         LEFT JOIN sources s ON s.name = i.source
         ORDER BY i.source, product, position",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Failure {
            key: ImageKey {
                source: row.get(0)?,
                product: row.get(1)?,
                position: row.get(2)?,
                address: row.get(3)?,
            },
            kind: row.get(4)?,
            message: row.get(5)?,
            base: base(row, 6)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn source_failures(connection: &Connection) -> Result<Vec<SourceFailure>, StoreError> {
    let sql = "SELECT source, place, kind, message FROM source_failures ORDER BY 1, 2, 3";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| {
        Ok(SourceFailure {
            source: row.get(0)?,
            place: row.get(1)?,
            kind: row.get(2)?,
            message: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// See [`super::Store::unsettled`].
pub(super) fn unsettled(
    connection: &Connection,
    run: i64,
    provenance: Option<i64>,
) -> Result<u64, StoreError> {
    let count: i64 = connection.query_row(
        "SELECT count(*) FROM products p
         JOIN images i ON i.source = p.source AND i.product = p.id
         WHERE p.seen = ?1
         AND NOT EXISTS (SELECT 1 FROM vectors v
                         WHERE v.sha256 = i.sha256 AND v.provenance = ?2)
         AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.source = i.source
                         AND q.product = i.product AND q.position = i.position)",
        params![run, provenance],
        |row| row.get(0),
    )?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Of two columns, `folder` and the one after it.
fn base(row: &rusqlite::Row<'_>, folder: usize) -> rusqlite::Result<Base> {
    Ok(Base::from_parts(row.get_ref(folder + 1)?.as_str()?, row.get::<_, String>(folder)?))
}

/// A read-only connection beside the writer's.
#[derive(Debug)]
pub struct SqliteLookup {
    connection: Connection,
    provenance: Option<i64>,
}

impl SqliteLookup {
    pub(super) fn open(path: &Path, provenance: Option<i64>) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)
            .and_then(|connection| {
                connection.busy_timeout(Duration::from_secs(30))?;
                Ok(connection)
            })
            .map_err(|source| StoreError::Open { path: path.to_owned(), source })?;
        Ok(SqliteLookup { connection, provenance })
    }
}

impl Lookup for SqliteLookup {
    fn has_vector(&mut self, hash: &ImageHash) -> Result<bool, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT 1 FROM vectors WHERE sha256 = ?1 AND provenance = ?2")?;
        Ok(statement.exists(params![hash, self.provenance])?)
    }

    fn validators(&mut self, key: &ImageKey) -> Result<Option<Validators>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT etag, last_modified FROM images i
             WHERE source = ?1 AND product = ?2 AND position = ?3 AND address = ?4
             AND (etag IS NOT NULL OR last_modified IS NOT NULL)
             AND EXISTS (SELECT 1 FROM vectors v
                         WHERE v.sha256 = i.sha256 AND v.provenance = ?5)",
        )?;
        let found = statement
            .query_row(
                params![key.source, key.product, key.position, key.address, self.provenance],
                |row| Ok(Validators { etag: row.get(0)?, last_modified: row.get(1)? }),
            )
            .optional()?;
        Ok(found)
    }
}
