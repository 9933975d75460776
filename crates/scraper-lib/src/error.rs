//! One error type for the crate; each part keeps its own detailed one.

use std::time::Duration;

use crate::{
    fetch::FetchError, model::ModelError, source::SourceError, store::StoreError,
    verify::EndpointError,
};

/// Anything that can stop the scraper or fail one of its inputs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A model could not be found, downloaded or loaded.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Bytes could not be had.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// A list of products could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The store could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine refused an image or a text.
    #[error(transparent)]
    Clip(#[from] clip_core::Error),
    /// The endpoint to compare with gave no vector.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Nobody began the run that this process was to take part in.
    #[error("no run began within {} s: start one on this store, or wait longer", .waited.as_secs())]
    NoRun {
        /// How long it was waited.
        waited: Duration,
    },
    /// Writing a result failed (full disk, closed pipe, missing folder …).
    #[error("cannot write {what}: {source}")]
    Output {
        /// The file, or standard output.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The command line asks for something impossible; the message says what to do.
    #[error("{0}")]
    Usage(String),
    /// A defect in a library or in this program, caught so that one input cannot end a run.
    #[error("internal error: {0}; please report it with the input")]
    Internal(String),
}

impl Error {
    /// A short stable name for programs (`"image.truncated"`, `"fetch.status"` …).
    pub fn kind(&self) -> &'static str {
        match self {
            Error::Model(e) => e.kind(),
            Error::Fetch(e) => e.kind(),
            Error::Source(_) => "source",
            Error::Store(e) => e.kind(),
            Error::Clip(e) => e.kind(),
            Error::Endpoint(e) => e.kind(),
            Error::NoRun { .. } => "run.none",
            Error::Output { .. } => "output",
            Error::Usage(_) => "usage",
            Error::Internal(_) => "internal",
        }
    }
}
