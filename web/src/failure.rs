//! What the host gets instead of an answer.

use std::fmt;

use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

/// Why something could not be done. JavaScript catches an `Error` with this `kind` and `message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    kind: &'static str,
    message: String,
}

impl Failure {
    pub(crate) fn new(kind: &'static str, message: impl ToString) -> Self {
        Failure { kind, message: message.to_string() }
    }

    /// A short stable name for programs, such as `image.unsupported` or `memory`.
    pub fn kind(&self) -> &'static str {
        self.kind
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<clip_core::Error> for Failure {
    fn from(error: clip_core::Error) -> Self {
        Failure::new(error.kind(), error)
    }
}

#[wasm_bindgen]
extern "C" {
    /// JavaScript's `Error`.
    #[wasm_bindgen(js_name = Error)]
    type ErrorWithKind;

    #[wasm_bindgen(constructor, js_class = "Error")]
    fn new(message: &str) -> ErrorWithKind;

    #[wasm_bindgen(method, setter)]
    fn set_kind(this: &ErrorWithKind, kind: &str);
}

impl From<Failure> for JsValue {
    fn from(failure: Failure) -> Self {
        let error = ErrorWithKind::new(&failure.message);
        error.set_kind(failure.kind);
        error.into()
    }
}
