//! Rows to columns, in blocks that fit registers.

use crate::isa::Isa;

/// What is transposed in blocks of N by N.
pub(crate) trait Element: Copy {
    const N: usize;

    /// `out[j * width + i] = x[i * stride + j]` for i, j in 0..N.
    ///
    /// # Safety
    /// All pointers are valid for that.
    unsafe fn block<I: Isa>(isa: I, x: *const Self, stride: usize, out: *mut Self, width: usize);
}

impl Element for f32 {
    const N: usize = 4;

    #[inline(always)]
    unsafe fn block<I: Isa>(isa: I, x: *const f32, stride: usize, out: *mut f32, width: usize) {
        // SAFETY: the caller's guarantees are the same.
        unsafe { isa.transpose4(x, stride, out, width) }
    }
}

impl Element for u16 {
    const N: usize = 8;

    #[inline(always)]
    unsafe fn block<I: Isa>(isa: I, x: *const u16, stride: usize, out: *mut u16, width: usize) {
        // SAFETY: the caller's guarantees are the same.
        unsafe { isa.transpose8(x, stride, out, width) }
    }
}

/// `out[k * width + r] = x[r * stride + k]` for `height <= width` rows, as many k as `out` holds.
#[inline(always)]
pub(crate) fn transpose<I: Isa, T: Element>(
    isa: I,
    x: &[T],
    stride: usize,
    height: usize,
    out: &mut [T],
    width: usize,
) {
    let k = out.len() / width;
    assert!(0 < height && height <= width && (height - 1) * stride + k <= x.len(), "shapes");
    let whole = if height < T::N { 0 } else { k / T::N * T::N };
    for kk in (0..whole).step_by(T::N) {
        // The last block of rows may overlap the one before.
        for r in (0..height).step_by(T::N).map(|r| r.min(height - T::N)) {
            // SAFETY: rows r..r+N and columns kk..kk+N are inside `x` and `out` (asserted).
            unsafe {
                let from = x.as_ptr().add(r * stride + kk);
                T::block(isa, from, stride, out.as_mut_ptr().add(kk * width + r), width);
            }
        }
    }
    for (kk, out) in out.chunks_exact_mut(width).enumerate().skip(whole) {
        out[..height].iter_mut().enumerate().for_each(|(r, out)| *out = x[r * stride + kk]);
    }
}
