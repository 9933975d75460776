//! One error type for the crate; each part keeps its own detailed one.

use crate::{
    fetch::FetchError, model::ModelError, source::SourceError, store::StoreError,
    verify::EndpointError,
};

/// Anything that can stop the scraper or fail one of its inputs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine refused an image or a text.
    #[error(transparent)]
    Clip(#[from] clip_core::Error),
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// Writing a result failed (full disk, closed pipe, missing folder …).
    #[error("cannot write {what}: {source}")]
    Output { what: String, source: std::io::Error },
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
            Error::Output { .. } => "output",
            Error::Usage(_) => "usage",
            Error::Internal(_) => "internal",
        }
    }
}
