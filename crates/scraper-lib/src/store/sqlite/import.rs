//! Parquet tables of vectors as the content of a store: those of `export::parquet` (vectors as
//! projected), and those that bulk jobs of the Python package write, errors included.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use arrow_array::{
    Array, BooleanArray, Float32Array, Float64Array, Int32Array, ListArray, RecordBatch,
    StringArray,
};
use clip_core::Provenance;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use rusqlite::{Transaction, params};
use serde_json::Value;

use super::{
    super::{Store, StoreError, attributes, attributes_json},
    SqliteStore,
};
use crate::{
    report::secrets::{public, redact},
    source::Availability,
    store::ImageHash,
};

/// What a bulk job leaves beside its files.
const JOB: &str = "_job.json";

/// The tables that `path` names: a file, or a folder that a bulk job filled. `None`: it is a store.
pub(super) fn tables(path: &Path) -> Result<Option<Vec<PathBuf>>, StoreError> {
    let is_table = |path: &Path| path.extension().is_some_and(|found| found == "parquet");
    if !path.is_dir() {
        return Ok(is_table(path).then(|| vec![path.to_owned()]));
    }
    let unfit = |reason: String| StoreError::Unmergeable { path: path.to_owned(), reason };
    let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.map_err(|e| unfit(e.to_string()))?;
    let mut files: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    files.retain(|path| is_table(path));
    files.sort();
    let job: Option<Value> =
        fs::read(path.join(JOB)).ok().and_then(|json| serde_json::from_slice(&json).ok());
    let wanted = job.as_ref().and_then(|job| job["count"].as_u64());
    match wanted {
        Some(wanted) if wanted != files.len() as u64 => {
            let there = files.len();
            Err(unfit(format!("its job is not done: {there} of {wanted} files are there")))
        }
        None if files.is_empty() => Err(unfit("there is no .parquet file in it".to_owned())),
        _ => Ok(Some(files)),
    }
}

/// Adds the rows of one table.
///
/// # Errors
/// [`StoreError::Unmergeable`]: it is no such table, of another provenance, or has an image that is
/// there already.
pub(super) fn add(store: &mut SqliteStore, path: &Path) -> Result<(), StoreError> {
    let unfit = |reason: String| StoreError::Unmergeable { path: path.to_owned(), reason };
    let broken = |e: &dyn std::fmt::Display| unfit(e.to_string());
    let file = File::open(path).map_err(|e| broken(&e))?;
    // As the file itself says it, whatever library wrote it.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options);
    let reader = reader.map_err(|e| broken(&e))?;
    let metadata = reader.metadata().file_metadata().key_value_metadata();
    let said = |key: &str| {
        let pair = metadata.into_iter().flatten().find(|pair| pair.key == key);
        pair.and_then(|pair| pair.value.clone())
    };
    let provenance = said("provenance").and_then(|json| serde_json::from_str(&json).ok());
    let provenance: Provenance = provenance
        .ok_or_else(|| unfit("it does not say where its vectors come from".to_owned()))?;
    if said("normalized").as_deref() != Some("false") {
        return Err(unfit(
            "its vectors are of unit length, and a store keeps them as the model projects them: \
             write them so"
                .to_owned(),
        ));
    }
    if let Some(stored) = store.provenance()?
        && !stored.agrees(&provenance)
    {
        return Err(unfit(StoreError::differences(&stored, &provenance)));
    }
    store.begin(&provenance, 0, false)?;
    let origin = store.provenance.unwrap_or_default();
    let run = store.run;
    let batches = reader.build().map_err(|e| broken(&e))?;
    let transaction = store.connection.transaction()?;
    for batch in batches {
        let batch = batch.map_err(|e| broken(&e))?;
        let rows = Rows::of(&batch).map_err(&unfit)?;
        for index in 0..batch.num_rows() {
            let row = rows.row(index).map_err(&unfit)?;
            if let Some(reason) = insert(&transaction, &row, origin, run)? {
                return Err(unfit(reason));
            }
        }
    }
    Ok(transaction.commit()?)
}

/// The columns of a batch.
struct Rows<'a> {
    batch: &'a RecordBatch,
    embedding: &'a ListArray,
}

/// One image.
struct Row<'a> {
    texts: [Option<&'a str>; 8],
    source: &'a str,
    id: &'a str,
    price: Option<f64>,
    image: &'a str,
    position: i32,
    found: Found<'a>,
}

/// The vector of an image, or kind and message of its failure.
type Found<'a> = Result<Vector, (&'a str, &'a str)>;

struct Vector {
    /// Of the image's bytes.
    hash: ImageHash,
    values: Vec<u8>,
    damaged: bool,
}

/// Columns of `products` that hold a text.
const TEXTS: [&str; 8] =
    ["title", "description", "url", "brand", "category", "currency", "availability", "attributes"];

impl<'a> Rows<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, String> {
        let embedding = column::<ListArray>(batch, "embedding");
        let embedding = embedding.ok_or("its column `embedding` holds no lists of float32")?;
        Ok(Rows { batch, embedding })
    }

    fn text(&self, name: &str, index: usize) -> Option<&'a str> {
        let column = column::<StringArray>(self.batch, name)?;
        column.is_valid(index).then(|| column.value(index))
    }

    fn row(&self, index: usize) -> Result<Row<'a>, String> {
        let missing = |name: &str| format!("a row has no `{name}`");
        let id = self.text("id", index).ok_or_else(|| missing("id"))?;
        let image = self.text("image", index).ok_or_else(|| missing("image"))?;
        let price = column::<Float64Array>(self.batch, "price");
        let position = column::<Int32Array>(self.batch, "position");
        Ok(Row {
            texts: TEXTS.map(|name| self.text(name, index)),
            source: self.text("source", index).unwrap_or_default(),
            id,
            price: price.filter(|price| price.is_valid(index)).map(|price| price.value(index)),
            image,
            position: position.map_or(0, |position| position.value(index)),
            found: self.found(index).map_err(|reason| format!("{image}: {reason}"))?,
        })
    }

    fn found(&self, index: usize) -> Result<Found<'a>, String> {
        if self.embedding.is_null(index) {
            let error = self.text("error_kind", index).zip(self.text("error", index));
            return error.map(Err).ok_or_else(|| "it has neither a vector nor an error".to_owned());
        }
        let hash = self.text("sha256", index).and_then(digest).ok_or("it has no SHA-256")?;
        let values = self.embedding.value(index);
        let values = values.as_any().downcast_ref::<Float32Array>();
        let values = values.ok_or("its vector is not of float32")?;
        if values.null_count() > 0 || values.values().iter().any(|value| !value.is_finite()) {
            return Err("its vector holds a value that is no number".to_owned());
        }
        let values = values.values().iter().flat_map(|value| value.to_le_bytes()).collect();
        // Tables of before have no such column.
        let damaged = column::<BooleanArray>(self.batch, "damaged");
        let damaged = damaged.is_some_and(|column| column.is_valid(index) && column.value(index));
        Ok(Ok(Vector { hash, values, damaged }))
    }
}

fn column<'a, T: 'static>(batch: &'a RecordBatch, name: &str) -> Option<&'a T> {
    batch.column_by_name(name)?.as_any().downcast_ref()
}

/// 64 hexadecimal digits.
fn digest(text: &str) -> Option<ImageHash> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(hash)
}

/// The reason if the row does not fit what is there.
fn insert(
    transaction: &Transaction<'_>,
    row: &Row<'_>,
    origin: i64,
    run: i64,
) -> Result<Option<String>, StoreError> {
    let Row { source, id, image, position, .. } = row;
    let [title, description, url, brand, category, currency, availability, json] = row.texts;
    let product = crate::source::Product {
        attributes: attributes(id, json.unwrap_or("{}"))?,
        ..Default::default()
    };
    transaction
        .prepare_cached("INSERT OR IGNORE INTO sources (name, base, zone) VALUES (?1, '', 'web')")?
        .execute([source])?;
    transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO products (source, id, title, description, url, brand, category,
                 price, currency, availability, attributes, seen, born)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12)",
        )?
        .execute(params![
            source,
            id,
            title,
            description,
            url.map(public),
            brand,
            category,
            row.price,
            currency,
            availability.and_then(Availability::from_name).map(Availability::as_str),
            attributes_json(&product)?,
            run
        ])?;
    let hash = row.found.as_ref().ok().map(|vector| vector.hash);
    let added = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO images (source, product, position, address, sha256)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![source, id, position, image, hash])?;
    if added == 0 {
        let place = format!("the image at position {position} of the product {id}");
        return Ok(Some(format!("{place} is in another of the stores too, or here twice")));
    }
    match &row.found {
        Ok(Vector { hash, values, damaged }) => {
            if *damaged {
                transaction
                    .prepare_cached("INSERT OR IGNORE INTO damaged (sha256) VALUES (?1)")?
                    .execute([hash])?;
            }
            transaction
                .prepare_cached(
                    "INSERT OR IGNORE INTO vectors (sha256, provenance, vector) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![hash, origin, values])?
        }
        Err((kind, message)) => transaction
            .prepare_cached(
                "INSERT INTO quarantine (source, product, position, kind, message)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![source, id, position, kind, redact(message)])?,
    };
    Ok(None)
}
