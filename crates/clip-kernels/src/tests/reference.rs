//! The contract, as plain loops.

#[allow(clippy::disallowed_methods)]
pub(super) fn fma(a: f32, b: f32, c: f32) -> f32 {
    a.mul_add(b, c)
}

pub(super) fn partial_sums(x: &[f32], step: impl Fn(f32, f32) -> f32) -> f32 {
    let mut p = [0.0f32; 16];
    for (i, &v) in x.iter().enumerate() {
        p[i % 16] = step(p[i % 16], v);
    }
    let q: Vec<f32> = (0..8).map(|i| p[i] + p[i + 8]).collect();
    let r: Vec<f32> = (0..4).map(|i| q[i] + q[i + 4]).collect();
    (r[0] + r[2]) + (r[1] + r[3])
}

pub(super) fn exp(x: f32) -> f32 {
    if x < -86.0 {
        return 0.0;
    }
    if x > 88.0 {
        return f32::INFINITY;
    }
    let n = fma(x, std::f32::consts::LOG2_E, 12_582_912.0) - 12_582_912.0;
    let r = fma(n, 2.121_944_4e-4, fma(n, -0.693_359_4, x));
    let mut p = 1.395_060_3e-3;
    for c in [8.368_953e-3, 4.166_620_6e-2, 1.666_651_8e-1, 0.5] {
        p = fma(p, r, c);
    }
    let p = fma(p, r * r, r) + 1.0;
    // 2^n by its bits; NaN becomes n = 0.
    p * f32::from_bits(((n as i32 + 127) as u32) << 23)
}

pub(super) fn quick_gelu(x: f32) -> f32 {
    x / (1.0 + exp(x * -1.702))
}

pub(super) fn layer_norm(x: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
    let n = x.len() as f32;
    let mean = partial_sums(x, |s, v| s + v) / n;
    x.iter_mut().for_each(|v| *v -= mean);
    let variance = partial_sums(x, |s, v| fma(v, v, s)) / n;
    let scale = 1.0 / (variance + eps).sqrt();
    for (i, v) in x.iter_mut().enumerate() {
        *v = fma(*v * scale, gamma[i], beta[i]);
    }
}

pub(super) fn softmax(x: &mut [f32], scale: f32) {
    x.iter_mut().for_each(|v| *v *= scale);
    let max = x.iter().fold(f32::NEG_INFINITY, |m, &v| if v > m { v } else { m });
    x.iter_mut().for_each(|v| *v = exp(*v - max));
    let sum = partial_sums(x, |s, v| s + v);
    x.iter_mut().for_each(|v| *v /= sum);
}

pub(super) fn linear(x: &[f32], w: &[f32], bias: &[f32], k: usize) -> Vec<f32> {
    let mut out = Vec::new();
    for row in x.chunks_exact(k) {
        for (n, weights) in w.chunks_exact(k).enumerate() {
            out.push(row.iter().zip(weights).fold(bias[n], |acc, (x, w)| fma(*x, *w, acc)));
        }
    }
    out
}
