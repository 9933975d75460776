//! `clip_everywhere._native`: what the Python package `clip_everywhere` computes with.
//!
//! The package's own files (`python/clip_everywhere`) are what people use; this module takes bytes,
//! paths, arrays and texts, lets go of the interpreter's lock, and gives vectors.

#![deny(unsafe_code)]
#![warn(missing_docs)]

mod arrow;
mod engine;
mod failure;
mod fetcher;
mod input;
mod workers;

use pyo3::prelude::*;

/// The native half of `clip_everywhere`.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::{engine::Engine, fetcher::Fetcher};
    use pyo3::pyfunction;

    /// An address as it is told to others: without the user name and the password in it.
    #[pyfunction]
    fn public_address(address: &str) -> String {
        scraper_lib::report::secrets::public(address).into_owned()
    }

    #[pymodule_init]
    fn init(module: &super::Bound<'_, super::PyModule>) -> super::PyResult<()> {
        use super::PyModuleMethods;
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("NUMERICS_VERSION", clip_core::NUMERICS_VERSION)?;
        module.add("DEFAULT_MODEL", scraper_lib::config::DEFAULT_MODEL)
    }
}
