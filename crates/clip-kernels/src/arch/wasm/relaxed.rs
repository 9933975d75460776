//! Fused by the engine, where it fuses.

use std::arch::wasm32::*;

use super::shared_operations;
use crate::{
    isa::{Isa, detected},
    tile::Tile,
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Relaxed(());

impl Tile for Relaxed {}

impl Isa for Relaxed {
    shared_operations!();
    detected!(Relaxed, fuses(), "relaxed-simd");

    #[inline(always)]
    fn fma(self, a: v128, b: v128, c: v128) -> v128 {
        f32x4_relaxed_madd(a, b, c)
    }
}

/// Whether this engine's `relaxed_madd` rounds once, in every lane. The specification leaves it
/// free, but fixed for the life of a module.
///
/// `(1 + e)(1 - e) - 1` is `-e^2` fused and 0 rounded twice; `black_box` keeps the compiler from
/// answering itself.
#[target_feature(enable = "relaxed-simd")]
fn fuses() -> bool {
    let e = f32::EPSILON;
    // Another power of two in each lane, so that no lane can stand in for another.
    let scale = std::hint::black_box(f32x4(1.0, 2.0, 4.0, 8.0));
    let a = f32x4_mul(scale, f32x4_splat(1.0 + e));
    let b = std::hint::black_box(f32x4_splat(1.0 - e));
    let got = f32x4_relaxed_madd(a, b, f32x4_neg(scale));
    i32x4_all_true(f32x4_eq(got, f32x4_mul(scale, f32x4_splat(-e * e))))
}
