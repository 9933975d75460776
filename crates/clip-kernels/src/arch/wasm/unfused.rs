//! Rounded twice, which the contract forbids: see [`crate::KernelPath::WasmUnfused`].

use std::arch::wasm32::*;

use super::shared_operations;
use crate::{isa::Isa, tile::Tile};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Unfused;

impl Tile for Unfused {}

impl Isa for Unfused {
    shared_operations!();

    fn detect() -> Option<Self> {
        Some(Unfused)
    }

    #[inline(always)]
    fn fma(self, a: v128, b: v128, c: v128) -> v128 {
        f32x4_add(f32x4_mul(a, b), c)
    }
}
