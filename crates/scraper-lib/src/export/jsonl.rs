//! One JSON object per vector.

use clip_core::trace::hex;
use std::io::{self, Write};

use clip_core::Provenance;
use serde::Serialize;

use super::{each, values};
use crate::source::Facts;
use crate::{
    Error,
    store::{Row, Store, View},
};

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    product: Facts<'a>,
    /// Complete reads of its source that no longer told of the product.
    #[serde(skip_serializing_if = "present")]
    missed: u32,
    image: &'a str,
    position: u32,
    sha256: String,
    /// The file is damaged, and its pixels are what Pillow makes of it.
    #[serde(skip_serializing_if = "is_false")]
    damaged: bool,
    normalized: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    dim: Option<usize>,
    /// f32 in the shortest form that reads back to the same bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<&'a [f32]>,
    provenance: &'a Provenance,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

fn present(missed: &u32) -> bool {
    *missed == 0
}

/// The vectors of `view`, ordered by source, product and position. Returns their number.
///
/// # Errors
/// The store cannot be read, or `out` cannot be written.
pub fn jsonl(
    store: &dyn Store,
    view: &View,
    raw: bool,
    out: &mut dyn Write,
) -> Result<usize, Error> {
    let mut count = 0;
    each(store, view, |mut row, provenance| {
        count += 1;
        let values = values(&mut row, raw);
        write_line(out, &row, provenance, !raw, Some(&values))
    })?;
    Ok(count)
}

pub(super) fn write_line(
    out: &mut dyn Write,
    row: &Row,
    provenance: &Provenance,
    normalized: bool,
    embedding: Option<&[f32]>,
) -> io::Result<()> {
    let line = Line {
        product: Facts::of(&row.product),
        missed: row.missed,
        image: &row.image,
        position: row.position,
        sha256: hex(&row.hash),
        damaged: row.damaged,
        normalized,
        dim: embedding.map(<[f32]>::len),
        embedding,
        provenance,
    };
    serde_json::to_writer(&mut *out, &line)?;
    out.write_all(b"\n")
}
