//! Helpers shared by the cross-crate tests: goldens, fixtures, digests.

pub mod inputs;
