//! What changes the tables: binary COPY into staging tables, then upserts.

use std::collections::BTreeMap;

use pgvector::Vector;
use postgres::{
    Client, Transaction,
    binary_copy::BinaryCopyInWriter,
    error::SqlState,
    types::{ToSql, Type},
};

use super::{ImageHash, ImageKey, StoreError, Swept, Write};
use crate::{
    fetch::Validators,
    source::{Base, Product},
};

/// How often a transaction that lost a race is tried.
const TRIES: u32 = 5;

/// What became of an image.
enum Fate<'a> {
    Image { hash: &'a ImageHash, bytes: u64, validators: &'a Validators },
    Unchanged,
    Failure { kind: &'a str, message: &'a str },
}

/// Writes in the order of their keys, which keeps workers out of each other's way; of several for
/// one key the last.
#[derive(Default)]
pub(super) struct Batch<'a> {
    sources: BTreeMap<&'a str, &'a Base>,
    products: BTreeMap<(&'a str, &'a str), (&'a Product, String)>,
    fates: BTreeMap<(&'a str, &'a str, u32, &'a str), Fate<'a>>,
    vectors: BTreeMap<&'a ImageHash, &'a [f32]>,
}

impl<'a> Batch<'a> {
    pub(super) fn of(writes: &'a [Write]) -> Result<Self, StoreError> {
        let mut batch = Batch::default();
        for write in writes {
            match write {
                Write::Source { name, base } => {
                    batch.sources.insert(name, base);
                }
                Write::Product(product) => {
                    let attributes = super::super::attributes_json(product)?;
                    let key = (product.source.as_str(), product.id.as_str());
                    batch.products.insert(key, (product, attributes));
                }
                Write::Image { key, hash, bytes, validators } => {
                    batch.fate(key, Fate::Image { hash, bytes: *bytes, validators });
                }
                Write::Unchanged { key } => batch.fate(key, Fate::Unchanged),
                Write::Failure { key, kind, message } => {
                    batch.fate(key, Fate::Failure { kind, message });
                }
                Write::Vector { hash, values } => {
                    batch.vectors.entry(hash).or_insert(values);
                }
            }
        }
        Ok(batch)
    }

    fn fate(&mut self, key: &'a ImageKey, fate: Fate<'a>) {
        let ImageKey { source, product, position, address } = key;
        self.fates.insert((source, product, *position, address), fate);
    }
}

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
            products(&mut transaction, batch, enqueue)?;
            vectors(&mut transaction, batch, provenance)?;
            fates(&mut transaction, batch)?;
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
        attributes text
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

/// Text as Postgres can hold it: it has no NUL.
fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn maybe(text: Option<&str>) -> Option<String> {
    text.map(clean)
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
            &[&clean(name), &clean(&base.folder().to_string_lossy()), &base.zone()],
        )?;
    }
    if batch.products.is_empty() {
        return Ok(());
    }
    const TEXT: Type = Type::TEXT;
    let types = [TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT, Type::FLOAT8, TEXT, TEXT, TEXT];
    let rows = batch.products.values().map(|(p, attributes)| -> Values {
        vec![
            Box::new(clean(&p.source)),
            Box::new(clean(&p.id)),
            Box::new(maybe(p.title.as_deref())),
            Box::new(maybe(p.description.as_deref())),
            Box::new(maybe(p.url.as_deref())),
            Box::new(maybe(p.brand.as_deref())),
            Box::new(maybe(p.category.as_deref())),
            Box::new(p.price),
            Box::new(maybe(p.currency.as_deref())),
            Box::new(p.availability.map(|it| it.as_str())),
            Box::new(clean(attributes)),
        ]
    });
    copy(transaction, "staged_products", &types, rows)?;
    let images = batch.products.values().flat_map(|(p, _)| {
        p.images.iter().enumerate().map(|(position, address)| -> Values {
            vec![
                Box::new(clean(&p.source)),
                Box::new(clean(&p.id)),
                Box::new(number(position)),
                Box::new(clean(address)),
            ]
        })
    });
    copy(transaction, "staged_images", &[TEXT, TEXT, Type::INT4, TEXT], images)?;
    transaction.batch_execute(
        "INSERT INTO products (source, id, title, description, url, brand, category, price,
             currency, availability, attributes, seen)
         SELECT s.*, (SELECT run FROM current) FROM staged_products s ORDER BY source, id
         ON CONFLICT (source, id) DO UPDATE SET title = excluded.title,
             description = excluded.description, url = excluded.url, brand = excluded.brand,
             category = excluded.category, price = excluded.price,
             currency = excluded.currency, availability = excluded.availability,
             attributes = excluded.attributes, seen = excluded.seen, missed = 0;
         -- Another address is another image: nothing that was known holds for it.
         DELETE FROM images i USING staged_products p
         WHERE i.source = p.source AND i.product = p.id AND NOT EXISTS (
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
             ON CONFLICT (source, product, position) DO UPDATE
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
    ))
}

fn fates(transaction: &mut Transaction<'_>, batch: &Batch<'_>) -> Result<(), postgres::Error> {
    if batch.fates.is_empty() {
        return Ok(());
    }
    const TEXT: Type = Type::TEXT;
    let types = [TEXT, TEXT, Type::INT4, TEXT, Type::BYTEA, Type::INT8, TEXT, TEXT, TEXT, TEXT];
    let rows = batch.fates.iter().map(|((source, product, position, address), fate)| {
        let mut row: Values = vec![
            Box::new(clean(source)),
            Box::new(clean(product)),
            Box::new(i32::try_from(*position).unwrap_or(i32::MAX)),
            Box::new(clean(address)),
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
            Fate::Failure { kind, message } => failure = (Some(clean(kind)), Some(clean(message))),
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
         WHERE f.sha256 IS NOT NULL AND i.source = f.source AND i.product = f.product
         AND i.position = f.position AND i.address = f.address;
         DELETE FROM quarantine q USING staged_fates f
         WHERE f.kind IS NULL AND q.source = f.source AND q.product = f.product
         AND q.position = f.position;
         INSERT INTO quarantine (source, product, position, kind, message)
         SELECT f.source, f.product, f.position, f.kind, f.message
         FROM staged_fates f JOIN images i USING (source, product, position, address)
         WHERE f.kind IS NOT NULL ORDER BY f.source, f.product, f.position
         ON CONFLICT (source, product, position) DO UPDATE
         SET kind = excluded.kind, message = excluded.message;
         UPDATE queue q SET done = true
         FROM staged_fates f
         WHERE q.source = f.source AND q.product = f.product AND q.position = f.position
         AND q.address = f.address",
    )
}

/// See [`super::Store::sweep`].
pub(super) fn sweep(
    client: &mut Client,
    complete: &[String],
    keep: u32,
) -> Result<Swept, StoreError> {
    let keep = i32::try_from(keep).unwrap_or(i32::MAX);
    let complete: Vec<String> = complete.iter().map(|name| clean(name)).collect();
    let mut transaction = client.transaction()?;
    let unseen = "source = ANY($1) AND seen <> (SELECT run FROM current)";
    let removed = transaction.execute(
        &format!("DELETE FROM products WHERE {unseen} AND missed >= $2"),
        &[&complete, &keep],
    )?;
    let row = transaction.query_one(
        &format!(
            "WITH missing AS (
                 UPDATE products SET missed = missed + 1 WHERE {unseen} RETURNING missed
             ) SELECT count(*) FROM missing WHERE missed = 1"
        ),
        &[&complete],
    )?;
    let marked: i64 = row.get(0);
    if !complete.is_empty() {
        for row in transaction.query("SELECT id FROM provenances", &[])? {
            let id: i32 = row.get(0);
            transaction.batch_execute(&format!(
                "DELETE FROM vectors_{id} v
                 WHERE NOT EXISTS (SELECT 1 FROM images i WHERE i.sha256 = v.sha256)"
            ))?;
        }
    }
    transaction.commit()?;
    Ok(Swept { marked: u64::try_from(marked).unwrap_or(0), removed })
}
