//! x86-64, and what its instruction sets share.

pub(crate) mod avx2;
pub(crate) mod avx512;
pub(crate) mod sse2;

use std::arch::x86_64::*;

/// [`Isa::transpose4`](crate::isa::Isa::transpose4) in the registers that every x86-64 has.
///
/// # Safety
/// Four rows of four floats are there on both sides.
#[inline]
#[target_feature(enable = "sse2")]
unsafe fn transpose4(x: *const f32, stride: usize, out: *mut f32, width: usize) {
    // SAFETY: the caller guarantees the elements.
    unsafe {
        let [mut a, mut b, mut c, mut d] = std::array::from_fn(|i| _mm_loadu_ps(x.add(i * stride)));
        _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
        for (j, row) in [a, b, c, d].into_iter().enumerate() {
            _mm_storeu_ps(out.add(j * width), row);
        }
    }
}

/// [`Isa::transpose8`](crate::isa::Isa::transpose8) in the same.
///
/// # Safety
/// Eight rows of eight values are there on both sides.
#[inline]
#[target_feature(enable = "sse2")]
pub(crate) unsafe fn transpose8(x: *const u16, stride: usize, out: *mut u16, width: usize) {
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

/// Asks for the cache line at `p`, which need not be a valid address, for the second level.
#[inline(always)]
pub(crate) fn prefetch(p: *const u8) {
    // SAFETY: SSE is part of x86-64; a prefetch of any address is a hint without effect.
    unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast()) }
}

/// What AVX2 and AVX-512 share: f16 is widened by an instruction, blocks are transposed in the
/// registers of SSE2.
macro_rules! avx {
    (load_f16 = $load_f16:path) => {
        #[inline(always)]
        fn widen(self) {}
        #[inline(always)]
        unsafe fn load_f16(self, p: *const u16, _widen: ()) -> Self::V {
            // SAFETY: `self` exists only where the machine has the instruction; the caller
            // guarantees the memory.
            unsafe { $load_f16(p) }
        }
        #[inline(always)]
        unsafe fn transpose4(self, x: *const f32, stride: usize, out: *mut f32, width: usize) {
            // SAFETY: SSE2 is part of x86-64; the caller guarantees the memory.
            unsafe { super::transpose4(x, stride, out, width) }
        }
        #[inline(always)]
        unsafe fn transpose8(self, x: *const u16, stride: usize, out: *mut u16, width: usize) {
            // SAFETY: SSE2 is part of x86-64; the caller guarantees the memory.
            unsafe { super::transpose8(x, stride, out, width) }
        }
        #[inline(always)]
        fn prefetch(self, p: *const u8) {
            super::prefetch(p);
        }
    };
}
use avx;
