//! Helpers shared by the cross-crate tests: goldens, fixtures, digests.

pub mod fuzz;
pub mod goldens;
pub mod inputs;
pub mod parity;
pub mod tokens;
