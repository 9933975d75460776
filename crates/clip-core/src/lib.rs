//! CLIP image and text embeddings with the same bits on every target.
//!
//! Pure computation: no files, no network, no clock, no required threads.

mod clip;
pub mod config;
mod embedding;
mod error;
pub mod image;
mod incoming;
pub mod index;
mod kernel;
mod model;
mod provenance;
pub mod synthetic;
pub mod text;
pub mod trace;
pub mod weights;

pub use clip::{Clip, Options, Towers};
pub use embedding::{Embedding, NormalizedEmbedding, logits_per_image};
pub use error::Error;
pub use incoming::{Incoming, packed_bytes};
#[cfg(feature = "bench")]
#[doc(hidden)]
pub use kernel::bench;
pub use kernel::{KernelError, Path, UNFUSED_DIFFERENCE};
pub use provenance::{NUMERICS_VERSION, Provenance, UNFUSED};
