//! The inverse DCT of libjpeg-turbo's vector code (`jidctint-avx2.asm`), which Pillow runs on x86.
//!
//! For coefficients that a photograph has it is `jidctint.c`. Where damaged data overflows, it wraps and
//! saturates at 16 bits, and so does this: the same bits on every target, without an instruction set.

const F_0_298: i32 = 2446;
const F_0_390: i32 = 3196;
const F_0_541: i32 = 4433;
const F_0_765: i32 = 6270;
const F_0_899: i32 = 7373;
const F_1_175: i32 = 9633;
const F_1_501: i32 = 12299;
const F_1_847: i32 = 15137;
const F_1_961: i32 = 16069;
const F_2_053: i32 = 16819;
const F_2_562: i32 = 20995;
const F_3_072: i32 = 25172;

const CONST_BITS: u32 = 13;
const PASS1_BITS: u32 = 2;

type Lanes = [i16; 8];

/// Dequantizes and transforms a block; writes 8 rows of 8 samples, `stride` apart.
pub(super) fn idct(block: &[i16; 64], quantizers: &[i16; 64], out: &mut [u8], stride: usize) {
    if block[1..].iter().all(|c| *c == 0) {
        // Only the mean: what the two passes below make of it.
        let mean = i32::from(block[0].wrapping_mul(quantizers[0]) << PASS1_BITS);
        let value = sample(saturate(((mean << CONST_BITS) + (1 << 17)) >> 18));
        for row in out.chunks_mut(stride).take(8) {
            row[..8].fill(value);
        }
        return;
    }
    let mut rows = [[0i16; 8]; 8];
    for ((row, coefficients), steps) in
        rows.iter_mut().zip(block.chunks_exact(8)).zip(quantizers.chunks_exact(8))
    {
        for ((value, c), q) in row.iter_mut().zip(coefficients).zip(steps) {
            *value = c.wrapping_mul(*q);
        }
    }
    if block[8..].iter().all(|c| *c == 0) {
        let first = rows[0].map(|v| v << PASS1_BITS);
        rows = [first; 8];
    } else {
        pass::<{ CONST_BITS - PASS1_BITS }>(&mut rows);
    }
    transpose(&mut rows);
    pass::<{ CONST_BITS + PASS1_BITS + 3 }>(&mut rows);
    transpose(&mut rows);
    for (row, values) in out.chunks_mut(stride).zip(&rows) {
        for (to, value) in row.iter_mut().zip(values) {
            *to = sample(*value);
        }
    }
}

fn saturate(value: i32) -> i16 {
    value.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

fn sample(value: i16) -> u8 {
    (value.clamp(-128, 127) + 128) as u8
}

/// One dimension, on eight columns at once.
#[inline(always)]
fn pass<const SHIFT: u32>(rows: &mut [Lanes; 8]) {
    let [r0, r1, r2, r3, r4, r5, r6, r7] = *rows;
    for lane in 0..8 {
        let [in0, in1, in2, in3, in4, in5, in6, in7] =
            [r0[lane], r1[lane], r2[lane], r3[lane], r4[lane], r5[lane], r6[lane], r7[lane]];
        let wide = |v: i16| i32::from(v);

        let (z2, z3) = (wide(in2), wide(in6));
        let even2 = z2 * F_0_541 + z3 * (F_0_541 - F_1_847);
        let even3 = z2 * (F_0_541 + F_0_765) + z3 * F_0_541;
        let even0 = wide(in0.wrapping_add(in4)) << CONST_BITS;
        let even1 = wide(in0.wrapping_sub(in4)) << CONST_BITS;
        let (t10, t13) = (even0 + even3, even0 - even3);
        let (t11, t12) = (even1 + even2, even1 - even2);

        let (z3, z4) = (wide(in7.wrapping_add(in3)), wide(in5.wrapping_add(in1)));
        let odd3 = z3 * (F_1_175 - F_1_961) + z4 * F_1_175;
        let odd4 = z3 * F_1_175 + z4 * (F_1_175 - F_0_390);
        let (a, b, c, d) = (wide(in7), wide(in5), wide(in3), wide(in1));
        let t0 = a * (F_0_298 - F_0_899) - d * F_0_899 + odd3;
        let t1 = b * (F_2_053 - F_2_562) - c * F_2_562 + odd4;
        let t2 = -b * F_2_562 + c * (F_3_072 - F_2_562) + odd3;
        let t3 = -a * F_0_899 + d * (F_1_501 - F_0_899) + odd4;

        let round = 1 << (SHIFT - 1);
        let down = |v: i32| saturate((v.wrapping_add(round)) >> SHIFT);
        rows[0][lane] = down(t10.wrapping_add(t3));
        rows[7][lane] = down(t10.wrapping_sub(t3));
        rows[1][lane] = down(t11.wrapping_add(t2));
        rows[6][lane] = down(t11.wrapping_sub(t2));
        rows[2][lane] = down(t12.wrapping_add(t1));
        rows[5][lane] = down(t12.wrapping_sub(t1));
        rows[3][lane] = down(t13.wrapping_add(t0));
        rows[4][lane] = down(t13.wrapping_sub(t0));
    }
}

#[inline(always)]
fn transpose(rows: &mut [Lanes; 8]) {
    let from = *rows;
    for (y, row) in rows.iter_mut().enumerate() {
        for (x, value) in row.iter_mut().enumerate() {
            *value = from[x][y];
        }
    }
}
