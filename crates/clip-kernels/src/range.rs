//! How large and how small the operands of a product are: what the emulated fused operation must know,
//! and no other path asks for.

/// Magnitudes of some floats.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Magnitudes {
    /// All are multiples of a power of two that is not below this.
    unit: f64,
    /// Infinity and NaN count as such.
    most: f64,
}

impl Magnitudes {
    /// Of any floats.
    pub(crate) const UNKNOWN: Self = Magnitudes { unit: 0.0, most: f64::INFINITY };
    /// Of f16, which are finite here: multiples of their least, `2^-24`.
    pub(crate) const F16: Self = Magnitudes { unit: 1.0 / 16_777_216.0, most: 65504.0 };

    /// Of these, where a path asks for it.
    pub(crate) fn of(watched: bool, values: &[f32]) -> Self {
        if !watched {
            return Self::UNKNOWN;
        }
        // Bits without the sign are in the order of magnitudes. Less one, 0 becomes the largest.
        let (least, most) = values.iter().fold((u32::MAX, 0), |(least, most), x| {
            let magnitude = x.to_bits() & (u32::MAX >> 1);
            (magnitude.wrapping_sub(1).min(least), magnitude.max(most))
        });
        let least = if least == u32::MAX { f32::MAX } else { f32::from_bits(least + 1) };
        // An f32 has 24 bits: those of this magnitude or more are multiples of its last one, or of more.
        let unit = f64::from(least) / 16_777_216.0;
        Magnitudes { unit, most: f64::from(f32::from_bits(most)) }
    }
}

/// Whether all sums of chains from `starts` over `depth` products of `a` and `b` are known to be 0 or
/// normal f32: multiples, rounded or not, of the least normal one, and far from the end.
pub(crate) fn normal(depth: usize, starts: Magnitudes, a: Magnitudes, b: Magnitudes) -> bool {
    const LEAST: f64 = f32::MIN_POSITIVE as f64;
    /// Half of f32's end: rounding adds at most a part in 2^23 per step.
    const MOST: f64 = f32::MAX as f64 / 2.0;
    let most = a.most * b.most * depth as f64 + starts.most;
    // Written so that NaN says no.
    a.unit * b.unit >= LEAST && starts.unit >= LEAST && most < MOST && depth < 1 << 20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_to_be_normal_is_not() {
        let of = |values: &[f32]| Magnitudes::of(true, values);
        let one = of(&[1.0, 0.0, -1.0]);
        let none = of(&[0.0, -0.0]);
        assert!(normal(768, one, one, one) && normal(768, none, none, one));
        assert!(normal(768, none, of(&[1e-12, 1e12]), Magnitudes::F16));
        for (starts, a, b) in [
            (f32::NAN, 1.0, 1.0),
            (0.0, f32::NAN, 1.0),
            (0.0, 0.0, f32::INFINITY),
            (0.0, 1e19, 1e19),
            (0.0, 1e-13, 1e-13),
            (1e-31, 1.0, 1.0),
            (f32::MAX, 1.0, 1.0),
            (0.0, -1e-45, 1e-45),
        ] {
            assert!(!normal(4, of(&[starts]), of(&[a, 1.0]), of(&[b, 1.0])), "{starts} {a} {b}");
        }
        assert!(!normal(1, one, Magnitudes::UNKNOWN, one));
    }
}
