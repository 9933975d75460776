//! Weights files: names, shapes, exact values, digest.

mod error;
mod file;
mod tensor;

pub use error::WeightsError;
pub(crate) use file::MAX_HEADER;
pub use file::{Release, Weights};
pub use safetensors::Dtype;
pub use tensor::Tensor;
