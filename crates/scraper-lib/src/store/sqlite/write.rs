//! What changes the tables.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::{ImageKey, Shard, StoreError, Swept, Vanishing, Write};
use crate::{
    report::{
        KeptSource,
        secrets::{public, redact},
    },
    source::Product,
};

pub(super) fn write(
    connection: &Connection,
    write: &Write,
    provenance: Option<i64>,
    run: i64,
) -> Result<(), StoreError> {
    match write {
        Write::Source { name, base } => {
            connection
                .prepare_cached(
                    "INSERT INTO sources (name, base, zone) VALUES (?1, ?2, ?3)
                     ON CONFLICT (name) DO UPDATE SET base = excluded.base, zone = excluded.zone",
                )?
                .execute(params![name, base.folder().to_string_lossy(), base.zone()])?;
            connection
                .prepare_cached("DELETE FROM source_failures WHERE source = ?1")?
                .execute([name])?;
        }
        Write::Product(product) => put_product(connection, product, run)?,
        Write::Image { key, hash, bytes, validators } => {
            let updated = connection
                .prepare_cached(
                    "UPDATE images SET sha256 = ?1, bytes = ?2, etag = ?3, last_modified = ?4
                     WHERE source = ?5 AND product = ?6 AND position = ?7 AND address = ?8",
                )?
                .execute(params![
                    hash,
                    i64::try_from(*bytes).unwrap_or(i64::MAX),
                    validators.etag,
                    validators.last_modified,
                    key.source,
                    key.product,
                    key.position,
                    key.address
                ])?;
            if updated == 0 {
                superseded(connection, key)?;
            }
            release(connection, key)?;
        }
        Write::Unchanged { key } => release(connection, key)?,
        Write::Vector { hash, values, damaged } => {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            connection
                .prepare_cached(
                    "INSERT OR IGNORE INTO vectors (sha256, provenance, vector)
                     VALUES (?1, ?2, ?3)",
                )?
                .execute(params![hash, provenance, bytes])?;
            if *damaged {
                connection
                    .prepare_cached("INSERT OR IGNORE INTO damaged (sha256) VALUES (?1)")?
                    .execute([hash])?;
            }
        }
        Write::Failure { key, kind, message } => {
            let inserted = connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO quarantine (source, product, position, kind, message)
                     SELECT source, product, position, ?1, ?2 FROM images
                     WHERE source = ?3 AND product = ?4 AND position = ?5 AND address = ?6",
                )?
                .execute(params![
                    kind,
                    redact(message),
                    key.source,
                    key.product,
                    key.position,
                    key.address
                ])?;
            if inserted == 0 {
                superseded(connection, key)?;
            }
        }
        Write::SourceFailure { source, place, kind, message } => {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO source_failures (source, place, kind, message)
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute([source, place, kind, message])?;
        }
        Write::Renamed { source, from, page, to } => rename(connection, source, from, page, to)?,
        Write::Unread { source, page, id } => {
            connection
                .prepare_cached("UPDATE products SET unread = ?3 WHERE source = ?1 AND page = ?2")?
                .execute(params![source, page, run])?;
            connection
                .prepare_cached(
                    "UPDATE products SET unread = ?3
                     WHERE source = ?1 AND id = ?2 AND page IS NULL",
                )?
                .execute(params![source, id, run])?;
        }
    }
    Ok(())
}

/// A result without a row is dropped where the product has another image there by now.
///
/// # Errors
/// There is no such product: it must have been written before, so this is a defect that would lose
/// the result.
fn superseded(connection: &Connection, key: &ImageKey) -> Result<(), StoreError> {
    let ImageKey { source, product, position, address } = key;
    let known = connection
        .prepare_cached("SELECT 1 FROM products WHERE source = ?1 AND id = ?2")?
        .exists([source, product])?;
    if known {
        return Ok(());
    }
    let (product, address) = (product.clone(), address.clone());
    Err(StoreError::NoRow { product, position: *position, address })
}

/// Out of the quarantine.
fn release(connection: &Connection, key: &ImageKey) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "DELETE FROM quarantine WHERE source = ?1 AND product = ?2 AND position = ?3",
        )?
        .execute(params![key.source, key.product, key.position])?;
    Ok(())
}

/// See [`Write::Renamed`].
fn rename(
    connection: &Connection,
    source: &str,
    from: &str,
    page: &str,
    to: &str,
) -> Result<(), StoreError> {
    let is_there = connection
        .prepare_cached(
            "SELECT 1 FROM products WHERE source = ?1 AND id = ?2 AND (page IS NULL OR page = ?3)",
        )?
        .exists([source, from, page])?;
    if !is_there {
        return Ok(());
    }
    let is_known = connection
        .prepare_cached("SELECT 1 FROM products WHERE source = ?1 AND id = ?2")?
        .exists([source, to])?;
    if !is_known {
        // Rows refer to each other by the id: copies first.
        for copy in [
            "INSERT INTO products (source, id, title, description, url, brand, category, price,
                 currency, availability, attributes, seen, missed, page, born, unread)
             SELECT source, ?3, title, description, url, brand, category, price, currency,
                 availability, attributes, seen, missed, page, born, unread
             FROM products WHERE source = ?1 AND id = ?2",
            "INSERT INTO images (source, product, position, address, sha256, bytes, etag,
                 last_modified)
             SELECT source, ?3, position, address, sha256, bytes, etag, last_modified
             FROM images WHERE source = ?1 AND product = ?2",
            "INSERT INTO quarantine (source, product, position, kind, message)
             SELECT source, ?3, position, kind, message
             FROM quarantine WHERE source = ?1 AND product = ?2",
        ] {
            connection.prepare_cached(copy)?.execute([source, from, to])?;
        }
    }
    connection
        .prepare_cached("DELETE FROM products WHERE source = ?1 AND id = ?2")?
        .execute([source, from])?;
    Ok(())
}

fn put_product(connection: &Connection, product: &Product, run: i64) -> Result<(), StoreError> {
    let Product { source, id, images, .. } = product;
    let attributes = super::super::attributes_json(product)?;
    let page = product.page.as_deref().map(public);
    connection
        .prepare_cached("INSERT OR IGNORE INTO products (source, id, born) VALUES (?1, ?2, ?3)")?
        .execute(params![source, id, run])?;
    connection
        .prepare_cached("DELETE FROM source_failures WHERE source = ?1 AND place IN (?2, ?3)")?
        .execute(params![source, id, page])?;
    connection
        .prepare_cached(
            "UPDATE products SET title = ?3, description = ?4, url = ?5, brand = ?6,
             category = ?7, price = ?8, currency = ?9, availability = ?10, attributes = ?11,
             seen = ?12, missed = 0, page = ?13 WHERE source = ?1 AND id = ?2",
        )?
        .execute(params![
            source,
            id,
            product.title,
            product.description,
            product.url.as_deref().map(public),
            product.brand,
            product.category,
            product.price,
            product.currency,
            product.availability.map(|it| it.as_str()),
            attributes,
            run,
            page
        ])?;
    // A source that tells of no image one night may just have lost a column: what is known is kept.
    if images.is_empty() {
        return Ok(());
    }
    connection
        .prepare_cached("DELETE FROM images WHERE source = ?1 AND product = ?2 AND position >= ?3")?
        .execute(params![source, id, i64::try_from(images.len()).unwrap_or(i64::MAX)])?;
    // Another address is another image: nothing that was known holds for it.
    let mut moved = connection.prepare_cached(
        "DELETE FROM images
         WHERE source = ?1 AND product = ?2 AND position = ?3 AND address <> ?4",
    )?;
    let mut put = connection.prepare_cached(
        "INSERT OR IGNORE INTO images (source, product, position, address)
         VALUES (?1, ?2, ?3, ?4)",
    )?;
    for (position, address) in images.iter().enumerate() {
        let position = i64::try_from(position).unwrap_or(i64::MAX);
        moved.execute(params![source, id, position, address])?;
        put.execute(params![source, id, position, address])?;
    }
    Ok(())
}

/// Counts a miss for each product of `source` that the run did not see, and removes those that have
/// been missing for too long; unless there are too many.
pub(super) fn sweep(
    connection: &Connection,
    source: &str,
    run: i64,
    shard: Option<Shard>,
    vanishing: &Vanishing,
    swept: &mut Swept,
) -> Result<(), StoreError> {
    let (mut unseen, mut missing, mut of) = (Vec::new(), 0, 0);
    {
        let mut known = connection.prepare_cached(
            "SELECT id, missed, seen <> ?2 AND unread <> ?2 FROM products
             WHERE source = ?1 AND born <> ?2",
        )?;
        let mut rows = known.query(params![source, run])?;
        while let Some(row) = rows.next()? {
            let (id, missed): (String, u32) = (row.get(0)?, row.get(1)?);
            if shard.is_some_and(|shard| !shard.holds(source, &id)) {
                continue;
            }
            of += u64::from(missed == 0);
            if row.get(2)? {
                missing += u64::from(missed == 0);
                unseen.push((id, missed));
            }
        }
    }
    if !vanishing.most.covers(missing, of) {
        swept.kept.push(KeptSource { source: source.to_owned(), missing, of });
        return Ok(());
    }
    for (id, missed) in unseen {
        if missed >= vanishing.keep {
            connection
                .prepare_cached("DELETE FROM products WHERE source = ?1 AND id = ?2")?
                .execute(params![source, id])?;
            swept.removed += 1;
        } else {
            connection
                .prepare_cached(
                    "UPDATE products SET missed = missed + 1 WHERE source = ?1 AND id = ?2",
                )?
                .execute(params![source, id])?;
            swept.marked += u64::from(missed == 0);
        }
    }
    Ok(())
}

/// Removes vectors of bytes that no image has any more. Those that stay have kept their values.
pub(super) fn drop_orphans(connection: &Connection) -> Result<(), StoreError> {
    let values: Option<Option<Vec<u8>>> =
        connection.query_row("SELECT vectors FROM current", [], |row| row.get(0)).optional()?;
    connection.execute_batch(
        "DELETE FROM vectors
         WHERE NOT EXISTS (SELECT 1 FROM images WHERE images.sha256 = vectors.sha256);
         DELETE FROM damaged
         WHERE NOT EXISTS (SELECT 1 FROM images WHERE images.sha256 = damaged.sha256);",
    )?;
    connection.execute("UPDATE current SET vectors = ?1", [values.flatten()])?;
    Ok(())
}
