// out[m][n] = epilogue(bias[n] + chain over ascending k of x[m][k] * w[k][n]). Widths in groups of four: k4, n4.
// A workgroup computes 64 x 64 outputs, a lane 4 x 4 of them.
struct P { m: u32, n4: u32, k4: u32, epilogue: u32, bias: u32, residual_stride4: u32, p0: u32, p1: u32 }
@group(0) @binding(1) var<uniform> p: P;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> w: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> residual: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> out: array<vec4<f32>>;

const DEPTH = 16u;
// [DEPTH][64 rows], as scalars: to store one component of a shared vec4 is a race.
var<workgroup> xs: array<f32, 1024>;
// [DEPTH][64 / 4 columns]
var<workgroup> ws: array<vec4<f32>, 256>;

fn finish(row: u32, column: u32, acc: vec4<f32>) {
    if (row >= p.m || column >= p.n4) { return; }
    var v = acc;
    switch (p.epilogue) {
        case 1u: { v = vec4(quick_gelu(v.x), quick_gelu(v.y), quick_gelu(v.z), quick_gelu(v.w)); }
        case 2u: { v = vec4(gelu(v.x), gelu(v.y), gelu(v.z), gelu(v.w)); }
        case 3u: {
            let r = residual[row * p.residual_stride4 + column];
            v = vec4(add(r.x, v.x), add(r.y, v.y), add(r.z, v.z), add(r.w, v.w));
        }
        default: {}
    }
    out[row * p.n4 + column] = v;
}

@compute @workgroup_size(16, 16)
fn main(
    @builtin(workgroup_id) wid: vec3<u32>,
    @builtin(local_invocation_id) lid: vec3<u32>,
    @builtin(local_invocation_index) li: u32,
) {
    let row0 = wid.y * 64u;
    let column = wid.x * 16u + lid.x;
    var a0 = vec4<f32>(0.0);
    if (p.bias == 1u && column < p.n4) { a0 = bias[column]; }
    var a1 = a0;
    var a2 = a0;
    var a3 = a0;
    // What this lane brings to the tile: four k of one row of x, four columns of one row of w.
    let x_row = row0 + li / 4u;
    let x_k4 = li % 4u;
    let w_k = li / 16u;
    let w_column = wid.x * 16u + li % 16u;
    for (var k0 = 0u; k0 < p.k4 * 4u; k0 += DEPTH) {
        var v = vec4<f32>(0.0);
        if (x_row < p.m && k0 / 4u + x_k4 < p.k4) { v = x[x_row * p.k4 + k0 / 4u + x_k4]; }
        let at = x_k4 * 256u + li / 4u;
        xs[at] = v.x;
        xs[at + 64u] = v.y;
        xs[at + 128u] = v.z;
        xs[at + 192u] = v.w;
        var wv = vec4<f32>(0.0);
        if (w_column < p.n4 && k0 + w_k < p.k4 * 4u) { wv = w[(k0 + w_k) * p.n4 + w_column]; }
        ws[li] = wv;
        workgroupBarrier();
        let depth = min(DEPTH, p.k4 * 4u - k0);
        for (var kk = 0u; kk < depth; kk++) {
            let i = kk * 64u + lid.y * 4u;
            let b = ws[kk * 16u + lid.x];
            a0 = fused4(xs[i], b, a0);
            a1 = fused4(xs[i + 1u], b, a1);
            a2 = fused4(xs[i + 2u], b, a2);
            a3 = fused4(xs[i + 3u], b, a3);
        }
        workgroupBarrier();
    }
    let row = row0 + lid.y * 4u;
    finish(row, column, a0);
    finish(row + 1u, column, a1);
    finish(row + 2u, column, a2);
    finish(row + 3u, column, a3);
}
