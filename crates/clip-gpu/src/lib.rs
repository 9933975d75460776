//! CLIP's vision tower on a GPU, through wgpu (Vulkan, Metal, DirectX 12), with the bits of clip-kernels where the
//! device can give them.
//!
//! What it relies on is little: a fused multiply-add that rounds once, and integers. Division, square root and exp
//! are built from them ([`wgsl/contract.wgsl`](https://www.w3.org/TR/WGSL/) says why). Whether a device has such a
//! multiply-add, no API tells, so [`self_test`] looks: at single operations, and at a small tower against the CPU,
//! stage by stage. Only [`GpuEncoder`]s of devices that pass say [`EXACT`](clip_core::EXACT).
//!
//! Tested on software Vulkan only.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use clip_core::{Clip, Encoder, Options, image::PixelValues, weights::Weights};
//! use clip_core::synthetic::{self, Dtype};
//! use clip_gpu::{Fused, Gpu, GpuEncoder, self_test};
//!
//! let config = synthetic::small_shape();
//! let file = synthetic::safetensors(&config, 1, Dtype::F32)?;
//! let clip = Arc::new(Clip::load(config.clone(), &file, Options::new(&config))?);
//!
//! let gpu = Gpu::open(None, Fused::Device)?;
//! let test = self_test(&gpu)?;
//! let encoder = GpuEncoder::new(gpu, clip.clone(), &Weights::parse(&file)?, &test)?;
//! let pixels = [PixelValues { size: 32, data: vec![0.5; 3 * 32 * 32] }];
//! if test.passed() {
//!     assert_eq!(encoder.embed_pixels(&pixels)?, clip.embed_pixels(&pixels)?);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What to read first
//!
//! `wgsl/` are the shaders, which the browser package runs too; `kernel.rs` puts them together. `tower/plan.rs` is
//! the tower as a list of dispatches, `tower/mod.rs` runs it.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod adapter;
#[cfg(feature = "bench")]
pub mod bench;
mod device;
mod encoder;
mod error;
mod kernel;
mod self_test;
#[cfg(test)]
mod tests;
mod tower;

pub use adapter::{Adapter, Kind, adapters};
pub use device::Gpu;
pub use encoder::{GPU, GpuEncoder};
pub use error::GpuError;
pub use kernel::Fused;
pub use self_test::{Check, SelfTest, self_test};
