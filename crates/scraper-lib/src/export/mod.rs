//! The store's vectors in forms that other programs read.

mod jsonl;
pub mod npy;
mod parquet;
mod web;

use std::io::{self, Write};

use clip_core::{Embedding, Provenance};

pub use jsonl::jsonl;
pub use parquet::parquet;
pub use web::web;

use crate::{
    Error,
    source::publish,
    store::{Row, Store, StoreError, View},
};

/// The values as they are exported: of unit length unless `raw`.
fn values(row: &mut Row, raw: bool) -> Vec<f32> {
    let values = std::mem::take(&mut row.values);
    if raw { values } else { Embedding::from_raw(values).normalized().into_values() }
}

/// The vectors of `view` as one NumPy array `[rows, dim]`, and one JSON line per row into `rows`.
/// Returns the number of rows.
///
/// # Errors
/// The store cannot be read, or an output cannot be written.
pub fn npy(
    store: &dyn Store,
    view: &View,
    raw: bool,
    out: &mut dyn Write,
    rows: Option<&mut dyn Write>,
) -> Result<usize, Error> {
    // The header needs the number of rows; counting is cheaper than holding all of them.
    let (mut count, mut dim, mut even) = (0, 0, true);
    store.rows(view, &mut |row| {
        even &= count == 0 || dim == row.values.len();
        dim = row.values.len();
        count += 1;
        true
    })?;
    if !even {
        return Err(StoreError::Damaged("vectors of different lengths".into()).into());
    }
    let fail = |source| Error::Output { what: "the export".into(), source };
    out.write_all(&npy::header(count, dim)).map_err(fail)?;
    let mut rows = rows;
    each(store, view, |mut row, provenance| {
        let values = values(&mut row, raw);
        npy::write_row(out, &values)?;
        match &mut rows {
            Some(rows) => jsonl::write_line(*rows, &row, provenance, !raw, None),
            None => Ok(()),
        }
    })?;
    Ok(count)
}

/// Visits every row until a write fails.
fn each(
    store: &dyn Store,
    view: &View,
    mut write: impl FnMut(Row, &Provenance) -> io::Result<()>,
) -> Result<(), Error> {
    let Some(provenance) = store.provenance()? else { return Ok(()) };
    let mut failure = None;
    store.rows(view, &mut |mut row| {
        publish(&mut row.image, &mut row.product);
        failure = write(row, &provenance).err();
        failure.is_none()
    })?;
    match failure {
        None => Ok(()),
        Some(source) => Err(Error::Output { what: "the export".into(), source }),
    }
}
