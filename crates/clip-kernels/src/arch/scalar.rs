//! One lane, `f32::mul_add`. Correct everywhere, fast nowhere.

use crate::{fma::fused, isa::Isa, tile::Tile};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Scalar;

impl Tile for Scalar {}

impl Isa for Scalar {
    type V = f32;
    type Widen = ();
    const LANES: usize = 1;

    fn detect() -> Option<Self> {
        Some(Scalar)
    }

    #[inline(always)]
    unsafe fn load_ptr(self, p: *const f32) -> f32 {
        // SAFETY: the caller guarantees one readable element.
        unsafe { *p }
    }
    #[inline(always)]
    unsafe fn store_ptr(self, p: *mut f32, v: f32) {
        // SAFETY: the caller guarantees one writable element.
        unsafe { *p = v }
    }
    #[inline(always)]
    fn widen(self) {}
    #[inline(always)]
    fn splat(self, x: f32) -> f32 {
        x
    }
    #[inline(always)]
    fn add(self, a: f32, b: f32) -> f32 {
        a + b
    }
    #[inline(always)]
    fn sub(self, a: f32, b: f32) -> f32 {
        a - b
    }
    #[inline(always)]
    fn mul(self, a: f32, b: f32) -> f32 {
        a * b
    }
    #[inline(always)]
    fn div(self, a: f32, b: f32) -> f32 {
        a / b
    }
    #[inline(always)]
    fn fma(self, a: f32, b: f32, c: f32) -> f32 {
        fused(a, b, c)
    }
    #[inline(always)]
    fn select_gt(self, a: f32, b: f32, x: f32, y: f32) -> f32 {
        if a > b { x } else { y }
    }
    #[inline(always)]
    fn pow2_of_magic(self, t: f32) -> f32 {
        f32::from_bits((t.to_bits() << 23).wrapping_add(0x3F80_0000))
    }
}
