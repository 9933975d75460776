//! wasm32 with `simd128` (4 lanes): fused by `relaxed_madd` where the engine fuses it, else
//! emulated exactly in f64, or, for those who take other bits for speed, not fused. Which of them
//! exist is decided when the module is compiled, since an engine rejects a module with instructions
//! it does not know.

#[cfg(not(feature = "relaxed-simd"))]
pub(crate) mod emulated;
#[cfg(feature = "relaxed-simd")]
pub(crate) mod relaxed;
#[cfg(all(feature = "unfused", not(feature = "relaxed-simd")))]
pub(crate) mod unfused;

use std::arch::wasm32::*;

/// The operations that all paths share: each arithmetic one is an instruction, IEEE-754 on every
/// engine. wasm loads and stores need no alignment.
macro_rules! shared_operations {
    () => {
        type V = v128;
        type Widen = (v128, v128);
        const LANES: usize = 4;

        crate::isa::operations! {
            load = super::load; store = super::store; splat = f32x4_splat;
            add(a, b) = f32x4_add;
            sub(a, b) = f32x4_sub;
            mul(a, b) = f32x4_mul;
            div(a, b) = f32x4_div;
            select_gt(a, b, x, y) = super::select_gt;
            pow2_of_magic(t) = super::pow2_of_magic;
        }

        /// Behind `black_box`: engines make a constant anew wherever it is used, also in a loop.
        #[inline(always)]
        fn widen(self) -> (v128, v128) {
            let mask = std::hint::black_box(0x8fff_e000_u32 as i32);
            let scale = std::hint::black_box(f32::from_bits((127 + 112) << 23));
            (i32x4_splat(mask), f32x4_splat(scale))
        }
        #[inline(always)]
        unsafe fn load_f16(self, p: *const u16, widen: (v128, v128)) -> v128 {
            // SAFETY: the caller guarantees 4 readable values.
            super::widen_f16(unsafe { v128_load64_zero(p.cast()) }, widen)
        }
        #[inline(always)]
        fn dot_i8(self, a: &[i8], b: &[i16]) -> i32 {
            super::dot_i8(a, b)
        }
        #[inline(always)]
        unsafe fn transpose4(self, x: *const f32, stride: usize, out: *mut f32, width: usize) {
            // SAFETY: the caller's guarantees are the same.
            unsafe { super::transpose4(x, stride, out, width) }
        }
        #[inline(always)]
        unsafe fn transpose8(self, x: *const u16, stride: usize, out: *mut u16, width: usize) {
            // SAFETY: the caller's guarantees are the same.
            unsafe { super::transpose8(x, stride, out, width) }
        }
    };
}
use shared_operations;

/// # Safety
/// Four readable floats.
#[inline(always)]
unsafe fn load(p: *const f32) -> v128 {
    // SAFETY: the caller guarantees the memory.
    unsafe { v128_load(p.cast()) }
}

/// # Safety
/// Four writable floats.
#[inline(always)]
unsafe fn store(p: *mut f32, v: v128) {
    // SAFETY: the caller guarantees the memory.
    unsafe { v128_store(p.cast(), v) }
}

#[inline(always)]
fn select_gt(a: v128, b: v128, x: v128, y: v128) -> v128 {
    v128_bitselect(x, y, f32x4_gt(a, b))
}

#[inline(always)]
fn pow2_of_magic(t: v128) -> v128 {
    i32x4_add(i32x4_shl(t, 23), i32x4_splat(0x3F80_0000))
}

/// The low four f16. No instruction for it: mantissa and exponent move into place, and a factor makes
/// good for the other bias. Exact for all that is finite, as weights are (checked when loaded).
#[inline(always)]
fn widen_f16(values: v128, (mask, scale): (v128, v128)) -> v128 {
    // The sign is extended: it is in the top bit already.
    let values = i32x4_extend_low_i16x8(values);
    f32x4_mul(v128_and(i32x4_shl(values, 13), mask), scale)
}

#[inline(always)]
fn dot_i8(a: &[i8], b: &[i16]) -> i32 {
    let (a, a_tail) = a.as_chunks::<8>();
    let (b, b_tail) = b.as_chunks::<8>();
    let mut sum = i32x4_splat(0);
    for (a, b) in a.iter().zip(b) {
        // SAFETY: 8 bytes and 16 bytes are there.
        let (a, b) = unsafe { (i16x8_load_extend_i8x8(a.as_ptr()), v128_load(b.as_ptr().cast())) };
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

/// # Safety
/// Four rows of four floats are there on both sides.
#[inline(always)]
unsafe fn transpose4(x: *const f32, stride: usize, out: *mut f32, width: usize) {
    // SAFETY: the caller guarantees the elements.
    unsafe {
        let [a, b, c, d] = std::array::from_fn(|i| v128_load(x.add(i * stride).cast()));
        let (ab, cd) = (i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<0, 4, 1, 5>(c, d));
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

/// # Safety
/// Eight rows of eight values are there on both sides.
#[inline(always)]
pub(crate) unsafe fn transpose8(x: *const u16, stride: usize, out: *mut u16, width: usize) {
    // SAFETY: the caller guarantees the elements.
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
