//! Loops of others over integers, compiled with the machine's instructions.

/// Something to compute in integers: its result is the same with any instructions, so it needs no path of
/// its own. A trait, since closures are not compiled with the instructions of whoever calls them.
pub trait Integers {
    /// What comes of it.
    type Output;

    /// To be inlined, with what takes its time, into a function that has the instructions:
    /// `#[inline(always)]` on both.
    fn run(self) -> Self::Output;
}

/// Runs `work`, compiled with AVX2 where an x86-64 machine has it. Other targets have their vectors
/// everywhere.
///
/// ```
/// struct Sum<'a>(&'a [u8]);
///
/// impl clip_kernels::Integers for Sum<'_> {
///     type Output = u32;
///
///     #[inline(always)]
///     fn run(self) -> u32 {
///         self.0.iter().map(|x| u32::from(*x)).sum()
///     }
/// }
///
/// assert_eq!(clip_kernels::vectorized(Sum(&[200; 100])), 20_000);
/// ```
#[inline]
pub fn vectorized<W: Integers>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx2,bmi1,bmi2")]
        fn with_features<W: Integers>(work: W) -> W::Output {
            work.run()
        }
        let detected = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2");
        if detected {
            // SAFETY: the machine has these features.
            return unsafe { with_features(work) };
        }
    }
    work.run()
}

/// Rows of 8 to columns, in registers that every machine of the target has.
///
/// ```
/// let block = std::array::from_fn(|i| i as i16);
/// assert_eq!(clip_kernels::transpose_8x8(&block)[1], 8);
/// ```
#[inline(always)]
pub fn transpose_8x8(block: &[i16; 64]) -> [i16; 64] {
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    use crate::arch::wasm::transpose8;
    #[cfg(target_arch = "x86_64")]
    use crate::arch::x86::transpose8;

    #[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
    {
        let mut out = [0i16; 64];
        // SAFETY: eight rows of eight values on both sides, whose bits are moved; SSE2 is part of x86-64.
        unsafe { transpose8(block.as_ptr().cast(), 8, out.as_mut_ptr().cast(), 8) };
        out
    }
    #[cfg(not(any(
        target_arch = "x86_64",
        all(target_arch = "wasm32", target_feature = "simd128")
    )))]
    std::array::from_fn(|i| block[i % 8 * 8 + i / 8])
}
