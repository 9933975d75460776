//! Products that have another id than in older runs.

use std::collections::BTreeSet;

use postgres::Transaction;

use super::{batch::Batch, text::encode};

/// Moves products to their new ids; see [`Write::Renamed`](crate::store::Write::Renamed).
pub(super) fn rename(
    transaction: &mut Transaction<'_>,
    batch: &Batch<'_>,
) -> Result<(), postgres::Error> {
    if batch.renamed.is_empty() {
        return Ok(());
    }
    let column =
        |i: usize| -> Vec<String> { batch.renamed.iter().map(|row| encode(row[i])).collect() };
    // Those that there are; of several that become one product, the first moves.
    let found = transaction.query(
        "SELECT p.source, p.id, u.now, EXISTS (SELECT 1 FROM products q
             WHERE q.key = key(u.source, u.now))
         FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
             WITH ORDINALITY AS u (source, before, page, now, n)
         JOIN products p ON p.key = key(u.source, u.before)
         WHERE p.page IS NULL OR p.page = u.page
         ORDER BY u.n",
        &[&column(0), &column(1), &column(2), &column(3)],
    )?;
    let mut moved = BTreeSet::new();
    for row in found {
        let (source, before, now): (String, String, String) = (row.get(0), row.get(1), row.get(2));
        if !row.get::<_, bool>(3) && moved.insert((source.clone(), now.clone())) {
            for copy in COPIES {
                transaction.execute(copy, &[&source, &before, &now])?;
            }
        }
        transaction.execute("DELETE FROM products WHERE key = key($1, $2)", &[&source, &before])?;
    }
    Ok(())
}

/// A product's rows under another id. They refer to each other by it, so the old ones go last.
const COPIES: [&str; 3] = [
    "INSERT INTO products (source, id, title, description, url, brand, category, price, currency,
         availability, attributes, seen, missed, page, born, unread)
     SELECT source, $3, title, description, url, brand, category, price, currency, availability,
         attributes, seen, missed, page, born, unread
     FROM products WHERE key = key($1, $2) ON CONFLICT DO NOTHING",
    "INSERT INTO images (source, product, position, address, sha256, bytes, etag, last_modified)
     SELECT source, $3, position, address, sha256, bytes, etag, last_modified
     FROM images WHERE key = key($1, $2) ON CONFLICT DO NOTHING",
    "INSERT INTO quarantine (source, product, position, kind, message)
     SELECT source, $3, position, kind, message
     FROM quarantine WHERE key = key($1, $2) ON CONFLICT DO NOTHING",
];
