// out[image][0] = class + positions[0]; out[image][1 + patch] = patch + position.
struct P { tokens: u32, d: u32, p0: u32, p1: u32, p2: u32, p3: u32, p4: u32, p5: u32 }
@group(0) @binding(1) var<uniform> p: P;
@group(0) @binding(2) var<storage, read> patches: array<f32>;
@group(0) @binding(3) var<storage, read> class_: array<f32>;
@group(0) @binding(4) var<storage, read> positions: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let column = id.x;
    if (column >= p.d) { return; }
    let token = id.y;
    var v = class_[column];
    if (token > 0u) { v = patches[(id.z * (p.tokens - 1u) + token - 1u) * p.d + column]; }
    out[(id.z * p.tokens + token) * p.d + column] = add(v, positions[token * p.d + column]);
}
