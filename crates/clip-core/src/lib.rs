//! CLIP image and text embeddings with the same bits on every target.
//!
//! The bytes of an image file or a text go in, [`Embedding`]s come out: decoding, Hugging Face's
//! preprocessing, its tokenizer and both towers, natively and in wasm32. Pure computation: no files,
//! no network, no clock, no required threads.
//!
//! ```
//! use clip_core::{
//!     Clip, Options,
//!     image::RgbImage,
//!     logits_per_image,
//!     synthetic::{self, Dtype},
//! };
//!
//! // In earnest: `ClipConfig::from_json` of config.json, and the bytes of model.safetensors.
//! let config = synthetic::small_shape();
//! let file = synthetic::safetensors(&config, 1, Dtype::F16)?;
//! let clip = Clip::load(config.clone(), &file, Options::new(&config))?;
//!
//! let text = clip.embed_text("a red dress")?.normalized();
//! // `clip.embed_image` takes the bytes of a JPEG, PNG, WebP, GIF or BMP file.
//! let image = RgbImage { width: 40, height: 50, data: vec![200; 40 * 50 * 3] };
//! let pixels = clip.processor().process_rgb(&image)?;
//! let image = clip.embed_pixels(&[pixels])?[0].normalized();
//!
//! assert!(image.cosine(&text).abs() <= 1.0);
//! assert_eq!(logits_per_image(clip.logit_scale(), &image, &[text]).len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What to read first
//!
//! [`Clip`] is the model and [`Options`] how it is loaded ([`StreamingLoader`] where a file arrives in
//! pieces). [`image`] and [`text`] make its inputs. [`tensors`] is the one table of a checkpoint's
//! parameters: whatever reads, packs or makes weights asks it. The operations themselves, and why they
//! give the same bits everywhere, are the crate `clip-kernels`. [`Provenance`] says which vectors may
//! be compared, [`index`] searches many of them exactly, [`trace`] finds the first stage at which two
//! computations differ. [`Encoder`] is the seam for other backends.
//!
//! # Features
//!
//! - `rayon` (default): threads. Never changes a bit of any result.
//! - `avif`, `tiff`, `image` (ICO, TGA, PNM, QOI): decoders of these formats.
//! - `synthetic`: seeded checkpoints of real shapes, for tests and benchmarks.
//! - `relaxed-simd`, `unfused`: see `clip-kernels`.
//!
//! For wasm32 build with the flag that the front page of `clip-kernels` names.

#![deny(unsafe_code)]
#![warn(missing_docs)]

mod clip;
pub mod config;
mod embedding;
mod encoder;
mod error;
pub mod image;
pub mod index;
mod load;
mod model;
mod options;
mod provenance;
#[cfg(feature = "synthetic")]
pub mod synthetic;
pub mod tensors;
pub mod text;
mod towers;
pub mod trace;
pub mod weights;

pub use clip::Clip;
pub use clip_kernels::{KernelError, KernelPath, NUMERICS_VERSION, UNFUSED_DIFFERENCE};
pub use embedding::{Embedding, NormalizedEmbedding, logits_per_image};
pub use encoder::Encoder;
pub use error::Error;
pub use load::{StreamingLoader, packed_bytes};
pub use options::Options;
pub use provenance::{EXACT, Provenance, UNFUSED};
pub use towers::{Tower, Towers};
