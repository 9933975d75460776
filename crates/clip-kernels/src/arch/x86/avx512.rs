//! AVX-512F: 16 lanes.

use std::arch::{asm, x86_64::*};

use super::{avx, avx2::Avx2};
use crate::{
    isa::{Isa, detected, operations},
    tile::Tile,
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx512(());

impl Tile for Avx512 {
    #[inline(always)]
    fn row<const C: usize>(self, x: __m512, w: &[__m512; C], acc: &mut [__m512; C]) {
        match (w.as_slice(), acc.as_mut_slice()) {
            // SAFETY: `self` exists only where the machine has the instruction.
            (&[a, b, c], [u, v, w]) => [*u, *v, *w] = unsafe { row3(x, [a, b, c], [*u, *v, *w]) },
            (w, acc) => w.iter().zip(acc).for_each(|(w, acc)| *acc = self.fma(x, *w, *acc)),
        }
    }
}

/// In assembly, since a compiler free to choose the order of 27 sums in 32 registers moves them about and
/// spills some, at times.
#[inline]
#[target_feature(enable = "avx512f")]
fn row3(x: __m512, [a, b, c]: [__m512; 3], [mut u, mut v, mut w]: [__m512; 3]) -> [__m512; 3] {
    // SAFETY: three operations on registers.
    unsafe {
        asm!(
            "vfmadd231ps {u}, {x}, {a}",
            "vfmadd231ps {v}, {x}, {b}",
            "vfmadd231ps {w}, {x}, {c}",
            x = in(zmm_reg) x,
            a = in(zmm_reg) a,
            b = in(zmm_reg) b,
            c = in(zmm_reg) c,
            u = inout(zmm_reg) u,
            v = inout(zmm_reg) v,
            w = inout(zmm_reg) w,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    [u, v, w]
}

impl Isa for Avx512 {
    type V = __m512;
    type Widen = ();
    const LANES: usize = 16;

    detected!(
        Avx512,
        (Avx2::detect().is_some() && is_x86_feature_detected!("avx512f")),
        "avx2,fma,f16c,avx512f"
    );
    operations! {
        load = _mm512_loadu_ps; store = _mm512_storeu_ps; splat = _mm512_set1_ps;
        add(a, b) = _mm512_add_ps;
        sub(a, b) = _mm512_sub_ps;
        mul(a, b) = _mm512_mul_ps;
        div(a, b) = _mm512_div_ps;
        fma(a, b, c) = _mm512_fmadd_ps;
        select_gt(a, b, x, y) = select_gt;
        pow2_of_magic(t) = pow2_of_magic;
    }
    avx!(load_f16 = load_f16);
}

#[inline]
#[target_feature(enable = "avx512f")]
fn select_gt(a: __m512, b: __m512, x: __m512, y: __m512) -> __m512 {
    _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), y, x)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn pow2_of_magic(t: __m512) -> __m512 {
    let shifted = _mm512_slli_epi32::<23>(_mm512_castps_si512(t));
    _mm512_castsi512_ps(_mm512_add_epi32(shifted, _mm512_set1_epi32(0x3F80_0000)))
}

/// # Safety
/// Sixteen readable values.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn load_f16(p: *const u16) -> __m512 {
    // SAFETY: the caller guarantees the memory.
    _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(p.cast()) })
}
