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
#[cfg(test)]
mod tests;
mod tile;
mod transpose;

pub use attention::{Heads, Span, attention};
pub use buffer::{Aligned, Plain};
pub use kernels::{Kernels, UsualRows};
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use pack::to_f16;
pub use par::{for_each, for_each_chunk, in_pool};
pub use path::{KernelError, KernelPath, UNFUSED_DIFFERENCE};
pub use product::{Epilogue, Layer, forward};
pub use rows::Rows;

/// Version of the numeric contract. Any change of operation order, of a polynomial, or of a decoder
/// or tokenizer above this crate that can change one bit of one embedding must raise it.
pub const NUMERICS_VERSION: u32 = 1;
