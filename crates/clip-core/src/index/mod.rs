//! A catalogue's vectors, searched exactly: a scan over int8 codes rules out what cannot be among
//! the best, exact scores decide about the rest.
//!
//! Every code comes with a bound on how far its score can be from the exact one (Cauchy-Schwarz on
//! what quantisation lost), so the result is that of an exact search, to the last bit of each
//! score. Vectors are stored in two safetensors files:
//!
//! - **scan**: `mean` `[dim]` f32; for each row `codes` `[rows, dim]` i8, `scale` and `error`
//!   `[rows]` f32, `group` `[rows]` u32. A row is about `mean + scale * codes`, and lies no farther
//!   than `error` from it. Rows of a group (the images of a product) follow each other; groups
//!   count from 0. `digest` `[rows, 8]` u8 is the beginning of the SHA-256 of the row in the exact
//!   file. The metadata hold `clip-index`, JSON of `version` and `provenance`.
//! - **exact**: `vectors` `[rows, dim]` f32, of unit length. Row i begins at
//!   `EXACT_HEADER + i * dim * 4`, so that single rows can be fetched.

mod build;
mod search;
#[cfg(test)]
mod tests;

pub use build::{Builder, Code, EXACT_HEADER, Frame, Mean, exact_header};
pub use search::{Hit, Search};

use std::{fmt, ops::Range};

use clip_kernels::{KernelError, Kernels};
use safetensors::{Dtype, SafeTensors, tensor::TensorInfo};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{NormalizedEmbedding, Provenance};

/// The key in a scan file's metadata.
const FORMAT: &str = "clip-index";
const VERSION: u32 = 1;
/// Bytes of a row's digest. It guards against mistakes and mixed versions.
const DIGEST: usize = 8;

/// What the metadata tell.
#[derive(Serialize, Deserialize)]
struct About<P> {
    version: u32,
    provenance: P,
}

/// The bytes of a scan file: in memory, or mapped into it.
type Bytes = Box<dyn AsRef<[u8]> + Send + Sync>;

/// The scan file of a catalogue, ready to search. Nothing of the file is copied.
pub struct Index {
    kernels: Kernels,
    provenance: Provenance,
    dim: usize,
    rows: usize,
    mean: Vec<f32>,
    file: Bytes,
    /// Of `codes`, `scale`, `error`, `group` and `digest` in the file.
    places: [Range<usize>; 5],
}

impl fmt::Debug for Index {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Index { dim, rows, provenance, .. } = self;
        write!(to, "Index({rows} x {dim}, {provenance:?})")
    }
}

/// What is known of the rows, by column.
struct Rows<'a> {
    codes: &'a [u8],
    scale: &'a [[u8; 4]],
    error: &'a [[u8; 4]],
    group: &'a [[u8; 4]],
    digest: &'a [[u8; DIGEST]],
}

/// An index that cannot be used, or a query that does not fit it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// Not a scan file, or a damaged one.
    #[error("not a readable index: {0}. Export the catalogue again")]
    Format(String),
    /// Vectors of another model, preprocessing or version.
    #[error(
        "the index holds vectors of {}, the query is of {}: export the catalogue with the same \
         model, preprocessing and version", describe(.index), describe(.query)
    )]
    Provenance {
        /// Of the index.
        index: Box<Provenance>,
        /// Of the query.
        query: Box<Provenance>,
    },
    /// A vector of another length.
    #[error("a vector of {found} values, the index has {expected}")]
    Dimension {
        /// Its length.
        found: usize,
        /// That of the index.
        expected: usize,
    },
    /// Which vector.
    #[error("the vector of {0} is not of unit length: it holds NaN or is far from 1")]
    NotUnit(String),
    /// `CLIP_KERNEL` names what this machine has not.
    #[error(transparent)]
    Kernel(#[from] KernelError),
}

impl IndexError {
    /// A short stable name for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            IndexError::Format(_) => "index.format",
            IndexError::Provenance { .. } => "index.provenance",
            IndexError::Dimension { .. } => "index.dimension",
            IndexError::NotUnit(_) => "index.not_unit",
            IndexError::Kernel(_) => "kernel",
        }
    }
}

fn describe(p: &Provenance) -> String {
    let weights = p.weights.get(..12).unwrap_or(&p.weights);
    let tokenizer = match p.tokenizer.as_deref() {
        Some(digest) => format!("tokenizer {}, ", digest.get(..12).unwrap_or(digest)),
        None => String::new(),
    };
    let Provenance { model, preprocessing, numerics, device, .. } = p;
    format!(
        "{model} (weights {weights}, {tokenizer}{preprocessing}, numerics {numerics}, {device})"
    )
}

impl Index {
    /// Opens a scan file.
    ///
    /// # Errors
    /// [`IndexError::Format`] says what is wrong with it.
    pub fn parse(file: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<Self, IndexError> {
        let file: Bytes = Box::new(file);
        let bytes = (*file).as_ref();
        let bad = |what: &str| IndexError::Format(what.into());
        // Also checks that the tensors lie inside the file.
        SafeTensors::deserialize(bytes).map_err(|e| bad(&e.to_string()))?;
        let (header, about) = SafeTensors::read_metadata(bytes).map_err(|e| bad(&e.to_string()))?;
        let Some(said) = about.metadata().as_ref().and_then(|said| said.get(FORMAT)) else {
            return Err(bad("it does not say that it is an index"));
        };
        let said: About<serde_json::Value> =
            serde_json::from_str(said).map_err(|e| bad(&format!("its metadata: {e}")))?;
        if said.version != VERSION {
            let found = said.version;
            return Err(bad(&format!("version {found}, this program reads {VERSION}")));
        }
        let provenance = serde_json::from_value(said.provenance)
            .map_err(|e| bad(&format!("its provenance: {e}")))?;
        let tensor = |name: &str, dtype: Dtype, shape: &[usize]| {
            let found = about.info(name).ok_or_else(|| bad(&format!("it has no {name}")))?;
            if found.dtype != dtype || found.shape != shape {
                let TensorInfo { dtype: other, shape: found, .. } = found;
                let text = format!("{name} is {other:?} {found:?}, not {dtype:?} {shape:?}");
                return Err(bad(&text));
            }
            let (start, end) = found.data_offsets;
            Ok(8 + header + start..8 + header + end)
        };
        let codes = about.info("codes").ok_or_else(|| bad("it has no codes"))?;
        let &[rows, dim] = &codes.shape[..] else { return Err(bad("codes are not [rows, dim]")) };
        if dim == 0 {
            return Err(bad("vectors without values"));
        }
        let mean = tensor("mean", Dtype::F32, &[dim])?;
        let mean: Vec<f32> = numbers(&bytes[mean]).iter().map(|&b| f32::from_le_bytes(b)).collect();
        let places = [
            tensor("codes", Dtype::I8, &[rows, dim])?,
            tensor("scale", Dtype::F32, &[rows])?,
            tensor("error", Dtype::F32, &[rows])?,
            tensor("group", Dtype::U32, &[rows])?,
            tensor("digest", Dtype::U8, &[rows, DIGEST])?,
        ];
        let kernels = Kernels::fastest()?;
        let index = Index { kernels, provenance, dim, rows, mean, file, places };
        let Rows { scale, error, group, .. } = index.columns();
        let finite = |floats: &[[u8; 4]]| floats.iter().all(|&b| f32::from_le_bytes(b).is_finite());
        for (name, holds) in [
            ("mean", index.mean.iter().all(|x| x.is_finite())),
            ("scale", finite(scale)),
            ("error", finite(error)),
        ] {
            if !holds {
                return Err(bad(&format!("{name} holds NaN or infinity")));
            }
        }
        let number = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
        let ordered = group.windows(2).all(|pair| {
            let step = number(&pair[1]).wrapping_sub(number(&pair[0]));
            step <= 1
        });
        if !ordered || group.first().is_some_and(|first| number(first) != 0) {
            return Err(bad("its groups are not in order"));
        }
        Ok(index)
    }

    fn columns(&self) -> Rows<'_> {
        let file = self.bytes();
        let [codes, scale, error, group, digest] = &self.places;
        Rows {
            codes: &file[codes.clone()],
            scale: numbers(&file[scale.clone()]),
            error: numbers(&file[error.clone()]),
            group: numbers(&file[group.clone()]),
            digest: file[digest.clone()].as_chunks().0,
        }
    }

    /// The file.
    pub fn bytes(&self) -> &[u8] {
        (*self.file).as_ref()
    }

    /// Vectors.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Groups (products).
    pub fn groups(&self) -> usize {
        self.columns().group.last().map_or(0, |&last| u32::from_le_bytes(last) as usize + 1)
    }

    /// Values of a vector.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The mean of all vectors.
    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// What made the vectors.
    pub fn provenance(&self) -> &Provenance {
        &self.provenance
    }

    /// Whether vectors of `query` may be compared with those of the index. Where two copies of the
    /// same weights come from does not matter; and queries of a browser that does not fuse are near
    /// enough to exact ones.
    ///
    /// # Errors
    /// [`IndexError::Provenance`].
    pub fn accepts(&self, query: &Provenance) -> Result<(), IndexError> {
        accepts(&self.provenance, query)
    }

    /// The rows of a group.
    pub fn rows_of(&self, group: u32) -> impl Iterator<Item = u32> + use<> {
        let groups = self.columns().group;
        let first = groups.partition_point(|&of| u32::from_le_bytes(of) < group);
        let last = groups.partition_point(|&of| u32::from_le_bytes(of) <= group);
        (first..last).filter_map(|row| u32::try_from(row).ok())
    }

    /// Whether `values` is row `row` of the exact file.
    pub fn is_row(&self, row: usize, values: &[f32]) -> bool {
        values.len() == self.dim && self.columns().digest.get(row) == Some(&digest(values))
    }

    /// Scans for the `top` groups among those that `allowed` lets through.
    ///
    /// # Errors
    /// A query of another length, or not of unit length.
    pub fn search(
        &self,
        query: &NormalizedEmbedding,
        top: usize,
        allowed: impl Fn(u32) -> bool + Sync + Send,
    ) -> Result<Search, IndexError> {
        search::scan(self, query, top, allowed)
    }
}

/// [`Index::accepts`] before the index is there.
///
/// # Errors
/// [`IndexError::Provenance`].
pub fn accepts(index: &Provenance, query: &Provenance) -> Result<(), IndexError> {
    let (model, revision) = (index.model.clone(), index.revision.clone());
    if (Provenance { model, revision, ..query.clone() }).searches(index) {
        return Ok(());
    }
    let (index, query) = (Box::new(index.clone()), Box::new(query.clone()));
    Err(IndexError::Provenance { index, query })
}

/// Of four bytes each.
fn numbers(bytes: &[u8]) -> &[[u8; 4]] {
    bytes.as_chunks().0
}

/// Of the little-endian bytes.
fn digest(values: &[f32]) -> [u8; DIGEST] {
    let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
    let mut digest = [0; DIGEST];
    digest.iter_mut().zip(Sha256::digest(bytes)).for_each(|(to, byte)| *to = byte);
    digest
}

/// Refuses what is not of unit length.
fn check(values: &[f32], dim: usize, what: &str) -> Result<(), IndexError> {
    if values.len() != dim {
        return Err(IndexError::Dimension { found: values.len(), expected: dim });
    }
    let norm: f64 = values.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    // Also false for NaN.
    if (norm - 1.0).abs() < 1e-3 { Ok(()) } else { Err(IndexError::NotUnit(what.into())) }
}
