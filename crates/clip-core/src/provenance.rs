//! Where a vector comes from. Vectors of different provenance are never compared silently.

use serde::{Deserialize, Serialize};

/// Version of the numeric contract. Any change of operation order, of a polynomial or of a
/// decoder that can change one bit of one embedding must raise it.
pub const NUMERICS_VERSION: u32 = 1;

/// [`Provenance::device`] of [`Path::WasmUnfused`](crate::Path::WasmUnfused): embeddings within
/// [`UNFUSED_DIFFERENCE`](crate::UNFUSED_DIFFERENCE) of the exact ones.
pub const UNFUSED: &str = "unfused";

/// Everything that decides the bits of an embedding besides the input itself.
///
/// Two vectors may be compared only if their provenance is equal.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Provenance {
    /// Model id as on the Hugging Face hub, or the folder's name for a local model.
    pub model: String,
    /// Commit of the hub repository, where known.
    pub revision: Option<String>,
    /// SHA-256 over names, shapes and f32 values of all tensors (hex); see `Weights::digest`.
    pub weights: String,
    /// Preprocessing profile, e.g. `hf-endpoint` or `resize=pillow,exif=apply,alpha=drop,normalize=slow`.
    pub preprocessing: String,
    /// [`NUMERICS_VERSION`] of the code that computed the vector.
    pub numerics: u32,
    /// `exact` for the bit-exact engine, [`UNFUSED`], or the accelerator's name (`cuda`, `metal`).
    pub device: String,
}
