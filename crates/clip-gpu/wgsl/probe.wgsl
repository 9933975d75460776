// out[i] = operation(a[i], b[i], c[i]), on bits: for the self-test.
struct P { n: u32, operation: u32, p0: u32, p1: u32, p2: u32, p3: u32, p4: u32, p5: u32 }
@group(0) @binding(1) var<uniform> p: P;
@group(0) @binding(2) var<storage, read> a: array<u32>;
@group(0) @binding(3) var<storage, read> b: array<u32>;
@group(0) @binding(4) var<storage, read> c: array<u32>;
@group(0) @binding(5) var<storage, read_write> out: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.x;
    if (i >= p.n) { return; }
    let x = bitcast<f32>(a[i]);
    let y = bitcast<f32>(b[i]);
    var r = 0.0;
    switch (p.operation) {
        case 0u: { r = fused(x, y, bitcast<f32>(c[i])); }
        case 1u: { r = add(x, y); }
        case 2u: { r = sub(x, y); }
        case 3u: { r = mul(x, y); }
        case 4u: { r = div(x, y); }
        case 5u: { r = sqrt_(x); }
        case 6u: { r = exp_(x); }
        case 7u: { r = quick_gelu(x); }
        case 8u: { r = gelu(x); }
        default: {}
    }
    out[i] = bitcast<u32>(r);
}
