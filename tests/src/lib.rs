//! Helpers shared by the cross-crate tests: goldens, fixtures, digests.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod files;
pub mod fuzz;
pub mod goldens;
pub mod inputs;
pub mod parity;
pub mod tokens;
