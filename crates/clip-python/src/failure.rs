//! Errors of the library as exceptions of `clip_everywhere.errors`.

use pyo3::{prelude::*, sync::PyOnceLock};
use scraper_lib::{Error, report::secrets::redact};

/// Why one input has no vector; `kind` decides the exception's class.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) kind: String,
    pub(crate) message: String,
}

impl Failure {
    /// The exception.
    pub(crate) fn exception(&self, py: Python<'_>) -> PyErr {
        static ERROR_OF: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let made = ERROR_OF
            .import(py, "clip_everywhere.errors", "error_of")
            .and_then(|error_of| error_of.call1((&self.kind, &self.message)));
        made.map_or_else(|e| e, PyErr::from_value)
    }

    /// A panic of a decoder or of the engine, caught so that one input cannot end a job.
    pub(crate) fn panicked() -> Self {
        Error::Internal("a panic".to_owned()).into()
    }
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        Failure { kind: error.kind().to_owned(), message: redact(&error.to_string()).into() }
    }
}
