//! What an instruction set must offer. Everything above it is written once, over this trait,
//! so that the same operations happen in the same order at every vector width.

use super::tile::{self, Init};

/// One instruction set: vectors of `LANES` f32 with IEEE-754 operations.
///
/// # Safety
/// Functions may only be called where the CPU has the instruction set; [`super::Path::detect`]
/// checks that once, and the functions are reached only through the table of the detected path.
/// Pointers must be valid for `LANES` elements; no alignment is required.
#[allow(clippy::missing_safety_doc)]
pub(crate) trait Isa: Copy {
    /// A vector of `LANES` floats.
    type V: Copy;
    /// What `load_f16` holds in registers.
    type Widen: Copy;
    /// 1, 4, 8 or 16: a divisor of the contract's 16 partial sums.
    const LANES: usize;
    /// Whether [`Isa::tile`] does other work where all sums are known to be normal.
    const WATCHED: bool = false;

    unsafe fn load(p: *const f32) -> Self::V;
    unsafe fn store(p: *mut f32, v: Self::V);
    unsafe fn splat(x: f32) -> Self::V;
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Per lane `if a > b { x } else { y }` (false where a or b is NaN).
    unsafe fn select_gt(a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;
    /// `2^n` for `t = n + 1.5 * 2^23`, `n` an integer in -126..=127: shifts the low mantissa bits
    /// of `t` into an exponent.
    unsafe fn pow2_of_magic(t: Self::V) -> Self::V;

    /// The micro-kernel of a fixed height: [`tile::fixed`], or what does the same faster. `normal`: see
    /// [`range::normal`](super::range::normal).
    #[inline(always)]
    unsafe fn tile<const R: usize, const C: usize, const FROM: u8>(
        depth: usize,
        a: *const f32,
        b: *const u8,
        wide: *mut f32,
        init: Init,
        dst: *mut f32,
        _normal: bool,
    ) {
        // SAFETY: the caller's guarantees are the same.
        unsafe { tile::fixed::<Self, R, C, FROM>(depth, a, b, wide, init, dst) }
    }

    /// `out[j * width + i] = x[i * stride + j]` for i, j in 0..4: all pointers are valid for that.
    #[inline(always)]
    unsafe fn transpose4(x: *const f32, stride: usize, out: *mut f32, width: usize) {
        for i in 0..4 {
            for j in 0..4 {
                // SAFETY: the caller guarantees these elements.
                unsafe { *out.add(j * width + i) = *x.add(i * stride + j) };
            }
        }
    }

    /// `out[j * width + i] = x[i * stride + j]` for i, j in 0..8: all pointers are valid for that.
    #[inline(always)]
    unsafe fn transpose8(x: *const u16, stride: usize, out: *mut u16, width: usize) {
        for i in 0..8 {
            for j in 0..8 {
                // SAFETY: the caller guarantees these elements.
                unsafe { *out.add(j * width + i) = *x.add(i * stride + j) };
            }
        }
    }

    /// Integer dot product (any order gives the same); compiled with the features of the path.
    #[inline(always)]
    fn dot_i8(a: &[i8], b: &[i16]) -> i32 {
        a.iter().zip(b).fold(0i32, |sum, (&a, &b)| sum.wrapping_add(i32::from(a) * i32::from(b)))
    }

    /// Asks for the cache line at `p`, which need not be a valid address.
    #[inline(always)]
    fn prefetch(_p: *const u8) {}

    /// Constants of `load_f16`.
    unsafe fn widen() -> Self::Widen;

    /// Widens `LANES` f16 values (exact). Reached only where the path packs f16 panels.
    unsafe fn load_f16(p: *const u16, _widen: Self::Widen) -> Self::V {
        let mut wide = [0.0f32; 16];
        for (lane, x) in wide.iter_mut().enumerate().take(Self::LANES) {
            // SAFETY: the caller guarantees LANES readable elements.
            *x = half::f16::from_bits(unsafe { *p.add(lane) }).to_f32();
        }
        // SAFETY: 16 >= LANES floats; the caller guarantees the instruction set.
        unsafe { Self::load(wide.as_ptr()) }
    }
}

/// What is transposed in blocks of N by N.
pub(crate) trait Element<I: Isa>: Copy {
    const N: usize;

    /// `out[j * width + i] = x[i * stride + j]` for i, j in 0..N.
    ///
    /// # Safety
    /// The CPU has `I`; all pointers are valid for that.
    unsafe fn transpose(x: *const Self, stride: usize, out: *mut Self, width: usize);
}

impl<I: Isa> Element<I> for f32 {
    const N: usize = 4;

    #[inline(always)]
    unsafe fn transpose(x: *const f32, stride: usize, out: *mut f32, width: usize) {
        // SAFETY: the caller's guarantees are the same.
        unsafe { I::transpose4(x, stride, out, width) }
    }
}

impl<I: Isa> Element<I> for u16 {
    const N: usize = 8;

    #[inline(always)]
    unsafe fn transpose(x: *const u16, stride: usize, out: *mut u16, width: usize) {
        // SAFETY: the caller's guarantees are the same.
        unsafe { I::transpose8(x, stride, out, width) }
    }
}

/// The scalar path: one lane, `f32::mul_add`. Correct everywhere, fast nowhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scalar;

impl Isa for Scalar {
    type V = f32;
    type Widen = ();
    const LANES: usize = 1;

    #[inline(always)]
    unsafe fn widen() {}
    #[inline(always)]
    unsafe fn load(p: *const f32) -> f32 {
        // SAFETY: the caller guarantees one readable element.
        unsafe { *p }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: f32) {
        // SAFETY: the caller guarantees one writable element.
        unsafe { *p = v }
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> f32 {
        x
    }
    #[inline(always)]
    unsafe fn add(a: f32, b: f32) -> f32 {
        a + b
    }
    #[inline(always)]
    unsafe fn sub(a: f32, b: f32) -> f32 {
        a - b
    }
    #[inline(always)]
    unsafe fn mul(a: f32, b: f32) -> f32 {
        a * b
    }
    #[inline(always)]
    unsafe fn div(a: f32, b: f32) -> f32 {
        a / b
    }
    #[inline(always)]
    unsafe fn fma(a: f32, b: f32, c: f32) -> f32 {
        super::fused(a, b, c)
    }
    #[inline(always)]
    unsafe fn select_gt(a: f32, b: f32, x: f32, y: f32) -> f32 {
        if a > b { x } else { y }
    }
    #[inline(always)]
    unsafe fn pow2_of_magic(t: f32) -> f32 {
        f32::from_bits((t.to_bits() << 23).wrapping_add(0x3F80_0000))
    }
}
