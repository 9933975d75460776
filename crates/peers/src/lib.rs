//! The second opinion, candle's CLIP on the same weights, and the protocol of the side-by-side benchmark.
//!
//! candle-transformers has only the `quick_gelu` CLIP, so it can give a second opinion on the
//! OpenAI shapes.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod protocol;
