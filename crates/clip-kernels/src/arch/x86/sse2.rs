//! Baseline x86-64: SSE2, four lanes, the fused operation emulated in two f64 pairs.

use std::arch::x86_64::*;

use crate::{
    emulated::{self, Pairs, SPLIT},
    fma,
    isa::{Isa, operations},
    tile::{Chains, Tile},
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Sse2(());

impl Isa for Sse2 {
    type V = __m128;
    type Widen = ();
    const LANES: usize = 4;

    operations! {
        load = _mm_loadu_ps; store = _mm_storeu_ps; splat = _mm_set1_ps;
        add(a, b) = _mm_add_ps;
        sub(a, b) = _mm_sub_ps;
        mul(a, b) = _mm_mul_ps;
        div(a, b) = _mm_div_ps;
        fma(a, b, c) = fused;
        select_gt(a, b, x, y) = select_gt;
        pow2_of_magic(t) = pow2_of_magic;
    }

    fn detect() -> Option<Self> {
        Some(Sse2(()))
    }

    #[inline(always)]
    fn widen(self) {}
    #[inline(always)]
    unsafe fn transpose4(self, x: *const f32, stride: usize, out: *mut f32, width: usize) {
        // SAFETY: SSE2 is part of x86-64; the caller guarantees the memory.
        unsafe { super::transpose4(x, stride, out, width) }
    }
}

impl Tile for Sse2 {
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

impl Pairs for Sse2 {
    type Pair = __m128d;
    /// All bits of a low word that was one of a midpoint.
    type Doubt = __m128i;
    type Held = ();

    #[inline(always)]
    fn held(self) {}
    #[inline(always)]
    unsafe fn load_pair(self, p: *const f32) -> __m128d {
        // SAFETY: SSE2 is part of x86-64; the caller guarantees 2 readable floats.
        unsafe { _mm_cvtps_pd(_mm_castpd_ps(_mm_load_sd(p.cast()))) }
    }
    #[inline(always)]
    unsafe fn load_pair_f16(self, _p: *const u16, (): ()) -> __m128d {
        unreachable!("this path packs no f16 panels")
    }
    #[inline(always)]
    unsafe fn store_pair(self, p: *mut f32, pair: __m128d) {
        // SAFETY: SSE2 is part of x86-64; the caller guarantees 2 writable floats.
        unsafe { _mm_store_sd(p.cast(), _mm_castps_pd(_mm_cvtpd_ps(pair))) }
    }
    #[inline(always)]
    fn splat_pair(self, x: f32) -> __m128d {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_set1_pd(f64::from(x)) }
    }
    #[inline(always)]
    fn step(self, x: __m128d, w: __m128d, acc: __m128d) -> __m128d {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_add_pd(_mm_mul_pd(x, w), acc) }
    }
    #[inline(always)]
    fn round(self, sum: __m128d, (): ()) -> __m128d {
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let t = _mm_mul_pd(sum, _mm_set1_pd(SPLIT));
            _mm_sub_pd(t, _mm_sub_pd(t, sum))
        }
    }
    #[inline(always)]
    fn no_doubt(self) -> __m128i {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_setzero_si128() }
    }
    #[inline(always)]
    fn note(self, doubt: __m128i, sum: __m128d, (): ()) -> __m128i {
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let tail = _mm_slli_epi32::<3>(_mm_castpd_si128(sum));
            _mm_or_si128(doubt, _mm_cmpeq_epi32(tail, _mm_set1_epi32(i32::MIN)))
        }
    }
    #[inline(always)]
    fn doubtful(self, doubt: __m128i) -> bool {
        // The low words alone.
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_movemask_epi8(doubt) & 0x0f0f != 0 }
    }
}

/// `a * b + c` in f64, and back by one rounding where that is right.
///
/// Where the low 28 bits of the f64 sum are zero, rounding it to f32 may differ from rounding
/// the exact value: it may lie on a midpoint between two f32 (normal or denormal). Elsewhere the
/// sum and the exact value are on the same side of every midpoint, and one rounding is enough.
#[inline]
#[target_feature(enable = "sse2")]
fn fused(a: __m128, b: __m128, c: __m128) -> __m128 {
    let half = |a, b, c| _mm_add_pd(_mm_mul_pd(_mm_cvtps_pd(a), _mm_cvtps_pd(b)), _mm_cvtps_pd(c));
    let low = half(a, b, c);
    let high = half(_mm_movehl_ps(a, a), _mm_movehl_ps(b, b), _mm_movehl_ps(c, c));
    let words = _mm_shuffle_ps::<0b10_00_10_00>(_mm_castpd_ps(low), _mm_castpd_ps(high));
    let tail = _mm_slli_epi32::<4>(_mm_castps_si128(words));
    let doubtful = _mm_movemask_epi8(_mm_cmpeq_epi32(tail, _mm_setzero_si128()));
    if doubtful != 0 {
        return exact(a, b, c);
    }
    _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high))
}

/// Lane by lane.
#[cold]
#[inline(never)]
#[target_feature(enable = "sse2")]
fn exact(a: __m128, b: __m128, c: __m128) -> __m128 {
    let (mut x, mut y, mut z) = ([0.0f32; 4], [0.0f32; 4], [0.0f32; 4]);
    // SAFETY: each array holds the four floats stored and loaded.
    unsafe {
        _mm_storeu_ps(x.as_mut_ptr(), a);
        _mm_storeu_ps(y.as_mut_ptr(), b);
        _mm_storeu_ps(z.as_mut_ptr(), c);
        for lane in 0..4 {
            z[lane] = fma::soft(x[lane], y[lane], z[lane]);
        }
        _mm_loadu_ps(z.as_ptr())
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn select_gt(a: __m128, b: __m128, x: __m128, y: __m128) -> __m128 {
    let mask = _mm_cmpgt_ps(a, b);
    _mm_or_ps(_mm_and_ps(mask, x), _mm_andnot_ps(mask, y))
}

#[inline]
#[target_feature(enable = "sse2")]
fn pow2_of_magic(t: __m128) -> __m128 {
    let shifted = _mm_slli_epi32::<23>(_mm_castps_si128(t));
    _mm_castsi128_ps(_mm_add_epi32(shifted, _mm_set1_epi32(0x3F80_0000)))
}
