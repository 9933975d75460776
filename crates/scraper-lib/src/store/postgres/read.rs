//! What reads the tables.

use std::{sync::mpsc, thread};

use pgvector::Vector;
use postgres::{Client, fallible_iterator::FallibleIterator, types::ToSql};

use super::{
    Connection, Failure, ImageHash, ImageKey, Row, SourceFailure, StoreError, View,
    connection::no_thread,
    schema,
    text::{decode, encode},
};
use crate::{
    fetch::Validators,
    source::{Availability, Base, Product},
};

/// The columns that [`row`] reads, of `products p`, `images i` and a table of vectors `v`.
pub(super) const COLUMNS: &str =
    "p.source, p.id, p.title, p.description, p.url, p.brand, p.category, p.price, p.currency,
     p.availability, p.attributes, p.missed, i.address, i.position, i.sha256, v.embedding,
     p.born, EXISTS (SELECT 1 FROM damaged d WHERE d.sha256 = i.sha256)";

/// The columns that [`product`] reads, of `products`.
pub(super) const PRODUCT: &str =
    "source, id, title, description, url, brand, category, price, currency,
    availability, attributes";

/// A product of [`COLUMNS`], or of [`PRODUCT`].
pub(super) fn product(row: &postgres::Row) -> Result<Product, StoreError> {
    let text = |n: usize| Ok::<_, StoreError>(decode(row.try_get(n)?));
    let maybe = |n: usize| Ok::<_, StoreError>(row.try_get::<_, Option<String>>(n)?.map(decode));
    let id = text(1)?;
    let attributes = super::super::attributes(&id, row.try_get(10)?)?;
    Ok(Product {
        source: text(0)?,
        id,
        title: maybe(2)?,
        description: maybe(3)?,
        url: maybe(4)?,
        brand: maybe(5)?,
        category: maybe(6)?,
        price: row.try_get(7)?,
        currency: maybe(8)?,
        availability: row.try_get::<_, Option<&str>>(9)?.and_then(Availability::from_name),
        attributes,
        images: Vec::new(),
        page: None,
        completes: None,
    })
}

/// An image's key, from the first four columns: source, product, position, address.
pub(super) fn key(row: &postgres::Row) -> Result<ImageKey, StoreError> {
    Ok(ImageKey {
        source: decode(row.try_get(0)?),
        product: decode(row.try_get(1)?),
        position: u32::try_from(row.try_get::<_, i32>(2)?).unwrap_or(0),
        address: decode(row.try_get(3)?),
    })
}

/// An image file's digest, from a column.
pub(super) fn hash(row: &postgres::Row, at: usize) -> Result<ImageHash, StoreError> {
    let bytes: &[u8] = row.try_get(at)?;
    let damaged = |_| StoreError::Damaged(format!("a digest of {} bytes", bytes.len()));
    ImageHash::try_from(bytes).map_err(damaged)
}

/// Without values where the vector is null.
pub(super) fn row(row: &postgres::Row) -> Result<Row, StoreError> {
    let number = |n: i32| u32::try_from(n).unwrap_or(0);
    Ok(Row {
        product: product(row)?,
        missed: number(row.try_get(11)?),
        born: row.try_get(16)?,
        image: decode(row.try_get(12)?),
        position: number(row.try_get(13)?),
        hash: hash(row, 14)?,
        values: row.try_get::<_, Option<Vector>>(15)?.map_or_else(Vec::new, Into::into),
        damaged: row.try_get(17)?,
    })
}

/// See [`super::Store::rows`]. Rows come as they are visited, not all at once.
pub(super) fn rows(
    connection: &mut Connection,
    view: &View,
    visit: &mut dyn FnMut(Row) -> bool,
) -> Result<(), StoreError> {
    let Some(id) = connection.with(schema::current_id)? else { return Ok(()) };
    let sql = format!(
        "SELECT {COLUMNS} FROM products p
         JOIN images i ON i.key = p.key
         JOIN vectors_{id} v ON v.sha256 = i.sha256
         WHERE $1 OR p.missed = 0
         ORDER BY p.source, p.id, i.position"
    );
    // The client works on a thread of its own; the visitor stays on this one.
    let (out, rows) = mpsc::sync_channel(64);
    thread::scope(|scope| {
        let reading = thread::Builder::new().spawn_scoped(scope, move || {
            connection.with(|client| {
                let parameters: [&(dyn ToSql + Sync); 1] = [&view.vanished];
                let mut found = client.query_raw(&sql, parameters)?;
                while let Some(found) = found.next()? {
                    let found = row(&found)?;
                    if view.filter.holds(&found.product) && out.send(found).is_err() {
                        break; // the visitor has seen enough
                    }
                }
                drop(out);
                Ok(())
            })
        });
        let reading = reading.map_err(no_thread)?;
        let mut rows = rows;
        while let Ok(row) = rows.recv() {
            if !visit(row) {
                break;
            }
        }
        rows = mpsc::sync_channel(0).1; // closes the old one: the reader stops
        drop(rows);
        reading.join().unwrap_or_else(|_| Err(StoreError::Postgres("reading panicked".into())))
    })
}

/// The ids of the products that `view` leaves, as (source, id), the way they are stored.
pub(super) fn matching(
    client: &mut Client,
    view: &View,
) -> Result<(Vec<String>, Vec<String>), StoreError> {
    let sql = format!("SELECT {PRODUCT} FROM products WHERE $1 OR missed = 0");
    let parameters: [&(dyn ToSql + Sync); 1] = [&view.vanished];
    let mut found = client.query_raw(&sql, parameters)?;
    let (mut sources, mut ids) = (Vec::new(), Vec::new());
    while let Some(found) = found.next()? {
        let product = product(&found)?;
        if view.filter.holds(&product) {
            sources.push(encode(&product.source));
            ids.push(encode(&product.id));
        }
    }
    Ok((sources, ids))
}

pub(super) fn failures(client: &mut Client) -> Result<Vec<Failure>, StoreError> {
    let rows = client.query(
        "SELECT i.source, i.product, position, address, kind, message, coalesce(s.base, ''),
             coalesce(s.zone, 'web')
         FROM quarantine JOIN images i USING (key, position)
         LEFT JOIN sources s ON s.name = i.source
         ORDER BY i.source, i.product, position",
        &[],
    )?;
    rows.iter()
        .map(|row| {
            let key = key(row)?;
            let (kind, message) = (decode(row.try_get(4)?), decode(row.try_get(5)?));
            let base = Base::from_parts(row.try_get(7)?, decode(row.try_get(6)?));
            Ok(Failure { key, kind, message, base })
        })
        .collect()
}

pub(super) fn source_failures(client: &mut Client) -> Result<Vec<SourceFailure>, StoreError> {
    let sql = "SELECT source, place, kind, message FROM source_failures ORDER BY 1, 2, 3";
    let one = |row: &postgres::Row| {
        Ok(SourceFailure {
            source: decode(row.try_get(0)?),
            place: decode(row.try_get(1)?),
            kind: decode(row.try_get(2)?),
            message: decode(row.try_get(3)?),
        })
    };
    client.query(sql, &[])?.iter().map(one).collect()
}

/// See [`super::Store::unsettled`].
pub(super) fn unsettled(client: &mut Client, id: i32) -> Result<u64, StoreError> {
    let sql = format!(
        "SELECT count(*) FROM products p
         JOIN images i ON i.source = p.source AND i.product = p.id
         WHERE p.seen = (SELECT run FROM current)
         AND NOT EXISTS (SELECT 1 FROM vectors_{id} v WHERE v.sha256 = i.sha256)
         AND NOT EXISTS (SELECT 1 FROM quarantine q WHERE q.source = i.source
                         AND q.product = i.product AND q.position = i.position)"
    );
    let count: i64 = client.query_one(&sql, &[])?.try_get(0)?;
    Ok(u64::try_from(count).unwrap_or(0))
}

pub(super) fn has_vector(
    client: &mut Client,
    id: i32,
    hash: &ImageHash,
) -> Result<bool, StoreError> {
    let sql = format!("SELECT 1 FROM vectors_{id} WHERE sha256 = $1");
    Ok(client.query_opt(&sql, &[&hash.as_slice()])?.is_some())
}

pub(super) fn validators(
    client: &mut Client,
    id: i32,
    key: &ImageKey,
) -> Result<Option<Validators>, StoreError> {
    let sql = format!(
        "SELECT etag, last_modified FROM images i
         WHERE key = key($1, $2) AND position = $3 AND address = $4
         AND (etag IS NOT NULL OR last_modified IS NOT NULL)
         AND EXISTS (SELECT 1 FROM vectors_{id} v WHERE v.sha256 = i.sha256)"
    );
    let position = i32::try_from(key.position).unwrap_or(i32::MAX);
    let [source, product, address] =
        [&key.source, &key.product, &key.address].map(|text| encode(text));
    let found = client.query_opt(&sql, &[&source, &product, &position, &address])?;
    let maybe = |text: Option<String>| text.map(decode);
    found
        .map(|row| {
            let (etag, last_modified) = (maybe(row.try_get(0)?), maybe(row.try_get(1)?));
            Ok(Validators { etag, last_modified })
        })
        .transpose()
}
