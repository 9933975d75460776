//! What changes the tables.

use rusqlite::{Connection, params};

use super::super::{ImageKey, Shard, StoreError, Swept, Write};
use crate::source::Product;

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
        }
        Write::Product(product) => put_product(connection, product, run)?,
        Write::Image { key, hash, bytes, validators } => {
            connection
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
            release(connection, key)?;
        }
        Write::Unchanged { key } => release(connection, key)?,
        Write::Vector { hash, values } => {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            connection
                .prepare_cached(
                    "INSERT OR IGNORE INTO vectors (sha256, provenance, vector)
                     VALUES (?1, ?2, ?3)",
                )?
                .execute(params![hash, provenance, bytes])?;
        }
        Write::Failure { key, kind, message } => {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO quarantine (source, product, position, kind, message)
                     SELECT source, product, position, ?1, ?2 FROM images
                     WHERE source = ?3 AND product = ?4 AND position = ?5 AND address = ?6",
                )?
                .execute(params![
                    kind,
                    message,
                    key.source,
                    key.product,
                    key.position,
                    key.address
                ])?;
        }
    }
    Ok(())
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

fn put_product(connection: &Connection, product: &Product, run: i64) -> Result<(), StoreError> {
    let Product { source, id, images, .. } = product;
    let attributes = super::super::attributes_json(product)?;
    connection
        .prepare_cached("INSERT OR IGNORE INTO products (source, id) VALUES (?1, ?2)")?
        .execute(params![source, id])?;
    connection
        .prepare_cached(
            "UPDATE products SET title = ?3, description = ?4, url = ?5, brand = ?6,
             category = ?7, price = ?8, currency = ?9, availability = ?10, attributes = ?11,
             seen = ?12, missed = 0 WHERE source = ?1 AND id = ?2",
        )?
        .execute(params![
            source,
            id,
            product.title,
            product.description,
            product.url,
            product.brand,
            product.category,
            product.price,
            product.currency,
            product.availability.map(|it| it.as_str()),
            attributes,
            run
        ])?;
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

/// Counts a miss for each product of `source` that the run did not see, and removes those with
/// more than `keep`.
pub(super) fn sweep(
    connection: &Connection,
    source: &str,
    run: i64,
    shard: Option<Shard>,
    keep: u32,
    swept: &mut Swept,
) -> Result<(), StoreError> {
    let mut unseen = connection
        .prepare_cached("SELECT id, missed FROM products WHERE source = ?1 AND seen <> ?2")?;
    let unseen = unseen
        .query_map(params![source, run], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<Vec<(String, u32)>, _>>()?;
    for (id, missed) in unseen {
        if shard.is_some_and(|shard| !shard.holds(source, &id)) {
            continue;
        }
        if missed >= keep {
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

/// Removes vectors of bytes that no image has any more.
pub(super) fn drop_orphans(connection: &Connection) -> Result<(), StoreError> {
    connection.execute(
        "DELETE FROM vectors
         WHERE NOT EXISTS (SELECT 1 FROM images WHERE images.sha256 = vectors.sha256)",
        [],
    )?;
    Ok(())
}
