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
