// LayerNorm of rows that lie `stride` apart; the output is dense.
struct P { rows: u32, n: u32, stride: u32, eps: f32, p0: u32, p1: u32, p2: u32, p3: u32 }
@group(0) @binding(1) var<uniform> p: P;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> gamma: array<f32>;
@group(0) @binding(4) var<storage, read> beta: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) li: u32) {
    let own = wid.x * 4u + li / 16u;
    // Barriers want every lane: those of rows that are not there repeat the last one.
    let row = min(own, p.rows - 1u);
    let lane = li % 16u;
    let base = row * p.stride;
    var s = 0.0;
    for (var i = lane; i < p.n; i += 16u) { s = add(s, x[base + i]); }
    let mean = div(tree(li, s), f32(p.n));
    s = 0.0;
    for (var i = lane; i < p.n; i += 16u) {
        let d = sub(x[base + i], mean);
        s = fused(d, d, s);
    }
    let variance = div(tree(li, s), f32(p.n));
    let scale = div(1.0, sqrt_(add(variance, p.eps)));
    for (var i = lane; i < p.n && own < p.rows; i += 16u) {
        let d = sub(x[base + i], mean);
        out[row * p.n + i] = fused(mul(d, scale), gamma[i], beta[i]);
    }
}
