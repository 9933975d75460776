//! Reductions: 16 interleaved partial sums, then a fixed tree.

use super::isa::Isa;

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

/// Folds `x` into 16 partials with `step(partial, element)` and sums them. Missing elements of
/// the last group of 16 do not take part.
///
/// # Safety
/// The CPU has `I`.
#[inline(always)]
unsafe fn reduce<I: Isa>(x: &[f32], step: impl Fn(I::V, I::V) -> I::V) -> f32 {
    let vectors = 16 / I::LANES;
    let mut partial = [0.0f32; 16];
    // SAFETY: every load and store is inside a group of 16 floats; the caller guarantees I.
    unsafe {
        let mut sums = [I::splat(0.0); 16];
        let groups = x.chunks_exact(16);
        let tail = groups.remainder();
        for group in groups {
            for (v, sum) in sums.iter_mut().enumerate().take(vectors) {
                *sum = step(*sum, I::load(group.as_ptr().add(v * I::LANES)));
            }
        }
        for (v, sum) in sums.iter().enumerate().take(vectors) {
            I::store(partial.as_mut_ptr().add(v * I::LANES), *sum);
        }
        if !tail.is_empty() {
            let mut padded = [0.0f32; 16];
            padded[..tail.len()].copy_from_slice(tail);
            let mut with_tail = [0.0f32; 16];
            for (v, sum) in sums.iter().enumerate().take(vectors) {
                let stepped = step(*sum, I::load(padded.as_ptr().add(v * I::LANES)));
                I::store(with_tail.as_mut_ptr().add(v * I::LANES), stepped);
            }
            partial[..tail.len()].copy_from_slice(&with_tail[..tail.len()]);
        }
    }
    tree(partial)
}

/// Applies `f` to each vector of `x` in place (padding the tail).
///
/// # Safety
/// The CPU has `I`.
#[inline(always)]
pub(super) unsafe fn map<I: Isa>(x: &mut [f32], f: impl Fn(usize, I::V) -> I::V) {
    let whole = x.len() / 16 * 16;
    // SAFETY: loads and stores are inside `x[..whole]` or `padded`; the caller guarantees I.
    unsafe {
        for i in (0..whole).step_by(I::LANES) {
            let p = x.as_mut_ptr().add(i);
            I::store(p, f(i, I::load(p)));
        }
        let tail = &mut x[whole..];
        let mut padded = [0.0f32; 16];
        padded[..tail.len()].copy_from_slice(tail);
        for i in (0..tail.len()).step_by(I::LANES) {
            let p = padded.as_mut_ptr().add(i);
            I::store(p, f(whole + i, I::load(p)));
        }
        tail.copy_from_slice(&padded[..tail.len()]);
    }
}

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
    // SAFETY: gamma and beta are asserted to cover whole vectors; the caller guarantees I.
    unsafe {
        let mean = I::splat(reduce::<I>(x, |s, v| I::add(s, v)) / n as f32);
        map::<I>(x, |_, v| I::sub(v, mean));
        let variance = reduce::<I>(x, |s, v| I::fma(v, v, s)) / n as f32;
        let scale = I::splat(1.0 / (variance + eps).sqrt());
        map::<I>(x, |i, v| {
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
    // SAFETY: arithmetic through `map` and `reduce`; the caller guarantees I.
    unsafe {
        let factor = I::splat(scale);
        map::<I>(x, |_, v| I::mul(v, factor));
        // The maximum does not depend on order; a NaN shows in the sum.
        let max = I::splat(x.iter().fold(f32::NEG_INFINITY, |m, &v| if v > m { v } else { m }));
        map::<I>(x, |_, v| super::exp::exp::<I>(I::sub(v, max)));
        let sum = I::splat(reduce::<I>(x, |s, v| I::add(s, v)));
        map::<I>(x, |_, v| I::div(v, sum));
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
