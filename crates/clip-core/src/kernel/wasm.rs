//! wasm32 with `simd128` (4 lanes): fused by `relaxed_madd` where the engine fuses it, else
//! emulated exactly in f64, or, for those who take other bits for speed, not fused. Which of them
//! exist is decided when the module is compiled, since an engine rejects a module with instructions
//! it does not know.

use std::arch::wasm32::*;

use super::isa::Isa;
#[cfg(not(feature = "relaxed-simd"))]
use super::{
    emulated::{self, Pairs, SPLIT},
    tile::Init,
};

/// The operations both paths share: each is one instruction, IEEE-754 on every engine.
macro_rules! shared_operations {
    () => {
        type V = v128;
        type Widen = (v128, v128);
        const LANES: usize = 4;

        #[inline(always)]
        unsafe fn load(p: *const f32) -> v128 {
            // SAFETY: the caller guarantees 4 readable floats; wasm loads need no alignment.
            unsafe { v128_load(p.cast()) }
        }
        #[inline(always)]
        unsafe fn store(p: *mut f32, v: v128) {
            // SAFETY: the caller guarantees 4 writable floats; wasm stores need no alignment.
            unsafe { v128_store(p.cast(), v) }
        }
        /// Behind `black_box`: engines make a constant anew wherever it is used, also in a loop.
        #[inline(always)]
        unsafe fn widen() -> (v128, v128) {
            let mask = std::hint::black_box(0x8fff_e000_u32 as i32);
            let scale = std::hint::black_box(f32::from_bits((127 + 112) << 23));
            (i32x4_splat(mask), f32x4_splat(scale))
        }
        /// No instruction for it: mantissa and exponent move into place, and a factor makes good for
        /// the other bias. Exact for all that is finite, as weights are (checked when loaded).
        #[inline(always)]
        unsafe fn load_f16(p: *const u16, (mask, scale): (v128, v128)) -> v128 {
            // SAFETY: the caller guarantees 4 readable halves; wasm loads need no alignment.
            let halves = i32x4_extend_low_i16x8(unsafe { v128_load64_zero(p.cast()) });
            // The sign was extended: it is in the top bit already.
            f32x4_mul(v128_and(i32x4_shl(halves, 13), mask), scale)
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> v128 {
            f32x4_splat(x)
        }
        #[inline(always)]
        unsafe fn add(a: v128, b: v128) -> v128 {
            f32x4_add(a, b)
        }
        #[inline(always)]
        unsafe fn sub(a: v128, b: v128) -> v128 {
            f32x4_sub(a, b)
        }
        #[inline(always)]
        unsafe fn mul(a: v128, b: v128) -> v128 {
            f32x4_mul(a, b)
        }
        #[inline(always)]
        unsafe fn div(a: v128, b: v128) -> v128 {
            f32x4_div(a, b)
        }
        #[inline(always)]
        unsafe fn select_gt(a: v128, b: v128, x: v128, y: v128) -> v128 {
            v128_bitselect(x, y, f32x4_gt(a, b))
        }
        #[inline(always)]
        unsafe fn pow2_of_magic(t: v128) -> v128 {
            i32x4_add(i32x4_shl(t, 23), i32x4_splat(0x3F80_0000))
        }
        #[inline(always)]
        fn dot_i8(a: &[i8], b: &[i16]) -> i32 {
            let (a, a_tail) = a.as_chunks::<8>();
            let (b, b_tail) = b.as_chunks::<8>();
            let mut sum = i32x4_splat(0);
            for (a, b) in a.iter().zip(b) {
                // SAFETY: 8 bytes and 16 bytes are there; wasm loads need no alignment.
                let (a, b) =
                    unsafe { (i16x8_load_extend_i8x8(a.as_ptr()), v128_load(b.as_ptr().cast())) };
                sum = i32x4_add(sum, i32x4_dot_i16x8(a, b));
            }
            let lanes = [
                i32x4_extract_lane::<0>(sum),
                i32x4_extract_lane::<1>(sum),
                i32x4_extract_lane::<2>(sum),
                i32x4_extract_lane::<3>(sum),
            ];
            let tail = a_tail.iter().zip(b_tail).map(|(&a, &b)| i32::from(a) * i32::from(b));
            lanes.into_iter().chain(tail).fold(0, i32::wrapping_add)
        }
        #[inline(always)]
        unsafe fn transpose4(x: *const f32, stride: usize, out: *mut f32, width: usize) {
            // SAFETY: the caller guarantees four rows of four floats on both sides.
            unsafe {
                let [a, b, c, d] = std::array::from_fn(|i| v128_load(x.add(i * stride).cast()));
                let (ab, cd) =
                    (i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<0, 4, 1, 5>(c, d));
                let (ab_high, cd_high) =
                    (i32x4_shuffle::<2, 6, 3, 7>(a, b), i32x4_shuffle::<2, 6, 3, 7>(c, d));
                let rows = [
                    i64x2_shuffle::<0, 2>(ab, cd),
                    i64x2_shuffle::<1, 3>(ab, cd),
                    i64x2_shuffle::<0, 2>(ab_high, cd_high),
                    i64x2_shuffle::<1, 3>(ab_high, cd_high),
                ];
                for (j, row) in rows.into_iter().enumerate() {
                    v128_store(out.add(j * width).cast(), row);
                }
            }
        }
        #[inline(always)]
        unsafe fn transpose8(x: *const u16, stride: usize, out: *mut u16, width: usize) {
            // SAFETY: the caller guarantees eight rows of eight halves on both sides.
            let [a, b, c, d, e, f, g, h] =
                std::array::from_fn(|i| unsafe { v128_load(x.add(i * stride).cast()) });
            let by16 = |a, b| {
                (
                    i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(a, b),
                    i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(a, b),
                )
            };
            let by32 = |(low, high), (other_low, other_high)| {
                [
                    i32x4_shuffle::<0, 4, 1, 5>(low, other_low),
                    i32x4_shuffle::<2, 6, 3, 7>(low, other_low),
                    i32x4_shuffle::<0, 4, 1, 5>(high, other_high),
                    i32x4_shuffle::<2, 6, 3, 7>(high, other_high),
                ]
            };
            let upper = by32(by16(a, b), by16(c, d));
            let lower = by32(by16(e, f), by16(g, h));
            for (j, (upper, lower)) in upper.into_iter().zip(lower).enumerate() {
                // SAFETY: as above.
                unsafe {
                    let out = out.add(2 * j * width);
                    v128_store(out.cast(), i64x2_shuffle::<0, 2>(upper, lower));
                    v128_store(out.add(width).cast(), i64x2_shuffle::<1, 3>(upper, lower));
                }
            }
        }
    };
}

/// Fused by the engine; see [`fuses`].
#[cfg(feature = "relaxed-simd")]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Relaxed;

#[cfg(feature = "relaxed-simd")]
impl Isa for Relaxed {
    shared_operations!();

    #[inline(always)]
    unsafe fn fma(a: v128, b: v128, c: v128) -> v128 {
        f32x4_relaxed_madd(a, b, c)
    }
}

/// Whether this engine's `relaxed_madd` rounds once, in every lane. The specification leaves it
/// free, but fixed for the life of a module.
///
/// `(1 + e)(1 - e) - 1` is `-e^2` fused and 0 rounded twice; `black_box` keeps the compiler from
/// answering itself.
#[cfg(feature = "relaxed-simd")]
#[target_feature(enable = "relaxed-simd")]
pub(super) fn fuses() -> bool {
    let e = f32::EPSILON;
    // Another power of two in each lane, so that no lane can stand in for another.
    let scale = std::hint::black_box(f32x4(1.0, 2.0, 4.0, 8.0));
    let a = f32x4_mul(scale, f32x4_splat(1.0 + e));
    let b = std::hint::black_box(f32x4_splat(1.0 - e));
    let got = f32x4_relaxed_madd(a, b, f32x4_neg(scale));
    i32x4_all_true(f32x4_eq(got, f32x4_mul(scale, f32x4_splat(-e * e))))
}

/// The fused operation emulated in f64 pairs, as `x86::Sse2` does it.
#[cfg(not(feature = "relaxed-simd"))]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Emulated;

/// Lane by lane, for sums that may lie on a midpoint between two f32.
#[cfg(not(feature = "relaxed-simd"))]
#[cold]
#[inline(never)]
fn exact(a: v128, b: v128, c: v128) -> v128 {
    use super::soft_fma::fma;
    macro_rules! lane {
        ($i:literal) => {
            fma(
                f32x4_extract_lane::<$i>(a),
                f32x4_extract_lane::<$i>(b),
                f32x4_extract_lane::<$i>(c),
            )
        };
    }
    f32x4(lane!(0), lane!(1), lane!(2), lane!(3))
}

#[cfg(not(feature = "relaxed-simd"))]
impl Isa for Emulated {
    shared_operations!();
    const WATCHED: bool = true;

    #[inline(always)]
    unsafe fn tile<const R: usize, const C: usize, const FROM: u8>(
        depth: usize,
        a: *const f32,
        b: *const u8,
        wide: *mut f32,
        init: Init,
        dst: *mut f32,
        normal: bool,
    ) {
        // SAFETY: the caller's guarantees are the same.
        unsafe { emulated::fixed::<Self, R, C, FROM>(depth, a, b, wide, init, dst, normal) }
    }

    #[inline(always)]
    unsafe fn fma(a: v128, b: v128, c: v128) -> v128 {
        let half = |a, b, c| {
            let product = f64x2_mul(f64x2_promote_low_f32x4(a), f64x2_promote_low_f32x4(b));
            f64x2_add(product, f64x2_promote_low_f32x4(c))
        };
        let upper = |v| i64x2_shuffle::<1, 1>(v, v);
        let low = half(a, b, c);
        let high = half(upper(a), upper(b), upper(c));
        // See `x86::Sse2`: only where the low 28 bits of a sum are zero may rounding the f64 sum
        // differ from rounding the exact value.
        let tails = i32x4_shl(i32x4_shuffle::<0, 2, 4, 6>(low, high), 4);
        if !i32x4_all_true(tails) {
            return exact(a, b, c);
        }
        let (low, high) = (f32x4_demote_f64x2_zero(low), f32x4_demote_f64x2_zero(high));
        i64x2_shuffle::<0, 2>(low, high)
    }
}

#[cfg(not(feature = "relaxed-simd"))]
impl Pairs for Emulated {
    type Pair = v128;
    /// The least of all low words, without their upper three bits, as signed numbers.
    type Doubt = v128;
    type Held = (v128, v128);

    /// Behind `black_box`: engines make a constant anew wherever it is used, also in a loop.
    #[inline(always)]
    unsafe fn held() -> (v128, v128) {
        let eight = std::hint::black_box(8);
        (f64x2_splat(std::hint::black_box(SPLIT)), i16x8(1, eight, 0, 0, 1, eight, 0, 0))
    }
    // Shuffles are slow where an engine makes them of table look-ups: here are none.
    #[inline(always)]
    unsafe fn load_pair(p: *const f32) -> v128 {
        // SAFETY: the caller guarantees 2 readable floats.
        f64x2_promote_low_f32x4(unsafe { v128_load64_zero(p.cast()) })
    }
    #[inline(always)]
    unsafe fn load_pair_f16(p: *const u16, (mask, scale): (v128, v128)) -> v128 {
        // SAFETY: the caller guarantees 2 readable halves.
        let halves = i32x4_extend_low_i16x8(unsafe { v128_load32_zero(p.cast()) });
        f64x2_promote_low_f32x4(f32x4_mul(v128_and(i32x4_shl(halves, 13), mask), scale))
    }
    #[inline(always)]
    unsafe fn store_pair(p: *mut f32, pair: v128) {
        // SAFETY: the caller guarantees 2 writable floats.
        unsafe { v128_store64_lane::<0>(f32x4_demote_f64x2_zero(pair), p.cast()) }
    }
    #[inline(always)]
    unsafe fn splat_pair(x: f32) -> v128 {
        f64x2_splat(f64::from(x))
    }
    #[inline(always)]
    unsafe fn step(x: v128, w: v128, acc: v128) -> v128 {
        f64x2_add(f64x2_mul(x, w), acc)
    }
    #[inline(always)]
    unsafe fn round(sum: v128, (split, _): (v128, v128)) -> v128 {
        let t = f64x2_mul(sum, split);
        f64x2_sub(t, f64x2_sub(t, sum))
    }
    #[inline(always)]
    unsafe fn no_doubt() -> v128 {
        i32x4_splat(0)
    }
    #[inline(always)]
    unsafe fn note(doubt: v128, sum: v128, (_, shift): (v128, v128)) -> v128 {
        // Shifts are slower: the upper half of the low word times 8 loses its upper three bits as well,
        // and `1 << 28` becomes the smallest number of all.
        i32x4_min(doubt, i16x8_mul(sum, shift))
    }
    #[inline(always)]
    unsafe fn doubtful(doubt: v128) -> bool {
        i32x4_extract_lane::<0>(doubt) == i32::MIN || i32x4_extract_lane::<2>(doubt) == i32::MIN
    }
}

/// Rounded twice, which the contract forbids: see [`super::Path::WasmUnfused`].
#[cfg(all(feature = "unfused", not(feature = "relaxed-simd")))]
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unfused;

#[cfg(all(feature = "unfused", not(feature = "relaxed-simd")))]
impl Isa for Unfused {
    shared_operations!();

    #[inline(always)]
    unsafe fn fma(a: v128, b: v128, c: v128) -> v128 {
        f32x4_add(f32x4_mul(a, b), c)
    }
}
