//! An Apache Parquet table (<https://parquet.apache.org/docs/file-format/>), one row per vector.

use clip_core::trace::hex;
use std::{io::Write, sync::Arc};

use arrow_array::{
    ArrayRef, RecordBatch,
    builder::{
        BooleanBuilder, FixedSizeListBuilder, Float32Builder, Float64Builder, Int32Builder,
        StringBuilder,
    },
};
use arrow_schema::{DataType, Field, Schema};
use clip_core::Provenance;
use parquet::{
    arrow::ArrowWriter,
    basic::Compression,
    errors::ParquetError,
    file::{metadata::KeyValue, properties::WriterProperties},
};

use super::{each, values};
use crate::{
    Error,
    source::Product,
    store::{Row, Store, StoreError, View},
};

/// Rows per row group: what is held in memory at once (2 KiB per vector of 512).
const GROUP: usize = 2048;

/// The text columns before the image, and where they come from. `attributes` is a JSON object:
/// unlike a map, every reader of Parquet takes it.
type Text = (&'static str, fn(&Product) -> Option<String>);
const TEXTS: [Text; 10] = [
    ("source", |p| Some(p.source.clone())),
    ("id", |p| Some(p.id.clone())),
    ("title", |p| p.title.clone()),
    ("description", |p| p.description.clone()),
    ("url", |p| p.url.clone()),
    ("brand", |p| p.brand.clone()),
    ("category", |p| p.category.clone()),
    ("currency", |p| p.currency.clone()),
    ("availability", |p| p.availability.map(|it| it.as_str().to_owned())),
    ("attributes", |p| serde_json::to_string(&p.attributes).ok()),
];

/// The vectors of `view` with the columns of their products, ordered by source, product and
/// position. The vector is a `FixedSizeList<float32, dim>`; the provenance is in the columns
/// `model`, `revision`, `weights`, `preprocessing`, `numerics`, `device` and in the file's
/// metadata. Row groups are written as they fill, so memory stays flat. Returns the number of
/// rows.
///
/// # Errors
/// The store cannot be read, or `out` cannot be written.
pub fn parquet(
    store: &dyn Store,
    view: &View,
    raw: bool,
    out: &mut (dyn Write + Send),
) -> Result<usize, Error> {
    // The column's type holds the length of the vectors.
    let mut dim = 0;
    store.rows(&View { filter: Default::default(), vanished: true }, &mut |row| {
        dim = row.values.len();
        false
    })?;
    let dim =
        i32::try_from(dim).map_err(|_| StoreError::Damaged(format!("a vector of {dim} values")))?;
    let schema = schema(dim);
    let provenance = store.provenance()?;
    let json = serde_json::to_string(&provenance).map_err(|e| Error::Internal(e.to_string()))?;
    let metadata = [("provenance", json), ("normalized", (!raw).to_string())];
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(GROUP))
        .set_key_value_metadata(Some(
            metadata.map(|(key, value)| KeyValue::new(key.into(), value)).into(),
        ))
        .build();
    let mut writer = ArrowWriter::try_new(out, schema.clone(), Some(properties)).map_err(fail)?;
    let mut columns = Columns::new(dim);
    let mut count = 0;
    let mut odd = None;
    each(store, view, |mut row, provenance| {
        let values = values(&mut row, raw);
        if values.len() != dim as usize {
            odd.get_or_insert(row.product.id);
            return Ok(());
        }
        count += 1;
        columns.add(&row, &values, provenance);
        if columns.rows == GROUP {
            let batch = columns.batch(&schema).map_err(std::io::Error::other)?;
            writer.write(&batch).map_err(std::io::Error::other)?;
        }
        Ok(())
    })?;
    if let Some(id) = odd {
        return Err(StoreError::Damaged(format!("the vector of {id} is of another length")).into());
    }
    if columns.rows > 0 {
        writer.write(&columns.batch(&schema).map_err(fail)?).map_err(fail)?;
    }
    writer.close().map_err(fail)?;
    Ok(count)
}

fn fail(e: ParquetError) -> Error {
    let source = match e {
        ParquetError::External(e) => match e.downcast::<std::io::Error>() {
            Ok(e) => *e,
            Err(e) => std::io::Error::other(e),
        },
        e => std::io::Error::other(e),
    };
    Error::Output { what: "the export".into(), source }
}

fn schema(dim: i32) -> Arc<Schema> {
    let text = |name: &str, null| Field::new(name, DataType::Utf8, null);
    let mut fields: Vec<Field> =
        TEXTS.iter().map(|(name, _)| text(name, !matches!(*name, "source" | "id"))).collect();
    fields.extend([
        Field::new("price", DataType::Float64, true),
        text("image", false),
        Field::new("position", DataType::Int32, false),
        text("sha256", false),
        Field::new("damaged", DataType::Boolean, false),
        text("model", false),
        text("revision", true),
        text("weights", false),
        text("preprocessing", false),
        Field::new("numerics", DataType::Int32, false),
        text("device", false),
        Field::new("embedding", DataType::FixedSizeList(item(), dim), false),
    ]);
    Arc::new(Schema::new(fields))
}

fn item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Float32, false))
}

/// The rows of the next group.
struct Columns {
    rows: usize,
    texts: [StringBuilder; TEXTS.len()],
    price: Float64Builder,
    image: StringBuilder,
    position: Int32Builder,
    sha256: StringBuilder,
    damaged: BooleanBuilder,
    /// model, revision, weights, preprocessing.
    origin: [StringBuilder; 4],
    numerics: Int32Builder,
    device: StringBuilder,
    embedding: FixedSizeListBuilder<Float32Builder>,
}

impl Columns {
    fn new(dim: i32) -> Self {
        Columns {
            rows: 0,
            texts: Default::default(),
            price: Float64Builder::new(),
            image: StringBuilder::new(),
            position: Int32Builder::new(),
            sha256: StringBuilder::new(),
            damaged: BooleanBuilder::new(),
            origin: Default::default(),
            numerics: Int32Builder::new(),
            device: StringBuilder::new(),
            embedding: FixedSizeListBuilder::new(Float32Builder::new(), dim).with_field(item()),
        }
    }

    fn add(&mut self, row: &Row, values: &[f32], provenance: &Provenance) {
        let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
        for (column, (_, text)) in self.texts.iter_mut().zip(TEXTS) {
            column.append_option(text(&row.product));
        }
        self.price.append_option(row.product.price);
        self.image.append_value(&row.image);
        self.position.append_value(number(row.position));
        self.sha256.append_value(hex(&row.hash));
        self.damaged.append_value(row.damaged);
        // The tokenizer is in the metadata, with all the rest.
        let Provenance { model, revision, weights, preprocessing, numerics, device, .. } =
            provenance;
        let origin = [Some(model), revision.as_ref(), Some(weights), Some(preprocessing)];
        for (column, text) in self.origin.iter_mut().zip(origin) {
            column.append_option(text);
        }
        self.numerics.append_value(number(*numerics));
        self.device.append_value(device);
        self.embedding.values().append_slice(values);
        self.embedding.append(true);
        self.rows += 1;
    }

    fn batch(&mut self, schema: &Arc<Schema>) -> Result<RecordBatch, ParquetError> {
        self.rows = 0;
        let text = |column: &mut StringBuilder| Arc::new(column.finish()) as ArrayRef;
        let mut columns: Vec<ArrayRef> = self.texts.iter_mut().map(text).collect();
        columns.push(Arc::new(self.price.finish()));
        columns.push(text(&mut self.image));
        columns.push(Arc::new(self.position.finish()));
        columns.push(text(&mut self.sha256));
        columns.push(Arc::new(self.damaged.finish()));
        columns.extend(self.origin.iter_mut().map(text));
        columns.push(Arc::new(self.numerics.finish()));
        columns.push(text(&mut self.device));
        columns.push(Arc::new(self.embedding.finish()));
        Ok(RecordBatch::try_new(schema.clone(), columns)?)
    }
}
