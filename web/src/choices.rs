//! What callers choose among by name.

#![allow(missing_docs, reason = "of what `wasm_bindgen` adds to enums of strings")]

use wasm_bindgen::prelude::wasm_bindgen;

/// What of a model is loaded.
#[wasm_bindgen]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Towers {
    /// For texts.
    Text = "text",
    /// For images.
    Vision = "vision",
    /// For texts and images.
    Both = "both",
}

/// What to do in an engine without a fused multiply-add: `exact` emulates it, `auto` computes
/// without, several times faster and in other bits.
#[wasm_bindgen]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// The bits of the native program.
    Exact = "exact",
    /// Within [`clip_core::UNFUSED_DIFFERENCE`] of them, where the exact ones would be emulated.
    Auto = "auto",
}
