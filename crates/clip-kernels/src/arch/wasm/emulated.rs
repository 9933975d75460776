//! The fused operation emulated in f64 pairs, as `arch::x86::sse2` does it.

use std::arch::wasm32::*;

use super::shared_operations;
use crate::{
    emulated::{self, Pairs, SPLIT},
    fma,
    isa::Isa,
    tile::{Chains, Tile},
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Emulated;

impl Isa for Emulated {
    shared_operations!();

    fn detect() -> Option<Self> {
        Some(Emulated)
    }

    /// A function, for the module's size: the products have a kernel of their own.
    #[inline(never)]
    fn fma(self, a: v128, b: v128, c: v128) -> v128 {
        let half = |a, b, c| {
            let product = f64x2_mul(f64x2_promote_low_f32x4(a), f64x2_promote_low_f32x4(b));
            f64x2_add(product, f64x2_promote_low_f32x4(c))
        };
        let upper = |v| i64x2_shuffle::<1, 1>(v, v);
        let low = half(a, b, c);
        let high = half(upper(a), upper(b), upper(c));
        // See `sse2::fused`: only where the low 28 bits of a sum are zero may rounding the f64 sum
        // differ from rounding the exact value.
        let tails = i32x4_shl(i32x4_shuffle::<0, 2, 4, 6>(low, high), 4);
        if !i32x4_all_true(tails) {
            return exact(a, b, c);
        }
        let (low, high) = (f32x4_demote_f64x2_zero(low), f32x4_demote_f64x2_zero(high));
        i64x2_shuffle::<0, 2>(low, high)
    }
}

/// Lane by lane, for sums that may lie on a midpoint between two f32.
#[cold]
#[inline(never)]
fn exact(a: v128, b: v128, c: v128) -> v128 {
    macro_rules! lane {
        ($i:literal) => {
            fma::soft(
                f32x4_extract_lane::<$i>(a),
                f32x4_extract_lane::<$i>(b),
                f32x4_extract_lane::<$i>(c),
            )
        };
    }
    f32x4(lane!(0), lane!(1), lane!(2), lane!(3))
}

impl Tile for Emulated {
    const WATCHED: bool = true;

    #[inline(always)]
    unsafe fn tile<const R: usize, const C: usize, const FROM: u8>(
        self,
        b: *const u8,
        wide: *mut f32,
        chains: Chains,
    ) {
        // SAFETY: the caller's guarantees are the same.
        unsafe { emulated::fixed::<Self, R, C, FROM>(self, b, wide, chains) }
    }
}

impl Pairs for Emulated {
    type Pair = v128;
    /// The least of all low words, without their upper three bits, as signed numbers.
    type Doubt = v128;
    type Held = (v128, v128);

    /// Behind `black_box`: engines make a constant anew wherever it is used, also in a loop.
    #[inline(always)]
    fn held(self) -> (v128, v128) {
        let eight = std::hint::black_box(8);
        (f64x2_splat(std::hint::black_box(SPLIT)), i16x8(1, eight, 0, 0, 1, eight, 0, 0))
    }
    // Shuffles are slow where an engine makes them of table look-ups: here are none.
    #[inline(always)]
    unsafe fn load_pair(self, p: *const f32) -> v128 {
        // SAFETY: the caller guarantees 2 readable floats.
        f64x2_promote_low_f32x4(unsafe { v128_load64_zero(p.cast()) })
    }
    #[inline(always)]
    unsafe fn load_pair_f16(self, p: *const u16, widen: (v128, v128)) -> v128 {
        // SAFETY: the caller guarantees 2 readable values.
        f64x2_promote_low_f32x4(super::widen_f16(unsafe { v128_load32_zero(p.cast()) }, widen))
    }
    #[inline(always)]
    unsafe fn store_pair(self, p: *mut f32, pair: v128) {
        // SAFETY: the caller guarantees 2 writable floats.
        unsafe { v128_store64_lane::<0>(f32x4_demote_f64x2_zero(pair), p.cast()) }
    }
    #[inline(always)]
    fn splat_pair(self, x: f32) -> v128 {
        f64x2_splat(f64::from(x))
    }
    #[inline(always)]
    fn step(self, x: v128, w: v128, acc: v128) -> v128 {
        f64x2_add(f64x2_mul(x, w), acc)
    }
    #[inline(always)]
    fn round(self, sum: v128, (split, _): (v128, v128)) -> v128 {
        let t = f64x2_mul(sum, split);
        f64x2_sub(t, f64x2_sub(t, sum))
    }
    #[inline(always)]
    fn no_doubt(self) -> v128 {
        i32x4_splat(0)
    }
    #[inline(always)]
    fn note(self, doubt: v128, sum: v128, (_, shift): (v128, v128)) -> v128 {
        // Shifts are slower: the upper half of the low word times 8 loses its upper three bits as well,
        // and `1 << 28` becomes the smallest number of all.
        i32x4_min(doubt, i16x8_mul(sum, shift))
    }
    #[inline(always)]
    fn doubtful(self, doubt: v128) -> bool {
        i32x4_extract_lane::<0>(doubt) == i32::MIN || i32x4_extract_lane::<2>(doubt) == i32::MIN
    }
}
