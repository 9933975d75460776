//! Helpers shared by the cross-crate tests: goldens, fixtures, digests.

pub mod goldens;
pub mod fuzz;
pub mod inputs;
pub mod parity;
