//! The numeric contract: which floating-point operations happen, and in which order.
//!
//! The same inputs and weights give the same bits on every target, in every batch size, at every
//! thread count, because IEEE-754 fixes the result of each add, multiply, divide, square root and
//! fused multiply-add, and this crate fixes everything else:
//!
//! - **Fusing.** Every multiply-accumulate is one fused multiply-add: FMA3, `fmla`, or an exact
//!   emulation where the machine has none.
//! - **Order.** Matrix products: one chain per output element, from the bias (or +0) over
//!   ascending k. Reductions: 16 interleaved partial sums, element i into partial i mod 16, then the
//!   tree 8, 4, 2, 1.
//! - **Functions.** exp, erf and the GELUs are polynomials in fused operations. Division and square
//!   root are IEEE; no reciprocal estimates, no flush-to-zero.
//! - **NaN** stays NaN; its payload is not part of the contract.
//!
//! A change of any operation or order raises [`NUMERICS_VERSION`].
//!
//! ```
//! use clip_kernels::{Epilogue, KernelPath, Kernels, Linear, Rows};
//!
//! let (m, n, k) = (3, 5, 7);
//! let x: Vec<f32> = (0..m * k).map(|i| i as f32 / 8.0).collect();
//! let mut results = Vec::new();
//! for path in KernelPath::available() {
//!     let kernels = Kernels::new(path)?;
//!     let layer = Linear::pack(&kernels, n, k, |row, out| {
//!         out.iter_mut().enumerate().for_each(|(i, w)| *w = (row + i) as f32 / 3.0);
//!     });
//!     let mut rows = Rows::empty();
//!     rows.pack(&kernels, &x, m, k, k);
//!     let mut out = vec![0.0; m * n];
//!     layer.forward(&kernels, &rows, Epilogue::QuickGelu, &mut out);
//!     results.push(out);
//! }
//! assert!(results.iter().all(|out| *out == results[0]), "the same bits on every path");
//! # Ok::<(), clip_kernels::KernelError>(())
//! ```
//!
//! # What to read first
//!
//! `isa.rs` says what an instruction set must offer, and `arch/` is the instruction sets, one file
//! each; a value of one exists only where the machine has it. `dispatch.rs` is the table of paths: an
//! instruction set and the shape of its register tile. `tile.rs` is the micro-kernel, `product.rs`,
//! `attention.rs`, `norm.rs` and `exp.rs` are the algorithms, written once over the trait. `tests/`
//! holds every path against plain loops, bit for bit.
//!
//! A new path is a file in `arch/`, a name in `path.rs`, and a line in `dispatch.rs`; the tests find it.
//!
//! # Features
//!
//! - `rayon` (default): threads over rows, panels and images.
//! - `relaxed-simd`: for wasm32, kernels that use relaxed SIMD instead of those that emulate its fused
//!   operation. Engines that do not know its instructions reject such a module.
//! - `unfused`: for wasm32 without it, also [`KernelPath::WasmUnfused`].
//! - `bench`: what the benchmarks measure.
//! - `stages`: clocks inside a forward pass, for the table of `cargo xtask bench core`.
//!
//! # wasm32
//!
//! Build with `RUSTFLAGS="-C target-feature=+simd128 -C llvm-args=-disable-lsr"`: LLVM's loop strength
//! reduction takes the constant offsets from the loads of the micro-kernel, and the vision tower takes
//! twice as long. A crate cannot set this for those that use it, so a build script warns where it is
//! missing; in this workspace `.cargo/config.toml` sets it.

#![warn(missing_docs)]

mod arch;
mod attention;
#[cfg(feature = "bench")]
pub mod bench;
mod buffer;
mod dispatch;
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
#[cfg_attr(feature = "relaxed-simd", allow(dead_code))]
mod emulated;
mod exp;
mod fma;
mod integers;
mod isa;
mod kernels;
mod layer_norm;
mod linear;
mod norm;
mod pack;
mod par;
mod path;
mod product;
mod range;
mod rows;
mod scratch;
pub mod stages;
#[cfg(feature = "rayon")]
mod team;
#[cfg(test)]
mod tests;
mod tile;
mod transpose;

pub use arch::prefetch;
pub use attention::{Heads, Span, attention};
pub use buffer::{Aligned, Plain, signed};
pub use integers::{Integers, transpose_8x8, vectorized};
pub use kernels::{Kernels, UsualRows};
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use pack::to_f16;
pub use par::{for_each, for_each_chunk, in_pool, threads};
pub use path::{KernelError, KernelPath, UNFUSED_DIFFERENCE};
pub use product::{Epilogue, Layer, forward};
pub use rows::Rows;

/// Version of the numeric contract. Any change of operation order, of a polynomial, or of a decoder
/// or tokenizer above this crate that can change one bit of one embedding must raise it.
pub const NUMERICS_VERSION: u32 = 1;
