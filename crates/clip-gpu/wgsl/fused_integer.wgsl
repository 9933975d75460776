// The fused multiply-add in integers: the same bits on any device, a hundred operations each. For devices that
// do not fuse, such as those of the tests.
struct U64 { hi: u32, lo: u32 }
fn shr_jam(x: U64, d: u32) -> U64 {
    if (d == 0u) { return x; }
    if (d > 63u) { return U64(0u, select(0u, 1u, (x.hi | x.lo) != 0u)); }
    if (d >= 32u) {
        let s = d - 32u;
        var lost = x.lo;
        if (s > 0u) { lost |= x.hi << (32u - s); }
        return U64(0u, (x.hi >> s) | select(0u, 1u, lost != 0u));
    }
    return U64(x.hi >> d, (x.lo >> d) | (x.hi << (32u - d)) | select(0u, 1u, (x.lo << (32u - d)) != 0u));
}
fn fused_bits(a: u32, b: u32, c: u32) -> u32 {
    let aa = a & 0x7fffffffu;
    let bb = b & 0x7fffffffu;
    let cc = c & 0x7fffffffu;
    let sp = (a ^ b) & 0x80000000u;
    let sc = c & 0x80000000u;
    if (aa >= 0x7f800000u || bb >= 0x7f800000u || cc >= 0x7f800000u) {
        if (aa > 0x7f800000u || bb > 0x7f800000u || cc > 0x7f800000u) { return 0x7fc00000u; }
        let product_inf = aa == 0x7f800000u || bb == 0x7f800000u;
        if (product_inf && (aa == 0u || bb == 0u)) { return 0x7fc00000u; }
        if (product_inf && cc == 0x7f800000u && sp != sc) { return 0x7fc00000u; }
        return select(c, sp | 0x7f800000u, product_inf);
    }
    if (aa == 0u || bb == 0u) {
        if (cc == 0u) { return sp & sc; }
        return c;
    }
    let x = parts(aa);
    let y = parts(bb);
    let xl = x.m & 0xfffu; let xh = x.m >> 12u;
    let yl = y.m & 0xfffu; let yh = y.m >> 12u;
    let mid = xh * yl + xl * yh;
    let lo0 = xl * yl;
    let lo1 = lo0 + (mid << 12u);
    let lo2 = lo1 + ((xh * yh) << 24u);
    let hi0 = (mid >> 20u) + ((xh * yh) >> 8u) + select(0u, 1u, lo1 < lo0) + select(0u, 1u, lo2 < lo1);
    // Product in [2^60, 2^62) of 2^(e-60), addend in [2^60, 2^61).
    var p = U64((hi0 << 14u) | (lo2 >> 18u), lo2 << 14u);
    var e = x.e + y.e;
    var q = U64(0u, 0u);
    if (cc != 0u) {
        let z = parts(cc);
        q = U64(z.m << 5u, 0u);
        if (z.e > e) { p = shr_jam(p, u32(z.e - e)); e = z.e; } else { q = shr_jam(q, u32(e - z.e)); }
    }
    var sign = sp;
    var s: U64;
    if (sp == sc) {
        let lo = p.lo + q.lo;
        s = U64(p.hi + q.hi + select(0u, 1u, lo < p.lo), lo);
    } else {
        if (p.hi < q.hi || (p.hi == q.hi && p.lo < q.lo)) { let t = p; p = q; q = t; sign = sc; }
        s = U64(p.hi - q.hi - select(0u, 1u, p.lo < q.lo), p.lo - q.lo);
        if ((s.hi | s.lo) == 0u) { return 0u; }
    }
    var zeros = countLeadingZeros(s.hi);
    if (s.hi == 0u) { zeros = 32u + countLeadingZeros(s.lo); s.hi = s.lo; s.lo = 0u; }
    let k = zeros & 31u;
    if (k > 0u) { s = U64((s.hi << k) | (s.lo >> (32u - k)), s.lo << k); }
    return round_pack(sign, s.hi >> 6u, ((s.hi & 63u) | s.lo) != 0u, e + 3 - i32(zeros));
}
fn fused(a: f32, b: f32, c: f32) -> f32 {
    return bitcast<f32>(fused_bits(bitcast<u32>(a), bitcast<u32>(b), bitcast<u32>(c)));
}
fn fused4(a: f32, b: vec4<f32>, c: vec4<f32>) -> vec4<f32> {
    return vec4(fused(a, b.x, c.x), fused(a, b.y, c.y), fused(a, b.z, c.z), fused(a, b.w, c.w));
}
