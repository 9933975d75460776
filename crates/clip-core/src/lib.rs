//! CLIP image and text embeddings with the same bits on every target.
//!
//! Pure computation: no files, no network, no clock, no required threads.

#![forbid(unsafe_code)]

mod clip;
pub mod config;
mod embedding;
mod error;
pub mod image;
mod incoming;
pub mod index;
mod model;
mod provenance;
pub mod synthetic;
pub mod text;
pub mod trace;
pub mod weights;

pub use clip::{Clip, Options, Towers};
pub use clip_kernels::{KernelError, KernelPath, NUMERICS_VERSION, UNFUSED_DIFFERENCE};
pub use embedding::{Embedding, NormalizedEmbedding, logits_per_image};
pub use error::Error;
pub use incoming::{Incoming, packed_bytes};
pub use provenance::{Provenance, UNFUSED};
