//! Intermediate results, as JavaScript gets them.

use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use tsify::{Ts, Tsify};

use crate::Failure;

/// One intermediate result, as in the native `--trace`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Tsify)]
pub struct Stage {
    /// `decoded`, `resized`, `cropped`, `pixel_values`, `tokens`, `embeddings`, `block.N`,
    /// `embedding`, `normalized`.
    pub name: String,
    /// Rows first.
    pub shape: Vec<usize>,
    /// Over the little-endian bytes of its elements, hexadecimal.
    pub sha256: String,
}

impl From<clip_core::trace::Stage> for Stage {
    fn from(stage: clip_core::trace::Stage) -> Self {
        let clip_core::trace::Stage { name, shape, sha256 } = stage;
        Stage { name, shape, sha256 }
    }
}

/// The stages of a trace.
pub(crate) fn stages(trace: clip_core::trace::Trace) -> Vec<Stage> {
    trace.stages.into_iter().map(Stage::from).collect()
}

/// A value for JavaScript, as JSON would have it: what is not known is `null`.
pub(crate) fn to_js<T: Tsify + Serialize>(value: &T) -> Result<Ts<T>, Failure> {
    let value = value.serialize(&Serializer::json_compatible());
    value.map(Ts::new_unchecked).map_err(|e| Failure::new("internal", e))
}

/// Values for JavaScript.
pub(crate) fn all_to_js(stages: &[Stage]) -> Result<Vec<Ts<Stage>>, Failure> {
    stages.iter().map(to_js).collect()
}
