// softmax(scale * q k^T) v of four queries of one head: their scores stay in the workgroup, so that no sequence is
// too long for a buffer. Chains run over ascending head dimension and ascending keys.
struct P { queries: u32, tokens: u32, heads: u32, head_dim: u32, scale: f32, p0: u32, p1: u32, p2: u32 }
@group(0) @binding(1) var<uniform> p: P;
@group(0) @binding(2) var<storage, read> q: array<f32>;
@group(0) @binding(3) var<storage, read> k: array<f32>;
@group(0) @binding(4) var<storage, read> v: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;

// MOST_TOKENS and MOST_HEAD_DIM in tower/mod.rs are these.
var<workgroup> scores: array<f32, 3072>; // [4][tokens]
var<workgroup> qs: array<vec4<f32>, 128>; // [head_dim], four queries each

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(local_invocation_index) li: u32) {
    let width = p.heads * p.head_dim;
    let head = wid.y * p.head_dim;
    let first = wid.x * 4u;
    let keys = wid.z * p.tokens * width + head;
    let rows = wid.z * p.queries;
    for (var i = li; i < p.head_dim; i += 64u) {
        var four = array<f32, 4>();
        for (var j = 0u; j < 4u; j++) {
            // Queries that are not there repeat the last one.
            four[j] = q[(rows + min(first + j, p.queries - 1u)) * width + head + i];
        }
        qs[i] = vec4(four[0], four[1], four[2], four[3]);
    }
    workgroupBarrier();
    for (var key = li; key < p.tokens; key += 64u) {
        var acc = vec4<f32>(0.0);
        for (var i = 0u; i < p.head_dim; i++) { acc = fused4(k[keys + key * width + i], qs[i], acc); }
        scores[key] = mul(acc.x, p.scale);
        scores[p.tokens + key] = mul(acc.y, p.scale);
        scores[2u * p.tokens + key] = mul(acc.z, p.scale);
        scores[3u * p.tokens + key] = mul(acc.w, p.scale);
    }
    workgroupBarrier();

    // Sixteen lanes per query.
    let lane = li % 16u;
    let base = li / 16u * p.tokens;
    var most = opaque_.lowest;
    for (var i = lane; i < p.tokens; i += 16u) {
        let s = scores[base + i];
        most = select(most, s, s > most);
    }
    most = largest_of(li, most);
    var sum = 0.0;
    for (var i = lane; i < p.tokens; i += 16u) {
        let e = exp_(sub(scores[base + i], most));
        scores[base + i] = e;
        sum = add(sum, e);
    }
    sum = tree(li, sum);
    for (var i = lane; i < p.tokens; i += 16u) { scores[base + i] = div(scores[base + i], sum); }
    workgroupBarrier();

    for (var c = li; c < p.head_dim; c += 64u) {
        var acc = vec4<f32>(0.0);
        for (var i = 0u; i < p.tokens; i++) {
            let s = vec4(scores[i], scores[p.tokens + i], scores[2u * p.tokens + i], scores[3u * p.tokens + i]);
            acc = fused4(v[keys + i * width + c], s, acc);
        }
        for (var j = 0u; j < 4u; j++) {
            if (first + j < p.queries) {
                // -0 becomes +0.
                let bits = bitcast<u32>(acc[j]);
                out[(rows + first + j) * width + head + c] = bitcast<f32>(select(bits, 0u, bits == 0x80000000u));
            }
        }
    }
}
