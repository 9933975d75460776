//! What changes the tables: binary COPY into staging tables, then upserts.

use pgvector::Vector;
use postgres::{
    Client, Transaction,
    binary_copy::BinaryCopyInWriter,
    error::SqlState,
    types::{ToSql, Type},
};

use super::{
    StoreError,
    batch::{Batch, Fate},
    rename::rename,
    text::encode,
};
use crate::{
    fetch::Validators,
    report::secrets::{public, redact},
};

/// How often a transaction that lost a race is tried.
const TRIES: u32 = 5;

/// Applies all of `batch` or nothing. With `enqueue` the images of its products join the queue.
pub(super) fn apply(
    client: &mut Client,
    batch: &Batch<'_>,
    provenance: Option<i32>,
    enqueue: bool,
) -> Result<(), StoreError> {
    for attempt in 1.. {
        let done = (|| {
            let mut transaction = client.transaction()?;
            transaction.batch_execute(STAGING)?;
            rename(&mut transaction, batch)?;
            products(&mut transaction, batch, enqueue)?;
            vectors(&mut transaction, batch, provenance)?;
            fates(&mut transaction, batch)?;
            failures(&mut transaction, batch)?;
            transaction.commit()
        })();
        match done {
            // Two workers locked the same rows in another order: one of them has to try again.
            Err(e)
                if attempt < TRIES
                    && e.code().is_some_and(|code| {
                        *code == SqlState::T_R_DEADLOCK_DETECTED
                            || *code == SqlState::T_R_SERIALIZATION_FAILURE
                    }) => {}
            result => return Ok(result?),
        }
    }
    Ok(())
}

const STAGING: &str = r#"
    CREATE TEMP TABLE IF NOT EXISTS staged_products (
        source text COLLATE "C", id text COLLATE "C", title text, description text, url text,
        brand text, category text, price double precision, currency text, availability text,
        attributes text, page text
    ) ON COMMIT DELETE ROWS;
    CREATE TEMP TABLE IF NOT EXISTS staged_images (
        source text COLLATE "C", product text COLLATE "C", position integer, address text
    ) ON COMMIT DELETE ROWS;
    CREATE TEMP TABLE IF NOT EXISTS staged_vectors (sha256 bytea, embedding public.vector)
        ON COMMIT DELETE ROWS;
    CREATE TEMP TABLE IF NOT EXISTS staged_fates (
        source text COLLATE "C", product text COLLATE "C", position integer, address text,
        sha256 bytea, bytes bigint, etag text, last_modified text, kind text, message text
    ) ON COMMIT DELETE ROWS;
"#;

fn maybe(text: Option<&str>) -> Option<String> {
    text.map(encode)
}

fn number(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}

/// A row for COPY.
type Values = Vec<Box<dyn ToSql + Sync>>;

fn copy(
    transaction: &mut Transaction<'_>,
    table: &str,
    types: &[Type],
    rows: impl Iterator<Item = Values>,
) -> Result<(), postgres::Error> {
    let sink = transaction.copy_in(&format!("COPY {table} FROM STDIN BINARY"))?;
    let mut writer = BinaryCopyInWriter::new(sink, types);
    for row in rows {
        let row: Vec<&(dyn ToSql + Sync)> = row.iter().map(AsRef::as_ref).collect();
        writer.write(&row)?;
    }
    writer.finish()?;
    Ok(())
}

fn products(
    transaction: &mut Transaction<'_>,
    batch: &Batch<'_>,
    enqueue: bool,
) -> Result<(), postgres::Error> {
    for (name, base) in &batch.sources {
        transaction.execute(
            "INSERT INTO sources (name, base, zone) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET base = excluded.base, zone = excluded.zone",
            &[&encode(name), &encode(&base.folder().to_string_lossy()), &base.zone()],
        )?;
        transaction.execute("DELETE FROM source_failures WHERE source = $1", &[&encode(name)])?;
    }
    if batch.products.is_empty() {
        return Ok(());
    }
    const TEXT: Type = Type::TEXT;
    let types = [TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, Type::FLOAT8, TEXT, TEXT, TEXT, TEXT];
    let rows = batch.products.values().map(|(p, attributes)| -> Values {
        vec![
            Box::new(encode(&p.source)),
            Box::new(encode(&p.id)),
            Box::new(maybe(p.title.as_deref())),
            Box::new(maybe(p.description.as_deref())),
            Box::new(p.url.as_deref().map(|url| encode(&public(url)))),
            Box::new(maybe(p.brand.as_deref())),
            Box::new(maybe(p.category.as_deref())),
            Box::new(p.price),
            Box::new(maybe(p.currency.as_deref())),
            Box::new(p.availability.map(|it| it.as_str())),
            Box::new(encode(attributes)),
            Box::new(p.page.as_deref().map(|page| encode(&public(page)))),
        ]
    });
    copy(transaction, "staged_products", &types, rows)?;
    let images = batch.products.values().flat_map(|(p, _)| {
        p.images.iter().enumerate().map(|(position, address)| -> Values {
            vec![
                Box::new(encode(&p.source)),
                Box::new(encode(&p.id)),
                Box::new(number(position)),
                Box::new(encode(address)),
            ]
        })
    });
    copy(transaction, "staged_images", &[TEXT, TEXT, Type::INT4, TEXT], images)?;
    transaction.batch_execute(
        "INSERT INTO products (source, id, title, description, url, brand, category, price,
             currency, availability, attributes, page, seen, born)
         SELECT s.*, run, run FROM staged_products s, current ORDER BY source, id
         ON CONFLICT (key) DO UPDATE SET title = excluded.title,
             description = excluded.description, url = excluded.url, brand = excluded.brand,
             category = excluded.category, price = excluded.price,
             currency = excluded.currency, availability = excluded.availability,
             attributes = excluded.attributes, page = excluded.page, seen = excluded.seen,
             missed = 0;
         DELETE FROM source_failures f USING staged_products p
         WHERE f.source = p.source AND md5(f.place) IN (md5(p.id), md5(p.page));
         -- Another address is another image: nothing that was known holds for it. But a source that
         -- tells of no image one night may just have lost a column: what is known is kept.
         DELETE FROM images i USING staged_products p
         WHERE i.key = key(p.source, p.id)
         AND EXISTS (SELECT 1 FROM staged_images s WHERE s.source = p.source AND s.product = p.id)
         AND NOT EXISTS (
             SELECT 1 FROM staged_images s WHERE s.source = i.source
             AND s.product = i.product AND s.position = i.position AND s.address = i.address);
         INSERT INTO images (source, product, position, address)
         SELECT * FROM staged_images ORDER BY source, product, position
         ON CONFLICT DO NOTHING",
    )?;
    if enqueue {
        transaction.batch_execute(
            "INSERT INTO queue (source, product, position, address)
             SELECT * FROM staged_images ORDER BY source, product, position
             ON CONFLICT (key, position) DO UPDATE
             SET address = excluded.address, worker = NULL, lease = '-infinity', tries = 0,
                 done = false
             WHERE queue.address <> excluded.address",
        )?;
    }
    Ok(())
}

fn vectors(
    transaction: &mut Transaction<'_>,
    batch: &Batch<'_>,
    provenance: Option<i32>,
) -> Result<(), postgres::Error> {
    let Some(id) = provenance.filter(|_| !batch.vectors.is_empty()) else { return Ok(()) };
    // The type's number differs from database to database.
    let statement = transaction.prepare("SELECT $1::public.vector")?;
    let vector = statement.params().first().cloned().unwrap_or(Type::BYTEA);
    let rows = batch.vectors.iter().map(|(hash, values)| -> Values {
        vec![Box::new(hash.to_vec()), Box::new(Vector::from(values.to_vec()))]
    });
    copy(transaction, "staged_vectors", &[Type::BYTEA, vector], rows)?;
    transaction.batch_execute(&format!(
        "INSERT INTO vectors_{id} SELECT * FROM staged_vectors ORDER BY sha256
         ON CONFLICT DO NOTHING"
    ))?;
    if !batch.damaged.is_empty() {
        let insert = "INSERT INTO damaged SELECT * FROM unnest($1::bytea[]) ORDER BY 1
                      ON CONFLICT DO NOTHING";
        transaction.execute(insert, &[&batch.damaged])?;
    }
    Ok(())
}

fn fates(transaction: &mut Transaction<'_>, batch: &Batch<'_>) -> Result<(), postgres::Error> {
    if batch.fates.is_empty() {
        return Ok(());
    }
    const TEXT: Type = Type::TEXT;
    let types = [TEXT, TEXT, Type::INT4, TEXT, Type::BYTEA, Type::INT8, TEXT, TEXT, TEXT, TEXT];
    let rows = batch.fates.iter().map(|((source, product, position, address), fate)| {
        let mut row: Values = vec![
            Box::new(encode(source)),
            Box::new(encode(product)),
            Box::new(i32::try_from(*position).unwrap_or(i32::MAX)),
            Box::new(encode(address)),
        ];
        let (mut image, mut failure) = ((None, None, None, None), (None, None));
        match fate {
            Fate::Image { hash, bytes, validators } => {
                let bytes = i64::try_from(*bytes).unwrap_or(i64::MAX);
                let Validators { etag, last_modified } = validators;
                let validators = (maybe(etag.as_deref()), maybe(last_modified.as_deref()));
                image = (Some(hash.to_vec()), Some(bytes), validators.0, validators.1);
            }
            Fate::Unchanged => {}
            Fate::Failure { kind, message } => {
                failure = (Some(encode(kind)), Some(encode(&redact(message))))
            }
        }
        let values: Values = vec![
            Box::new(image.0),
            Box::new(image.1),
            Box::new(image.2),
            Box::new(image.3),
            Box::new(failure.0),
            Box::new(failure.1),
        ];
        row.extend(values);
        row
    });
    copy(transaction, "staged_fates", &types, rows)?;
    transaction.batch_execute(
        "UPDATE images i SET sha256 = f.sha256, bytes = f.bytes, etag = f.etag,
             last_modified = f.last_modified
         FROM staged_fates f
         WHERE f.sha256 IS NOT NULL AND i.key = key(f.source, f.product)
         AND i.position = f.position AND i.address = f.address;
         DELETE FROM quarantine q USING staged_fates f
         WHERE f.kind IS NULL AND q.key = key(f.source, f.product)
         AND q.position = f.position;
         INSERT INTO quarantine (source, product, position, kind, message)
         SELECT f.source, f.product, f.position, f.kind, f.message
         FROM staged_fates f JOIN images i ON i.key = key(f.source, f.product)
             AND i.position = f.position AND i.address = f.address
         WHERE f.kind IS NOT NULL ORDER BY f.source, f.product, f.position
         ON CONFLICT (key, position) DO UPDATE
         SET kind = excluded.kind, message = excluded.message;
         UPDATE queue q SET done = true
         FROM staged_fates f
         WHERE q.key = key(f.source, f.product) AND q.position = f.position
         AND q.address = f.address",
    )
}

/// What failed besides images, and products that count as seen because of it.
fn failures(transaction: &mut Transaction<'_>, batch: &Batch<'_>) -> Result<(), postgres::Error> {
    if !batch.failures.is_empty() {
        let statement = transaction.prepare(
            "INSERT INTO source_failures VALUES ($1, $2, $3, $4)
             ON CONFLICT (source, md5(place), kind) DO UPDATE SET message = excluded.message",
        )?;
        for ((source, place, kind), message) in &batch.failures {
            let row = [source, place, kind, message].map(|text| encode(text));
            transaction.execute(&statement, &[&row[0], &row[1], &row[2], &row[3]])?;
        }
    }
    if !batch.unread.is_empty() {
        let column = |part: fn(&(&str, &str, &str)) -> String| -> Vec<String> {
            batch.unread.iter().map(part).collect()
        };
        let sources = column(|(source, ..)| encode(source));
        let pages = column(|(_, page, _)| encode(page));
        let ids = column(|(.., id)| encode(id));
        transaction.execute(
            "UPDATE products p SET unread = (SELECT run FROM current)
             FROM unnest($1::text[], $2::text[]) AS u (source, page)
             WHERE p.source = u.source AND md5(p.page) = md5(u.page)",
            &[&sources, &pages],
        )?;
        transaction.execute(
            "UPDATE products p SET unread = (SELECT run FROM current)
             FROM unnest($1::text[], $2::text[]) AS u (source, id)
             WHERE p.source = u.source AND p.id = u.id AND p.page IS NULL",
            &[&sources, &ids],
        )?;
    }
    Ok(())
}
