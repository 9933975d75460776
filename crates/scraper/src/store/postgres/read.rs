//! What reads the tables.

use std::{sync::mpsc, thread};

use pgvector::Vector;
use postgres::{Client, fallible_iterator::FallibleIterator, types::ToSql};

use super::{Connection, Failure, ImageHash, ImageKey, Row, StoreError, View};
use crate::{
    fetch::Validators,
    source::{Availability, Base, Product},
};

/// The columns that [`row`] reads, of `products p`, `images i` and a table of vectors `v`.
pub(super) const COLUMNS: &str =
    "p.source, p.id, p.title, p.description, p.url, p.brand, p.category, p.price, p.currency,
     p.availability, p.attributes, p.missed, i.address, i.position, i.sha256, v.embedding";

/// A product of [`COLUMNS`], or of its first eleven.
pub(super) fn product(row: &postgres::Row) -> Result<Product, StoreError> {
    let id: String = row.try_get(1)?;
    let attributes = super::super::attributes(&id, row.try_get(10)?)?;
    Ok(Product {
        source: row.try_get(0)?,
        id,
        title: row.try_get(2)?,
        description: row.try_get(3)?,
        url: row.try_get(4)?,
        brand: row.try_get(5)?,
        category: row.try_get(6)?,
        price: row.try_get(7)?,
        currency: row.try_get(8)?,
        availability: row.try_get::<_, Option<&str>>(9)?.and_then(Availability::from_name),
        attributes,
        images: Vec::new(),
    })
}

/// An image's key, from the first four columns: source, product, position, address.
pub(super) fn key(row: &postgres::Row) -> Result<ImageKey, StoreError> {
    Ok(ImageKey {
        source: row.try_get(0)?,
        product: row.try_get(1)?,
        position: u32::try_from(row.try_get::<_, i32>(2)?).unwrap_or(0),
        address: row.try_get(3)?,
    })
}

pub(super) fn row(row: &postgres::Row) -> Result<Row, StoreError> {
    let product = product(row)?;
    let number = |n: i32| u32::try_from(n).unwrap_or(0);
    let hash = ImageHash::try_from(row.try_get::<_, &[u8]>(14)?)
        .map_err(|_| StoreError::Damaged(format!("a digest of {}", product.id)))?;
    Ok(Row {
        product,
        missed: number(row.try_get(11)?),
        image: row.try_get(12)?,
        position: number(row.try_get(13)?),
        hash,
        values: row.try_get::<_, Vector>(15)?.into(),
    })
}

/// See [`super::Store::rows`]. Rows come as they are visited, not all at once.
pub(super) fn rows(
    connection: &mut Connection,
    id: i32,
    view: &View,
    visit: &mut dyn FnMut(Row) -> bool,
) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM products p
         JOIN images i ON i.source = p.source AND i.product = p.id
         JOIN vectors_{id} v ON v.sha256 = i.sha256
         WHERE $1 OR p.missed = 0
         ORDER BY p.source, p.id, i.position"
    );
    // The client works on a thread of its own; the visitor stays on this one.
    let (out, rows) = mpsc::sync_channel(64);
    thread::scope(|scope| {
        let reading = scope.spawn(move || {
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

/// The ids of the products that `view` leaves, as (source, id).
pub(super) fn matching(
    client: &mut Client,
    view: &View,
) -> Result<(Vec<String>, Vec<String>), StoreError> {
    let sql = "SELECT source, id, title, description, url, brand, category, price, currency,
                      availability, attributes
               FROM products WHERE $1 OR missed = 0";
    let parameters: [&(dyn ToSql + Sync); 1] = [&view.vanished];
    let mut found = client.query_raw(sql, parameters)?;
    let (mut sources, mut ids) = (Vec::new(), Vec::new());
    while let Some(found) = found.next()? {
        let product = product(&found)?;
        if view.filter.holds(&product) {
            sources.push(product.source);
            ids.push(product.id);
        }
    }
    Ok((sources, ids))
}

pub(super) fn failures(client: &mut Client) -> Result<Vec<Failure>, StoreError> {
    let rows = client.query(
        "SELECT source, product, position, address, kind, message, coalesce(s.base, ''),
             coalesce(s.zone, 'web')
         FROM quarantine JOIN images USING (source, product, position)
         LEFT JOIN sources s ON s.name = source
         ORDER BY source, product, position",
        &[],
    )?;
    rows.iter()
        .map(|row| {
            let key = key(row)?;
            let base = Base::from_parts(row.try_get(7)?, row.try_get::<_, &str>(6)?);
            Ok(Failure { key, kind: row.try_get(4)?, message: row.try_get(5)?, base })
        })
        .collect()
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
         WHERE source = $1 AND product = $2 AND position = $3 AND address = $4
         AND (etag IS NOT NULL OR last_modified IS NOT NULL)
         AND EXISTS (SELECT 1 FROM vectors_{id} v WHERE v.sha256 = i.sha256)"
    );
    let position = i32::try_from(key.position).unwrap_or(i32::MAX);
    let found = client.query_opt(&sql, &[&key.source, &key.product, &position, &key.address])?;
    found
        .map(|row| Ok(Validators { etag: row.try_get(0)?, last_modified: row.try_get(1)? }))
        .transpose()
}
