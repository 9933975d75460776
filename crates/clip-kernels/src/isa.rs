//! What an instruction set must offer. Everything above it is written once, over this trait,
//! so that the same operations happen in the same order at every vector width.

/// One instruction set: vectors of `LANES` f32 with IEEE-754 operations.
///
/// An implementor is a token: a value of it exists only where the machine has the instructions
/// ([`Isa::detect`] is the only way to one), so its operations are safe functions. Those that take a
/// pointer need valid memory, and no alignment.
pub(crate) trait Isa: Copy + Send + Sync + 'static {
    /// A vector of `LANES` floats.
    type V: Copy;
    /// What `load_f16` holds in registers.
    type Widen: Copy;
    /// 1, 4, 8 or 16: a divisor of the contract's 16 partial sums.
    const LANES: usize;

    /// The token, where this machine has the instructions.
    fn detect() -> Option<Self>;

    /// Runs `work`, which is compiled with the instructions.
    fn vectorize<W: Work<Self>>(self, work: W) -> W::Output {
        // Those of the target's baseline are on everywhere.
        work.run(self)
    }

    fn splat(self, x: f32) -> Self::V;
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Per lane `if a > b { x } else { y }` (false where a or b is NaN).
    fn select_gt(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;
    /// `2^n` for `t = n + 1.5 * 2^23`, `n` an integer in -126..=127: shifts the low mantissa bits
    /// of `t` into an exponent.
    fn pow2_of_magic(self, t: Self::V) -> Self::V;

    /// # Safety
    /// `p` is valid for reads of `LANES` floats.
    unsafe fn load_ptr(self, p: *const f32) -> Self::V;
    /// # Safety
    /// `p` is valid for writes of `LANES` floats.
    unsafe fn store_ptr(self, p: *mut f32, v: Self::V);

    /// The first `LANES` values.
    ///
    /// # Panics
    /// There are fewer.
    #[inline(always)]
    fn load(self, from: &[f32]) -> Self::V {
        assert!(from.len() >= Self::LANES);
        // SAFETY: asserted.
        unsafe { self.load_ptr(from.as_ptr()) }
    }
    /// Writes the first `LANES` values.
    ///
    /// # Panics
    /// There is less room.
    #[inline(always)]
    fn store(self, to: &mut [f32], v: Self::V) {
        assert!(to.len() >= Self::LANES);
        // SAFETY: asserted.
        unsafe { self.store_ptr(to.as_mut_ptr(), v) }
    }

    /// Constants of `load_f16`.
    fn widen(self) -> Self::Widen;
    /// Widens `LANES` f16 values (exact). Reached only where the path packs f16 panels.
    ///
    /// # Safety
    /// `p` is valid for reads of `LANES` values.
    unsafe fn load_f16(self, p: *const u16, _widen: Self::Widen) -> Self::V {
        let mut wide = [0.0f32; 16];
        for (lane, x) in wide.iter_mut().enumerate().take(Self::LANES) {
            // SAFETY: the caller guarantees LANES readable elements.
            *x = half::f16::from_bits(unsafe { *p.add(lane) }).to_f32();
        }
        self.load(&wide)
    }

    /// `out[j * width + i] = x[i * stride + j]` for i, j in 0..4.
    ///
    /// # Safety
    /// All pointers are valid for that.
    #[inline(always)]
    unsafe fn transpose4(self, x: *const f32, stride: usize, out: *mut f32, width: usize) {
        // SAFETY: the caller's guarantees are the same.
        unsafe { transpose::<f32, 4>(x, stride, out, width) }
    }
    /// `out[j * width + i] = x[i * stride + j]` for i, j in 0..8.
    ///
    /// # Safety
    /// All pointers are valid for that.
    #[inline(always)]
    unsafe fn transpose8(self, x: *const u16, stride: usize, out: *mut u16, width: usize) {
        // SAFETY: the caller's guarantees are the same.
        unsafe { transpose::<u16, 8>(x, stride, out, width) }
    }

    /// Integer dot product (any order gives the same).
    #[inline(always)]
    fn dot_i8(self, a: &[i8], b: &[i16]) -> i32 {
        a.iter().zip(b).fold(0i32, |sum, (&a, &b)| sum.wrapping_add(i32::from(a) * i32::from(b)))
    }

    /// Asks for the cache line at `p`, which need not be a valid address.
    #[inline(always)]
    fn prefetch(self, _p: *const u8) {}
}

/// Something to do with an instruction set. A trait, since closures are not compiled with the
/// instructions of whoever calls them.
pub(crate) trait Work<I> {
    /// What comes of it.
    type Output;

    /// To be inlined, with all that it calls, into a function that has the instructions.
    fn run(self, isa: I) -> Self::Output;
}

/// An N by N block, element by element.
///
/// # Safety
/// As for [`Isa::transpose4`].
#[inline(always)]
unsafe fn transpose<T: Copy, const N: usize>(
    x: *const T,
    stride: usize,
    out: *mut T,
    width: usize,
) {
    for i in 0..N {
        for j in 0..N {
            // SAFETY: the caller guarantees these elements.
            unsafe { *out.add(j * width + i) = *x.add(i * stride + j) };
        }
    }
}

/// Operations of an [`Isa`] that are one intrinsic each, by name.
macro_rules! operations {
    (
        load = $load:path; store = $store:path; splat = $splat:path;
        $($name:ident($($arg:ident),+) = $intrinsic:path;)*
    ) => {
        #[inline(always)]
        unsafe fn load_ptr(self, p: *const f32) -> Self::V {
            // SAFETY: `self` exists only where the machine has the instruction; the caller
            // guarantees the memory.
            unsafe { $load(p) }
        }
        #[inline(always)]
        unsafe fn store_ptr(self, p: *mut f32, v: Self::V) {
            // SAFETY: as for `load_ptr`.
            unsafe { $store(p, v) }
        }
        #[allow(unused_unsafe)] // wasm needs none
        #[inline(always)]
        fn splat(self, x: f32) -> Self::V {
            // SAFETY: `self` exists only where the machine has the instruction.
            unsafe { $splat(x) }
        }
        $(
            #[allow(unused_unsafe)]
            #[inline(always)]
            fn $name(self, $($arg: Self::V),+) -> Self::V {
                // SAFETY: `self` exists only where the machine has the instruction.
                unsafe { $intrinsic($($arg),+) }
            }
        )*
    };
}
pub(crate) use operations;

/// [`Isa::detect`] and [`Isa::vectorize`] of instructions that not every machine of the target has.
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", feature = "relaxed-simd")))]
macro_rules! detected {
    ($isa:ident, $detected:expr, $features:literal) => {
        fn detect() -> Option<Self> {
            $detected.then_some($isa(()))
        }

        #[allow(unused_unsafe)] // wasm: a module with unknown instructions does not start
        #[inline]
        fn vectorize<W: crate::isa::Work<Self>>(self, work: W) -> W::Output {
            #[target_feature(enable = $features)]
            fn with_features<W: crate::isa::Work<$isa>>(isa: $isa, work: W) -> W::Output {
                work.run(isa)
            }
            // SAFETY: `self` exists only where the machine has these features.
            unsafe { with_features(self, work) }
        }
    };
}
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", feature = "relaxed-simd")))]
pub(crate) use detected;
