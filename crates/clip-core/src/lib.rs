//! CLIP image and text embeddings with the same bits on every target.
//!
//! Pure computation: no files, no network, no clock, no required threads.

mod clip;
pub mod config;
mod embedding;
mod error;
pub mod image;
mod provenance;
pub mod synthetic;
pub mod text;
pub mod weights;

pub use clip::{Clip, Options, Towers};
pub use embedding::{Embedding, NormalizedEmbedding};
pub use error::Error;
pub use provenance::{NUMERICS_VERSION, Provenance};
