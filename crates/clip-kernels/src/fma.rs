//! One fused multiply-add: the standard library's, and for machines that have none an exact one.
//!
//! The product of two f32 is exact in f64. The sum with the addend is not, and rounding it to
//! f64 and then to f32 rounds twice. Rounding the f64 sum *to odd* instead makes the second
//! rounding correct (Boldo, Melquiond: "Emulation of FMA and correctly rounded sums", 2008), since
//! 53 >= 2 * 24 + 2. All f64 intermediate values are normal, so denormal results are right too.

/// `a * b + c` rounded once, by the standard library.
#[inline(always)]
#[allow(clippy::disallowed_methods)] // IEEE fusedMultiplyAdd, the operation the contract is made of
pub(crate) fn fused(a: f32, b: f32, c: f32) -> f32 {
    a.mul_add(b, c)
}

/// The same in f64 arithmetic.
#[inline]
#[cfg_attr(not(test), allow(dead_code))] // only for machines without a fused instruction
pub(crate) fn soft(a: f32, b: f32, c: f32) -> f32 {
    let product = f64::from(a) * f64::from(b);
    let c = f64::from(c);
    let sum = product + c;
    // TwoSum (Knuth): sum + error == product + c exactly.
    let c_part = sum - product;
    let error = (product - (sum - c_part)) + (c - c_part);
    let bits = sum.to_bits();
    // The error is NaN where an input is infinite: leave the sum alone.
    let inexact = error != 0.0 && !error.is_nan();
    let odd = if inexact && bits & 1 == 0 {
        // The neighbour of `sum` on the side of the exact value has an odd last bit.
        if (error > 0.0) == (sum > 0.0) { bits + 1 } else { bits - 1 }
    } else {
        bits
    };
    f64::from_bits(odd) as f32
}

#[cfg(test)]
mod tests {
    use super::{fused, soft};
    use proptest::prelude::*;

    /// `f32::mul_add` is IEEE fusedMultiplyAdd: the oracle.
    fn check(a: f32, b: f32, c: f32) {
        let expected = fused(a, b, c);
        let got = soft(a, b, c);
        assert!(
            got.to_bits() == expected.to_bits() || (got.is_nan() && expected.is_nan()),
            "fma({a:e}, {b:e}, {c:e}) = {got:e}, expected {expected:e}"
        );
    }

    #[test]
    fn special_values() {
        let specials = [
            0.0,
            -0.0,
            1.0,
            -1.0,
            f32::MIN_POSITIVE,
            f32::from_bits(1),
            -f32::from_bits(1),
            f32::from_bits(0x007f_ffff),
            f32::MAX,
            f32::MIN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
            f32::EPSILON,
            1.0 + f32::EPSILON,
            16_777_217.0,
            3.0e-23,
        ];
        for a in specials {
            for b in specials {
                for c in specials {
                    check(a, b, c);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn any_bits(a: u32, b: u32, c: u32) {
            check(f32::from_bits(a), f32::from_bits(b), f32::from_bits(c));
        }

        /// Few significant bits put sums on the midpoints where double rounding would show.
        #[test]
        fn midpoints(a in 0u32..4096, b in 0u32..4096, e in -40i32..40, c in 0u32..1 << 12, s: bool) {
            let a = (1.0 + a as f32 / 4096.0) * if s { -1.0 } else { 1.0 };
            let b = 1.0 + b as f32 / 4096.0;
            let c = (1.0 + c as f32 / 4096.0) * f32::from_bits(((127 + e) as u32) << 23);
            check(a, b, c);
        }

        #[test]
        fn near_denormals(a in 0u32..0x1800_0000, b in 0x1000_0000u32..0x4000_0000, c in 0u32..0x0100_0000, s: bool) {
            let c = f32::from_bits(c | if s { 1 << 31 } else { 0 });
            check(f32::from_bits(a), f32::from_bits(b), c);
        }
    }
}
