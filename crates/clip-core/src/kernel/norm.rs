//! Reductions: 16 interleaved partial sums, then a fixed tree.

use super::isa::Isa;

/// Rough operations per element of [`layer_norm`].
pub(super) const COST: usize = 16;

/// Sums 16 partials pairwise: i with i+8, i+4, i+2, i+1.
#[inline(always)]
fn tree(mut partial: [f32; 16]) -> f32 {
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            partial[i] += partial[i + half];
        }
    }
    partial[0]
}

/// Folds `x` into 16 partials, `partial = step(partial, element)`, and sums them. Missing elements
/// of the last group of 16 do not take part.
///
/// A macro because a closure would not be compiled with the caller's target features.
macro_rules! reduce {
    ($isa:ident, $x:expr, |$sum:ident, $v:ident| $step:expr) => {{
        let x: &[f32] = $x;
        let vectors = 16 / $isa::LANES;
        let mut partial = [0.0f32; 16];
        let mut sums = [$isa::splat(0.0); 16];
        let groups = x.chunks_exact(16);
        let tail = groups.remainder();
        for group in groups {
            for (i, sum) in sums.iter_mut().enumerate().take(vectors) {
                let ($sum, $v) = (*sum, $isa::load(group.as_ptr().add(i * $isa::LANES)));
                *sum = $step;
            }
        }
        for (i, sum) in sums.iter().enumerate().take(vectors) {
            $isa::store(partial.as_mut_ptr().add(i * $isa::LANES), *sum);
        }
        if !tail.is_empty() {
            let mut padded = [0.0f32; 16];
            padded[..tail.len()].copy_from_slice(tail);
            let mut with_tail = [0.0f32; 16];
            for (i, sum) in sums.iter().enumerate().take(vectors) {
                let ($sum, $v) = (*sum, $isa::load(padded.as_ptr().add(i * $isa::LANES)));
                $isa::store(with_tail.as_mut_ptr().add(i * $isa::LANES), $step);
            }
            partial[..tail.len()].copy_from_slice(&with_tail[..tail.len()]);
        }
        tree(partial)
    }};
}

/// Replaces each vector of `x`, which begins at element `i`, by `f` of it (padding the tail).
macro_rules! map {
    ($isa:ident, $x:expr, |$i:pat_param, $v:ident| $f:expr) => {{
        let x: &mut [f32] = $x;
        let whole = x.len() / 16 * 16;
        for i in (0..whole).step_by($isa::LANES) {
            let p = x.as_mut_ptr().add(i);
            let ($i, $v) = (i, $isa::load(p));
            $isa::store(p, $f);
        }
        let tail = &mut x[whole..];
        let mut padded = [0.0f32; 16];
        padded[..tail.len()].copy_from_slice(tail);
        for i in (0..tail.len()).step_by($isa::LANES) {
            let p = padded.as_mut_ptr().add(i);
            let ($i, $v) = (whole + i, $isa::load(p));
            $isa::store(p, $f);
        }
        tail.copy_from_slice(&padded[..tail.len()]);
    }};
}
pub(super) use map;

/// LayerNorm of one row, in place: mean = sum/n; var = sum((x-mean)^2)/n (fused squares);
/// `fma((x-mean) * (1/sqrt(var+eps)), gamma, beta)`. `gamma` and `beta` are readable up to the
/// next multiple of 16.
///
/// # Safety
/// The CPU has `I`.
#[inline(always)]
pub(super) unsafe fn layer_norm<I: Isa>(x: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
    let n = x.len();
    assert!(gamma.len() >= n.next_multiple_of(16) && beta.len() >= n.next_multiple_of(16));
    // SAFETY: `map` and `reduce` stay inside `x` and their padding, gamma and beta are asserted to
    // cover whole vectors; the caller guarantees I.
    unsafe {
        let mean = I::splat(reduce!(I, x, |s, v| I::add(s, v)) / n as f32);
        map!(I, x, |_, v| I::sub(v, mean));
        let variance = reduce!(I, x, |s, v| I::fma(v, v, s)) / n as f32;
        let scale = I::splat(1.0 / (variance + eps).sqrt());
        map!(I, x, |i, v| {
            let gamma = I::load(gamma.as_ptr().add(i));
            I::fma(I::mul(v, scale), gamma, I::load(beta.as_ptr().add(i)))
        });
    }
}

/// Softmax of `scale * x`, in place: exp of the distance to the maximum, divided by the sum.
///
/// # Safety
/// The CPU has `I`.
#[inline(always)]
pub(super) unsafe fn softmax<I: Isa>(x: &mut [f32], scale: f32) {
    // SAFETY: `map`, `reduce` and the whole vectors stay inside `x` and their padding, 16 lanes
    // hold any vector; the caller guarantees I.
    unsafe {
        let factor = I::splat(scale);
        map!(I, x, |_, v| I::mul(v, factor));
        // The maximum does not depend on order; a NaN shows in the sum.
        let whole = x.len() / I::LANES * I::LANES;
        let mut largest = I::splat(f32::NEG_INFINITY);
        for i in (0..whole).step_by(I::LANES) {
            let v = I::load(x.as_ptr().add(i));
            largest = I::select_gt(v, largest, v, largest);
        }
        let mut lanes = [f32::NEG_INFINITY; 16];
        I::store(lanes.as_mut_ptr(), largest);
        let rest = lanes.iter().chain(&x[whole..]);
        let max = I::splat(rest.fold(f32::NEG_INFINITY, |m, &v| if v > m { v } else { m }));
        map!(I, x, |_, v| super::exp::exp::<I>(I::sub(v, max)));
        let sum = I::splat(reduce!(I, x, |s, v| I::add(s, v)));
        map!(I, x, |_, v| I::div(v, sum));
    }
}

/// Dot product: 16 fused partial sums.
///
/// # Safety
/// The CPU has `I`.
#[inline(always)]
pub(super) unsafe fn dot<I: Isa>(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "dot product of vectors of different length");
    let vectors = 16 / I::LANES;
    let mut partial = [0.0f32; 16];
    // SAFETY: loads are inside groups of 16 floats or `pad`; the caller guarantees I.
    unsafe {
        let mut sums = [I::splat(0.0); 16];
        let whole = a.len() / 16 * 16;
        for i in (0..whole).step_by(16) {
            for (v, sum) in sums.iter_mut().enumerate().take(vectors) {
                let at = i + v * I::LANES;
                *sum = I::fma(I::load(a.as_ptr().add(at)), I::load(b.as_ptr().add(at)), *sum);
            }
        }
        for (v, sum) in sums.iter().enumerate().take(vectors) {
            I::store(partial.as_mut_ptr().add(v * I::LANES), *sum);
        }
        for (i, (x, y)) in a[whole..].iter().zip(&b[whole..]).enumerate() {
            partial[i] = super::fused(*x, *y, partial[i]);
        }
    }
    tree(partial)
}
