//! Columns of Arrow in, a record batch out, without a copy on the way (the PyCapsule interface).

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, LargeBinaryArray,
    LargeStringArray, RecordBatch, StringArray, StringViewArray,
    builder::{FixedSizeListBuilder, Float32Builder, StringBuilder},
    make_array,
};
use arrow_pyarrow::{FromPyArrow, ToPyArrow};
use arrow_schema::{DataType, Field, Schema};
use clip_core::{Embedding, trace::sha256};
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
};

use crate::{
    engine::{Engine, finished},
    failure::Failure,
    input::prepare_bytes,
};

/// A column of files' contents to `embedding`, `sha256`, `damaged`, `error_kind` and `error`: a bad image
/// is a row with an error and no vector.
pub(crate) fn images<'py>(
    engine: &Engine,
    py: Python<'py>,
    column: &Bound<'py, PyAny>,
    normalize: bool,
    batch: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let array = import(column)?;
    let files = binary(&*array).ok_or_else(|| wrong("binary", &*array))?;
    let marked: Vec<(Option<&[u8]>, AtomicBool)> =
        files.into_iter().map(|file| (file, AtomicBool::new(false))).collect();
    let prepare = |(file, damaged): &(Option<&[u8]>, AtomicBool), _: &_| {
        let bytes = file.ok_or_else(no_value)?;
        let (pixels, info) = prepare_bytes(&engine.model.clip, bytes)?;
        damaged.store(info.damaged, Ordering::Relaxed);
        Ok(pixels)
    };
    let vectors = engine.images(py, &marked, batch, false, prepare)?;
    let told = py.detach(|| {
        let told =
            |(file, damaged): (Option<&[u8]>, AtomicBool)| (file.map(sha256), damaged.into_inner());
        marked.into_iter().map(told).unzip()
    });
    export(engine, py, vectors, Some(told), normalize)
}

/// A column of texts to `embedding`, `error_kind` and `error`.
pub(crate) fn texts<'py>(
    engine: &Engine,
    py: Python<'py>,
    column: &Bound<'py, PyAny>,
    normalize: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let array = import(column)?;
    let texts = strings(&*array).ok_or_else(|| wrong("string", &*array))?;
    let given: Vec<&str> = texts.iter().flatten().copied().collect();
    let mut vectors = engine.texts(py, &given)?.into_iter();
    let vectors = texts.iter().map(|text| match text {
        Some(_) => vectors.next().ok_or_else(Failure::panicked),
        None => Err(no_value()),
    });
    export(engine, py, vectors.collect(), None, normalize)
}

fn import(column: &Bound<'_, PyAny>) -> PyResult<ArrayRef> {
    Ok(make_array(FromPyArrow::from_pyarrow_bound(column)?))
}

fn no_value() -> Failure {
    Failure { kind: "input".to_owned(), message: "the column has no value here".to_owned() }
}

fn wrong(wanted: &str, array: &dyn Array) -> PyErr {
    PyTypeError::new_err(format!("the column is {}, not {wanted}", array.data_type()))
}

fn binary(array: &dyn Array) -> Option<Vec<Option<&[u8]>>> {
    let any = array.as_any();
    None.or_else(|| any.downcast_ref::<BinaryArray>().map(|a| a.iter().collect()))
        .or_else(|| any.downcast_ref::<LargeBinaryArray>().map(|a| a.iter().collect()))
        .or_else(|| any.downcast_ref::<BinaryViewArray>().map(|a| a.iter().collect()))
}

fn strings(array: &dyn Array) -> Option<Vec<Option<&str>>> {
    let any = array.as_any();
    None.or_else(|| any.downcast_ref::<StringArray>().map(|a| a.iter().collect()))
        .or_else(|| any.downcast_ref::<LargeStringArray>().map(|a| a.iter().collect()))
        .or_else(|| any.downcast_ref::<StringViewArray>().map(|a| a.iter().collect()))
}

fn export<'py>(
    engine: &Engine,
    py: Python<'py>,
    vectors: Vec<Result<Embedding, Failure>>,
    files: Option<(Vec<Option<String>>, Vec<bool>)>,
    normalize: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let dim = engine.model.clip.config().projection_dim;
    let length = i32::try_from(dim).map_err(|e| PyValueError::new_err(e.to_string()))?;
    let item = Arc::new(Field::new("item", DataType::Float32, false));
    let values = Float32Builder::with_capacity(vectors.len() * dim);
    let mut embeddings = FixedSizeListBuilder::new(values, length).with_field(item.clone());
    let (mut kinds, mut errors) = (StringBuilder::new(), StringBuilder::new());
    let good: Vec<bool> = vectors.iter().map(Result::is_ok).collect();
    for vector in vectors {
        let failure = match vector {
            Ok(embedding) => {
                embeddings.values().append_slice(&finished(embedding, normalize));
                None
            }
            Err(failure) => {
                // What lies below a missing value is read by nobody.
                embeddings.values().append_value_n(f32::NAN, dim);
                Some(failure)
            }
        };
        embeddings.append(failure.is_none());
        kinds.append_option(failure.as_ref().map(|failure| &failure.kind));
        errors.append_option(failure.as_ref().map(|failure| &failure.message));
    }
    let text = |name| Field::new(name, DataType::Utf8, true);
    let mut fields = vec![Field::new("embedding", DataType::FixedSizeList(item, length), true)];
    let mut columns: Vec<ArrayRef> = vec![Arc::new(embeddings.finish())];
    if let Some((digests, damaged)) = files {
        fields.extend([text("sha256"), Field::new("damaged", DataType::Boolean, true)]);
        columns.push(Arc::new(StringArray::from(digests)));
        let damaged = good.iter().zip(damaged).map(|(good, damaged)| good.then_some(damaged));
        columns.push(Arc::new(damaged.collect::<BooleanArray>()));
    }
    fields.extend([text("error_kind"), text("error")]);
    columns.extend([Arc::new(kinds.finish()) as ArrayRef, Arc::new(errors.finish())]);
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns);
    batch.map_err(|e| PyValueError::new_err(e.to_string()))?.to_pyarrow(py)
}
