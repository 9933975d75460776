//! Reductions: 16 interleaved partial sums, then a fixed tree.

use crate::{exp, fma::fused, isa::Isa};

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
    ($isa:ident: $I:ident, $x:expr, |$sum:ident, $v:ident| $step:expr) => {{
        let x: &[f32] = $x;
        let vectors = 16 / $I::LANES;
        let mut partial = [0.0f32; 16];
        let mut sums = [$isa.splat(0.0); 16];
        let (groups, tail) = x.as_chunks::<16>();
        for group in groups {
            for (sum, vector) in sums[..vectors].iter_mut().zip(group.chunks_exact($I::LANES)) {
                let ($sum, $v) = (*sum, $isa.load(vector));
                *sum = $step;
            }
        }
        for (sum, partial) in sums[..vectors].iter().zip(partial.chunks_exact_mut($I::LANES)) {
            $isa.store(partial, *sum);
        }
        if !tail.is_empty() {
            let mut padded = [0.0f32; 16];
            padded[..tail.len()].copy_from_slice(tail);
            for (sum, vector) in sums[..vectors].iter().zip(padded.chunks_exact_mut($I::LANES)) {
                let ($sum, $v) = (*sum, $isa.load(vector));
                $isa.store(vector, $step);
            }
            partial[..tail.len()].copy_from_slice(&padded[..tail.len()]);
        }
        tree(partial)
    }};
}

/// Replaces each vector of `x`, which begins at element `i`, by `f` of it (padding the tail).
macro_rules! map {
    ($isa:ident: $I:ident, $x:expr, |$i:pat_param, $v:ident| $f:expr) => {{
        let x: &mut [f32] = $x;
        let whole = x.len() / 16 * 16;
        let (groups, tail) = x.split_at_mut(whole);
        for (index, vector) in groups.chunks_exact_mut($I::LANES).enumerate() {
            let ($i, $v) = (index * $I::LANES, $isa.load(vector));
            $isa.store(vector, $f);
        }
        let mut padded = [0.0f32; 16];
        padded[..tail.len()].copy_from_slice(tail);
        for i in (0..tail.len()).step_by($I::LANES) {
            let vector = &mut padded[i..];
            let ($i, $v) = (whole + i, $isa.load(vector));
            $isa.store(vector, $f);
        }
        tail.copy_from_slice(&padded[..tail.len()]);
    }};
}
pub(crate) use map;

/// LayerNorm of one row, in place: mean = sum/n; var = sum((x-mean)^2)/n (fused squares);
/// `fma((x-mean) * (1/sqrt(var+eps)), gamma, beta)`. `gamma` and `beta` go on to the next multiple
/// of 16.
#[inline(always)]
pub(crate) fn layer_norm<I: Isa>(isa: I, x: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
    let n = x.len();
    assert!(gamma.len() >= n.next_multiple_of(16) && beta.len() >= n.next_multiple_of(16));
    let mean = isa.splat(reduce!(isa: I, x, |s, v| isa.add(s, v)) / n as f32);
    map!(isa: I, x, |_, v| isa.sub(v, mean));
    let variance = reduce!(isa: I, x, |s, v| isa.fma(v, v, s)) / n as f32;
    let scale = isa.splat(1.0 / (variance + eps).sqrt());
    map!(isa: I, x, |i, v| {
        isa.fma(isa.mul(v, scale), isa.load(&gamma[i..]), isa.load(&beta[i..]))
    });
}

/// Softmax of `scale * x`, in place: exp of the distance to the maximum, divided by the sum.
#[inline(always)]
pub(crate) fn softmax<I: Isa>(isa: I, x: &mut [f32], scale: f32) {
    let factor = isa.splat(scale);
    map!(isa: I, x, |_, v| isa.mul(v, factor));
    // The maximum does not depend on order; a NaN shows in the sum.
    let mut largest = isa.splat(f32::NEG_INFINITY);
    let vectors = x.chunks_exact(I::LANES);
    let rest = vectors.remainder();
    for vector in vectors {
        let v = isa.load(vector);
        largest = isa.select_gt(v, largest, v, largest);
    }
    let mut lanes = [f32::NEG_INFINITY; 16];
    isa.store(&mut lanes, largest);
    let rest = lanes.iter().chain(rest);
    let max = isa.splat(rest.fold(f32::NEG_INFINITY, |m, &v| if v > m { v } else { m }));
    map!(isa: I, x, |_, v| exp::exp(isa, isa.sub(v, max)));
    let sum = isa.splat(reduce!(isa: I, x, |s, v| isa.add(s, v)));
    map!(isa: I, x, |_, v| isa.div(v, sum));
}

/// Dot product: 16 fused partial sums.
#[inline(always)]
pub(crate) fn dot<I: Isa>(isa: I, a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len(), "dot product of vectors of different length");
    let vectors = 16 / I::LANES;
    let mut partial = [0.0f32; 16];
    let mut sums = [isa.splat(0.0); 16];
    let ((a, a_tail), (b, b_tail)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    for (a, b) in a.iter().zip(b) {
        let pairs = a.chunks_exact(I::LANES).zip(b.chunks_exact(I::LANES));
        for (sum, (a, b)) in sums[..vectors].iter_mut().zip(pairs) {
            *sum = isa.fma(isa.load(a), isa.load(b), *sum);
        }
    }
    for (sum, partial) in sums[..vectors].iter().zip(partial.chunks_exact_mut(I::LANES)) {
        isa.store(partial, *sum);
    }
    for (partial, (x, y)) in partial.iter_mut().zip(a_tail.iter().zip(b_tail)) {
        *partial = fused(*x, *y, *partial);
    }
    tree(partial)
}
