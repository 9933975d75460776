//! AVX2 with FMA3 and F16C: 8 lanes.

use std::arch::x86_64::*;

use super::avx;
use crate::{
    isa::{Isa, detected, operations},
    tile::Tile,
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

impl Tile for Avx2 {}

impl Isa for Avx2 {
    type V = __m256;
    type Widen = ();
    const LANES: usize = 8;

    detected!(
        Avx2,
        is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("f16c"),
        "avx2,fma,f16c"
    );
    operations! {
        load = _mm256_loadu_ps; store = _mm256_storeu_ps; splat = _mm256_set1_ps;
        add(a, b) = _mm256_add_ps;
        sub(a, b) = _mm256_sub_ps;
        mul(a, b) = _mm256_mul_ps;
        div(a, b) = _mm256_div_ps;
        fma(a, b, c) = _mm256_fmadd_ps;
        select_gt(a, b, x, y) = select_gt;
        pow2_of_magic(t) = pow2_of_magic;
    }
    avx!(load_f16 = load_f16);
}

#[inline]
#[target_feature(enable = "avx")]
fn select_gt(a: __m256, b: __m256, x: __m256, y: __m256) -> __m256 {
    _mm256_blendv_ps(y, x, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b))
}

#[inline]
#[target_feature(enable = "avx2")]
fn pow2_of_magic(t: __m256) -> __m256 {
    let shifted = _mm256_slli_epi32::<23>(_mm256_castps_si256(t));
    _mm256_castsi256_ps(_mm256_add_epi32(shifted, _mm256_set1_epi32(0x3F80_0000)))
}

/// # Safety
/// Eight readable values.
#[inline]
#[target_feature(enable = "f16c")]
unsafe fn load_f16(p: *const u16) -> __m256 {
    // SAFETY: the caller guarantees the memory.
    _mm256_cvtph_ps(unsafe { _mm_loadu_si128(p.cast()) })
}
