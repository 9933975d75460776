//! Weights to a model: as a file, or as a stream of bytes. Both feed one assembly, tensor by tensor.

mod assembly;
mod file;
mod size;
mod stream;

pub use size::packed_bytes;
pub use stream::StreamingLoader;
