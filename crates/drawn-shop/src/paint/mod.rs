//! From outlines to pixels.

pub(crate) mod cloth;
pub(crate) mod pen;
pub(crate) mod render;
pub(crate) mod sketch;
