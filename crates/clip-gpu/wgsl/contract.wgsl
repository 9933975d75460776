// The numeric contract (clip-kernels) in WGSL.
//
// Relied upon: fused() rounds once, to nearest even; integer operations; conversions between integers and
// floats below 2^24; loads and stores. Nothing else, because WGSL lets compilers reassociate, contract and drop
// signed zeros, and lets `/` and sqrt() be 2.5 ulp off. The constants come from a uniform, so that no compiler sees
// through them.
struct Opaque { one: f32, minus_one: f32, minus_zero: f32, lowest: f32 }
@group(0) @binding(0) var<uniform> opaque_: Opaque;

fn add(a: f32, b: f32) -> f32 { return fused(a, opaque_.one, b); }
fn sub(a: f32, b: f32) -> f32 { return fused(b, opaque_.minus_one, a); }
fn mul(a: f32, b: f32) -> f32 { return fused(a, b, opaque_.minus_zero); }

// Rounds q * 2^(e-25), q in [2^25, 2^26) with `sticky` below it, to nearest even.
fn round_pack(sign: u32, q: u32, sticky: bool, e: i32) -> u32 {
    let wide = (q << 1u) | select(0u, 1u, sticky);
    let biased = e + 127;
    if (biased >= 255) { return sign | 0x7f800000u; }
    var shift = 3u;
    if (biased <= 0) { shift = min(3u + u32(1 - biased), 31u); }
    let value = wide >> shift;
    let low = wide & ((1u << shift) - 1u);
    let half = 1u << (shift - 1u);
    let up = low > half || (low == half && (value & 1u) == 1u);
    let base = u32(max(biased - 1, 0)) << 23u;
    return sign | (base + value + select(0u, 1u, up));
}

struct Parts { m: u32, e: i32 }
// |x| = m * 2^(e-23), m in [2^23, 2^24), for finite x != 0.
fn parts(bits: u32) -> Parts {
    let m = bits & 0x7fffffu;
    let e = i32((bits >> 23u) & 0xffu);
    if (e == 0) {
        let shift = 23u - firstLeadingBit(m);
        return Parts(m << shift, -126 - i32(shift));
    }
    return Parts(m | 0x800000u, e - 127);
}

// IEEE division on bits: the machine's quotient is a guess, integers correct it.
fn div_bits(a: u32, b: u32) -> u32 {
    let sign = (a ^ b) & 0x80000000u;
    let aa = a & 0x7fffffffu;
    let bb = b & 0x7fffffffu;
    if (aa > 0x7f800000u || bb > 0x7f800000u || (aa == 0u && bb == 0u) || (aa == 0x7f800000u && bb == 0x7f800000u)) {
        return 0x7fc00000u;
    }
    if (aa == 0u || bb == 0x7f800000u) { return sign; }
    if (bb == 0u || aa == 0x7f800000u) { return sign | 0x7f800000u; }
    let x = parts(aa);
    let y = parts(bb);
    let fy = f32(y.m);
    var q = i32(f32(x.m) / fy * 33554432.0);
    // The true remainder is small, so its low 32 bits are the remainder.
    var r = bitcast<i32>((x.m << 25u) - bitcast<u32>(q) * y.m);
    let dq = i32(f32(r) / fy);
    q += dq;
    r -= dq * i32(y.m);
    while (r < 0) { q -= 1; r += i32(y.m); }
    while (r >= i32(y.m)) { q += 1; r -= i32(y.m); }
    var e = x.e - y.e;
    var uq = bitcast<u32>(q);
    if (uq < 33554432u) { uq <<= 1u; e -= 1; }
    return round_pack(sign, uq, r != 0, e);
}
fn div(a: f32, b: f32) -> f32 { return bitcast<f32>(div_bits(bitcast<u32>(a), bitcast<u32>(b))); }

fn sqrt_bits(a: u32) -> u32 {
    if ((a << 1u) == 0u) { return a; }
    if (a == 0x7f800000u) { return a; }
    if (a > 0x7f800000u) { return 0x7fc00000u; }
    var x = parts(a);
    if ((x.e & 1) != 0) { x.m <<= 1u; x.e -= 1; }
    var q = i32(sqrt(f32(x.m) * 33554432.0));
    var r = bitcast<i32>((x.m << 25u) - bitcast<u32>(q) * bitcast<u32>(q));
    while (r < 0) { r += 2 * q - 1; q -= 1; }
    while (r > 2 * q) { r -= 2 * q + 1; q += 1; }
    return round_pack(0u, bitcast<u32>(q) << 1u, r != 0, x.e / 2);
}
fn sqrt_(a: f32) -> f32 { return bitcast<f32>(sqrt_bits(bitcast<u32>(a))); }

fn is_nan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }

// e^x: +0 below -86, NaN for NaN; callers keep x at 88 or below. n is read from the bits of t, since
// `(t + magic) - magic` is what fast math folds away first; scaling by 2^n is an addition to the exponent.
fn exp_(x: f32) -> f32 {
    if (is_nan(x)) { return x; }
    let t = fused(x, 1.44269504088896340736, 12582912.0);
    let n = bitcast<i32>(t) - 0x4B400000;
    let nf = f32(n);
    var r = fused(nf, -0.693359375, x);
    r = fused(nf, 2.12194442e-4, r);
    var p = 1.3950603e-3f;
    p = fused(p, r, 8.368953e-3f);
    p = fused(p, r, 4.1666206e-2f);
    p = fused(p, r, 1.6666518e-1f);
    p = fused(p, r, 0.5f);
    p = add(fused(p, mul(r, r), r), 1.0);
    let y = bitcast<f32>(bitcast<u32>(p) + (bitcast<u32>(n) << 23u));
    return select(y, 0.0, x < -86.0);
}

// x / (1 + e^(-1.702 x))
fn quick_gelu(x: f32) -> f32 {
    let t = mul(x, -1.702);
    // e^t is infinite there, and x negative.
    if (t > 88.0) { return opaque_.minus_zero; }
    return div(x, add(1.0, exp_(t)));
}

fn erf_(v: f32) -> f32 {
    var x = v;
    if (x > 4.0) { x = 4.0; }
    if (x < -4.0) { x = -4.0; }
    let x2 = mul(x, x);
    var p = -2.7261424e-10f;
    p = fused(p, x2, 2.7706815e-8f);
    p = fused(p, x2, -2.101024e-6f);
    p = fused(p, x2, -5.6925062e-5f);
    p = fused(p, x2, -7.3499064e-4f);
    p = fused(p, x2, -2.9546e-3f);
    p = fused(p, x2, -1.6096033e-2f);
    var q = -1.45660715e-5f;
    q = fused(q, x2, -2.1337405e-4f);
    q = fused(q, x2, -1.682827e-3f);
    q = fused(q, x2, -7.3733293e-3f);
    q = fused(q, x2, -1.4264739e-2f);
    return div(mul(x, p), q);
}

// x/2 * (1 + erf(x / sqrt 2))
fn gelu(x: f32) -> f32 {
    let e = erf_(mul(x, 0.70710678118654752440f));
    return mul(mul(x, 0.5), add(e, 1.0));
}
