//! x86-64: AVX-512 (16 lanes), AVX2 with FMA3 (8 lanes), and SSE2 with the emulated fused
//! multiply-add (4 lanes).

use std::arch::x86_64::*;

use super::{
    emulated::{self, Pairs, SPLIT},
    isa::Isa,
    tile::Init,
};

/// [`Isa::transpose4`] in the registers that every x86-64 has.
#[inline(always)]
unsafe fn transpose4(x: *const f32, stride: usize, out: *mut f32, width: usize) {
    // SAFETY: the caller guarantees four rows of four floats on both sides; SSE is baseline.
    unsafe {
        let [mut a, mut b, mut c, mut d] = std::array::from_fn(|i| _mm_loadu_ps(x.add(i * stride)));
        _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
        for (j, row) in [a, b, c, d].into_iter().enumerate() {
            _mm_storeu_ps(out.add(j * width), row);
        }
    }
}

/// See [`Isa::transpose8`]; SSE2 is part of x86-64.
///
/// # Safety
/// Eight rows of eight halves are there on both sides.
#[inline(always)]
unsafe fn transpose8(x: *const u16, stride: usize, out: *mut u16, width: usize) {
    // SAFETY: the caller guarantees the elements.
    unsafe {
        let [a, b, c, d, e, f, g, h] =
            std::array::from_fn(|i| _mm_loadu_si128(x.add(i * stride).cast()));
        let by16 = |a, b| (_mm_unpacklo_epi16(a, b), _mm_unpackhi_epi16(a, b));
        let by32 = |(low, high), (other_low, other_high)| {
            [
                _mm_unpacklo_epi32(low, other_low),
                _mm_unpackhi_epi32(low, other_low),
                _mm_unpacklo_epi32(high, other_high),
                _mm_unpackhi_epi32(high, other_high),
            ]
        };
        let upper = by32(by16(a, b), by16(c, d));
        let lower = by32(by16(e, f), by16(g, h));
        for (j, (upper, lower)) in upper.into_iter().zip(lower).enumerate() {
            let out = out.add(2 * j * width);
            _mm_storeu_si128(out.cast(), _mm_unpacklo_epi64(upper, lower));
            _mm_storeu_si128(out.add(width).cast(), _mm_unpackhi_epi64(upper, lower));
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512;

impl Isa for Avx512 {
    type V = __m512;
    type Widen = ();
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn widen() {}
    #[inline(always)]
    unsafe fn transpose4(x: *const f32, stride: usize, out: *mut f32, width: usize) {
        // SAFETY: the caller's guarantees are the same.
        unsafe { transpose4(x, stride, out, width) }
    }
    #[inline(always)]
    unsafe fn transpose8(x: *const u16, stride: usize, out: *mut u16, width: usize) {
        // SAFETY: the caller's guarantees are the same.
        unsafe { transpose8(x, stride, out, width) }
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        // SAFETY: the caller guarantees AVX-512F and 16 readable floats.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::V) {
        // SAFETY: the caller guarantees AVX-512F and 16 writable floats.
        unsafe { _mm512_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        // SAFETY: the caller guarantees AVX-512F.
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the caller guarantees AVX-512F.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the caller guarantees AVX-512F.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the caller guarantees AVX-512F.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the caller guarantees AVX-512F.
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: the caller guarantees AVX-512F.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn select_gt(a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
        // SAFETY: the caller guarantees AVX-512F.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), y, x) }
    }
    #[inline(always)]
    unsafe fn pow2_of_magic(t: Self::V) -> Self::V {
        // SAFETY: the caller guarantees AVX-512F.
        unsafe {
            let shifted = _mm512_slli_epi32::<23>(_mm512_castps_si512(t));
            _mm512_castsi512_ps(_mm512_add_epi32(shifted, _mm512_set1_epi32(0x3F80_0000)))
        }
    }
    #[inline(always)]
    fn prefetch(p: *const u8) {
        // SAFETY: SSE is part of x86-64; a prefetch of any address is a hint without effect.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast()) }
    }
    #[inline(always)]
    unsafe fn load_f16(p: *const u16, _widen: ()) -> Self::V {
        // SAFETY: the caller guarantees AVX-512F and 16 readable f16 values.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(p.cast())) }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2;

impl Isa for Avx2 {
    type V = __m256;
    type Widen = ();
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn widen() {}
    #[inline(always)]
    unsafe fn transpose4(x: *const f32, stride: usize, out: *mut f32, width: usize) {
        // SAFETY: the caller's guarantees are the same.
        unsafe { transpose4(x, stride, out, width) }
    }
    #[inline(always)]
    unsafe fn transpose8(x: *const u16, stride: usize, out: *mut u16, width: usize) {
        // SAFETY: the caller's guarantees are the same.
        unsafe { transpose8(x, stride, out, width) }
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        // SAFETY: the caller guarantees AVX and 8 readable floats.
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::V) {
        // SAFETY: the caller guarantees AVX and 8 writable floats.
        unsafe { _mm256_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        // SAFETY: the caller guarantees AVX.
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the caller guarantees AVX.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the caller guarantees AVX.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the caller guarantees AVX.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the caller guarantees AVX.
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: the caller guarantees FMA3.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn select_gt(a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
        // SAFETY: the caller guarantees AVX.
        unsafe { _mm256_blendv_ps(y, x, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b)) }
    }
    #[inline(always)]
    unsafe fn pow2_of_magic(t: Self::V) -> Self::V {
        // SAFETY: the caller guarantees AVX2.
        unsafe {
            let shifted = _mm256_slli_epi32::<23>(_mm256_castps_si256(t));
            _mm256_castsi256_ps(_mm256_add_epi32(shifted, _mm256_set1_epi32(0x3F80_0000)))
        }
    }
    #[inline(always)]
    fn prefetch(p: *const u8) {
        // SAFETY: SSE is part of x86-64; a prefetch of any address is a hint without effect.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast()) }
    }
    #[inline(always)]
    unsafe fn load_f16(p: *const u16, _widen: ()) -> Self::V {
        // SAFETY: the caller guarantees F16C and 8 readable f16 values.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(p.cast())) }
    }
}

/// Baseline x86-64: four lanes, the fused operation emulated in two f64 pairs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sse2;

/// Where the low 28 bits of the f64 sum are zero, rounding it to f32 may differ from rounding
/// the exact value: it may lie on a midpoint between two f32 (normal or denormal). Elsewhere the
/// sum and the exact value are on the same side of every midpoint, and one rounding is enough.
#[inline(always)]
unsafe fn sums_to_f32(sum: [__m128d; 2], a: __m128, b: __m128, c: __m128) -> __m128 {
    // SAFETY: SSE2 is part of x86-64.
    unsafe {
        let low = _mm_shuffle_ps::<0b10_00_10_00>(_mm_castpd_ps(sum[0]), _mm_castpd_ps(sum[1]));
        let tail = _mm_slli_epi32::<4>(_mm_castps_si128(low));
        let doubtful = _mm_movemask_epi8(_mm_cmpeq_epi32(tail, _mm_setzero_si128()));
        if doubtful != 0 {
            return exact(a, b, c);
        }
        _mm_movelh_ps(_mm_cvtpd_ps(sum[0]), _mm_cvtpd_ps(sum[1]))
    }
}

#[cold]
#[inline(never)]
unsafe fn exact(a: __m128, b: __m128, c: __m128) -> __m128 {
    let (mut x, mut y, mut z) = ([0.0f32; 4], [0.0f32; 4], [0.0f32; 4]);
    // SAFETY: SSE2 is part of x86-64; each array holds the four floats stored and loaded.
    unsafe {
        _mm_storeu_ps(x.as_mut_ptr(), a);
        _mm_storeu_ps(y.as_mut_ptr(), b);
        _mm_storeu_ps(z.as_mut_ptr(), c);
        for lane in 0..4 {
            z[lane] = super::soft_fma::fma(x[lane], y[lane], z[lane]);
        }
        _mm_loadu_ps(z.as_ptr())
    }
}

impl Pairs for Sse2 {
    type Pair = __m128d;
    /// All bits of a low word that was one of a midpoint.
    type Doubt = __m128i;
    type Held = ();

    #[inline(always)]
    unsafe fn held() {}
    #[inline(always)]
    unsafe fn load_pair(p: *const f32) -> __m128d {
        // SAFETY: SSE2 is part of x86-64; the caller guarantees 2 readable floats.
        unsafe { _mm_cvtps_pd(_mm_castpd_ps(_mm_load_sd(p.cast()))) }
    }
    #[inline(always)]
    unsafe fn load_pair_f16(_p: *const u16, (): ()) -> __m128d {
        unreachable!("this path packs no f16 panels")
    }
    #[inline(always)]
    unsafe fn store_pair(p: *mut f32, pair: __m128d) {
        // SAFETY: SSE2 is part of x86-64; the caller guarantees 2 writable floats.
        unsafe { _mm_store_sd(p.cast(), _mm_castps_pd(_mm_cvtpd_ps(pair))) }
    }
    #[inline(always)]
    unsafe fn splat_pair(x: f32) -> __m128d {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_set1_pd(f64::from(x)) }
    }
    #[inline(always)]
    unsafe fn step(x: __m128d, w: __m128d, acc: __m128d) -> __m128d {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_add_pd(_mm_mul_pd(x, w), acc) }
    }
    #[inline(always)]
    unsafe fn round(sum: __m128d, (): ()) -> __m128d {
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let t = _mm_mul_pd(sum, _mm_set1_pd(SPLIT));
            _mm_sub_pd(t, _mm_sub_pd(t, sum))
        }
    }
    #[inline(always)]
    unsafe fn no_doubt() -> __m128i {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_setzero_si128() }
    }
    #[inline(always)]
    unsafe fn note(doubt: __m128i, sum: __m128d, (): ()) -> __m128i {
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let tail = _mm_slli_epi32::<3>(_mm_castpd_si128(sum));
            _mm_or_si128(doubt, _mm_cmpeq_epi32(tail, _mm_set1_epi32(i32::MIN)))
        }
    }
    #[inline(always)]
    unsafe fn doubtful(doubt: __m128i) -> bool {
        // The low words alone.
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_movemask_epi8(doubt) & 0x0f0f != 0 }
    }
}

impl Isa for Sse2 {
    type V = __m128;
    type Widen = ();
    const LANES: usize = 4;
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
    unsafe fn widen() {}
    #[inline(always)]
    unsafe fn transpose4(x: *const f32, stride: usize, out: *mut f32, width: usize) {
        // SAFETY: the caller's guarantees are the same.
        unsafe { transpose4(x, stride, out, width) }
    }

    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        // SAFETY: SSE2 is part of x86-64; the caller guarantees 4 readable floats.
        unsafe { _mm_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::V) {
        // SAFETY: SSE2 is part of x86-64; the caller guarantees 4 writable floats.
        unsafe { _mm_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: SSE2 is part of x86-64.
        unsafe { _mm_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let half =
                |a, b, c| _mm_add_pd(_mm_mul_pd(_mm_cvtps_pd(a), _mm_cvtps_pd(b)), _mm_cvtps_pd(c));
            let low = half(a, b, c);
            let high = half(_mm_movehl_ps(a, a), _mm_movehl_ps(b, b), _mm_movehl_ps(c, c));
            sums_to_f32([low, high], a, b, c)
        }
    }
    #[inline(always)]
    unsafe fn select_gt(a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let mask = _mm_cmpgt_ps(a, b);
            _mm_or_ps(_mm_and_ps(mask, x), _mm_andnot_ps(mask, y))
        }
    }
    #[inline(always)]
    unsafe fn pow2_of_magic(t: Self::V) -> Self::V {
        // SAFETY: SSE2 is part of x86-64.
        unsafe {
            let shifted = _mm_slli_epi32::<23>(_mm_castps_si128(t));
            _mm_castsi128_ps(_mm_add_epi32(shifted, _mm_set1_epi32(0x3F80_0000)))
        }
    }
}
