//! Exponential, error function and the two GELUs: fixed polynomials in fused operations.
//!
//! No libm: every target computes these bits. Constants are minimax fits made by
//! `tests/reference/polynomials.py`, which also states their errors.

use crate::isa::Isa;

/// `1.5 * 2^23`: adding it rounds to an integer, in the low bits of the sum.
const MAGIC: f32 = 12_582_912.0;
const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// ln 2 in two parts; the first has few enough bits that `n * LN2_HIGH` is exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;
/// `exp` is +0 below and +inf above; between them `2^n` is a normal number.
pub(crate) const EXP_LOWEST: f32 = -86.0;
pub(crate) const EXP_HIGHEST: f32 = 88.0;
/// `(e^r - 1 - r) / r^2` on |r| <= ln2/2, highest power first.
const EXP_POLY: [f32; 5] = [1.395_060_3e-3, 8.368_953e-3, 4.166_620_6e-2, 1.666_651_8e-1, 0.5];

/// e^x: +0 below -86, +inf above 88, NaN for NaN; else within 2 ulp.
#[inline(always)]
pub(crate) fn exp<I: Isa>(isa: I, x: I::V) -> I::V {
    let magic = isa.splat(MAGIC);
    let t = isa.fma(x, isa.splat(LOG2_E), magic);
    let n = isa.sub(t, magic);
    let r = isa.fma(n, isa.splat(-LN2_HIGH), x);
    let r = isa.fma(n, isa.splat(-LN2_LOW), r);
    let mut p = isa.splat(EXP_POLY[0]);
    for c in &EXP_POLY[1..] {
        p = isa.fma(p, r, isa.splat(*c));
    }
    // 1 + (r + p r^2): the large term last keeps the error under one ulp before scaling.
    let p = isa.add(isa.fma(p, isa.mul(r, r), r), isa.splat(1.0));
    let y = isa.mul(p, isa.pow2_of_magic(t));
    let y = isa.select_gt(isa.splat(EXP_LOWEST), x, isa.splat(0.0), y);
    isa.select_gt(x, isa.splat(EXP_HIGHEST), isa.splat(f32::INFINITY), y)
}

/// `x * sigmoid(1.702 x)` as `x / (1 + e^(-1.702 x))` (HF `QuickGELUActivation`).
#[inline(always)]
pub(crate) fn quick_gelu<I: Isa>(isa: I, x: I::V) -> I::V {
    let e = exp(isa, isa.mul(x, isa.splat(-1.702)));
    isa.div(x, isa.add(isa.splat(1.0), e))
}

/// Beyond this |x|, erf(x) is 1 in f32.
const ERF_CLAMP: f32 = 4.0;
/// Numerator (odd powers, highest first) and denominator (even powers) of erf on |x| <= 4.
const ERF_ALPHA: [f32; 7] = [
    -2.726_142_4e-10,
    2.770_681_5e-8,
    -2.101_024e-6,
    -5.692_506_2e-5,
    -7.349_906_4e-4,
    -2.954_6e-3,
    -1.609_603_3e-2,
];
const ERF_BETA: [f32; 5] =
    [-1.456_607_15e-5, -2.133_740_5e-4, -1.682_827e-3, -7.373_329_3e-3, -1.426_473_9e-2];

/// The error function, absolute error below 3e-7.
#[inline(always)]
pub(crate) fn erf<I: Isa>(isa: I, x: I::V) -> I::V {
    let high = isa.splat(ERF_CLAMP);
    let low = isa.splat(-ERF_CLAMP);
    let x = isa.select_gt(x, high, high, x);
    let x = isa.select_gt(low, x, low, x);
    let x2 = isa.mul(x, x);
    let mut p = isa.splat(ERF_ALPHA[0]);
    for c in &ERF_ALPHA[1..] {
        p = isa.fma(p, x2, isa.splat(*c));
    }
    let mut q = isa.splat(ERF_BETA[0]);
    for c in &ERF_BETA[1..] {
        q = isa.fma(q, x2, isa.splat(*c));
    }
    isa.div(isa.mul(x, p), q)
}

/// `x/2 * (1 + erf(x / sqrt 2))` (HF `GELUActivation`).
#[inline(always)]
pub(crate) fn gelu<I: Isa>(isa: I, x: I::V) -> I::V {
    let e = erf(isa, isa.mul(x, isa.splat(std::f32::consts::FRAC_1_SQRT_2)));
    isa.mul(isa.mul(x, isa.splat(0.5)), isa.add(e, isa.splat(1.0)))
}
