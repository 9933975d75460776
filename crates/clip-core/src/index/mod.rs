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
//!   `8 + header + i * dim * 4`, so that single rows can be fetched.

mod build;
mod search;
#[cfg(test)]
mod tests;

pub use build::{Builder, Mean, exact_header};
pub use search::{Hit, Search};

use clip_kernels::{KernelError, Kernels};
use safetensors::{Dtype, SafeTensors};
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

/// The scan file of a catalogue, ready to search.
#[derive(Debug)]
pub struct Index {
    kernels: Kernels,
    provenance: Provenance,
    dim: usize,
    mean: Vec<f32>,
    codes: Vec<i8>,
    scale: Vec<f32>,
    error: Vec<f32>,
    group: Vec<u32>,
    digest: Vec<[u8; DIGEST]>,
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
    /// Reads a scan file.
    ///
    /// # Errors
    /// [`IndexError::Format`] says what is wrong with it.
    pub fn parse(file: &[u8]) -> Result<Self, IndexError> {
        let bad = |what: &str| IndexError::Format(what.into());
        let tensors = SafeTensors::deserialize(file).map_err(|e| bad(&e.to_string()))?;
        let (_, header) = SafeTensors::read_metadata(file).map_err(|e| bad(&e.to_string()))?;
        let Some(about) = header.metadata().as_ref().and_then(|said| said.get(FORMAT)) else {
            return Err(bad("it does not say that it is an index"));
        };
        let about: About<serde_json::Value> =
            serde_json::from_str(about).map_err(|e| bad(&format!("its metadata: {e}")))?;
        if about.version != VERSION {
            let found = about.version;
            return Err(bad(&format!("version {found}, this program reads {VERSION}")));
        }
        let provenance = serde_json::from_value(about.provenance)
            .map_err(|e| bad(&format!("its provenance: {e}")))?;
        let tensor = |name: &str, dtype: Dtype, shape: &[usize]| {
            let view = tensors.tensor(name).map_err(|_| bad(&format!("it has no {name}")))?;
            if view.dtype() != dtype || view.shape() != shape {
                let (found, found_shape) = (view.dtype(), view.shape());
                let text = format!("{name} is {found:?} {found_shape:?}, not {dtype:?} {shape:?}");
                return Err(bad(&text));
            }
            Ok(view.data())
        };
        let codes = tensors.tensor("codes").map_err(|_| bad("it has no codes"))?;
        let &[rows, dim] = codes.shape() else { return Err(bad("codes are not [rows, dim]")) };
        if dim == 0 {
            return Err(bad("vectors without values"));
        }
        let floats = |name, shape: &[usize]| -> Result<Vec<f32>, IndexError> {
            let bytes = tensor(name, Dtype::F32, shape)?.as_chunks::<4>().0;
            let values: Vec<f32> = bytes.iter().map(|&b| f32::from_le_bytes(b)).collect();
            match values.iter().all(|x| x.is_finite()) {
                true => Ok(values),
                false => Err(bad(&format!("{name} holds NaN or infinity"))),
            }
        };
        let codes = tensor("codes", Dtype::I8, &[rows, dim])?;
        let group = tensor("group", Dtype::U32, &[rows])?.as_chunks::<4>().0;
        let group: Vec<u32> = group.iter().map(|&b| u32::from_le_bytes(b)).collect();
        let ordered = group.windows(2).all(|pair| pair[1] == pair[0] || pair[1] == pair[0] + 1);
        if !ordered || group.first().is_some_and(|&first| first != 0) {
            return Err(bad("its groups are not in order"));
        }
        let digest = tensor("digest", Dtype::U8, &[rows, DIGEST])?.as_chunks::<DIGEST>().0;
        Ok(Index {
            kernels: Kernels::fastest()?,
            provenance,
            dim,
            mean: floats("mean", &[dim])?,
            codes: codes.iter().map(|&code| code.cast_signed()).collect(),
            scale: floats("scale", &[rows])?,
            error: floats("error", &[rows])?,
            group,
            digest: digest.to_vec(),
        })
    }

    /// Vectors.
    pub fn rows(&self) -> usize {
        self.group.len()
    }

    /// Groups (products).
    pub fn groups(&self) -> usize {
        self.group.last().map_or(0, |&last| last as usize + 1)
    }

    /// Values of a vector.
    pub fn dim(&self) -> usize {
        self.dim
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
        let first = self.group.partition_point(|&of| of < group);
        let last = self.group.partition_point(|&of| of <= group);
        (first..last).filter_map(|row| u32::try_from(row).ok())
    }

    /// Whether `values` is row `row` of the exact file.
    pub fn is_row(&self, row: usize, values: &[f32]) -> bool {
        values.len() == self.dim && self.digest.get(row) == Some(&digest(values))
    }

    /// Scans for the `top` groups among those that `allowed` lets through.
    ///
    /// # Errors
    /// A query of another length, or not of unit length.
    pub fn search(
        &self,
        query: &NormalizedEmbedding,
        top: usize,
        allowed: impl Fn(u32) -> bool,
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
