// out[image][patch][channel, y, x] = pixels[image][channel][y][x]: patches as rows.
struct P { size: u32, side: u32, grid: u32, p0: u32, p1: u32, p2: u32, p3: u32, p4: u32 }
@group(0) @binding(1) var<uniform> p: P;
@group(0) @binding(2) var<storage, read> pixels: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let area = p.side * p.side;
    let width = 3u * area;
    if (id.x >= width) { return; }
    let channel = id.x / area;
    let y = id.y / p.grid * p.side + id.x % area / p.side;
    let x = id.y % p.grid * p.side + id.x % p.side;
    out[(id.z * p.grid * p.grid + id.y) * width + id.x] = pixels[((id.z * 3u + channel) * p.size + y) * p.size + x];
}
