//! The inverse DCT of libjpeg-turbo's vector code (`jidctint-avx2.asm`), which Pillow runs on x86.
//!
//! For coefficients that a photograph has it is `jidctint.c`. Where damaged data overflows, it wraps and
//! saturates at 16 bits, and so does this: the same bits on every target, without an instruction set.

use clip_kernels::transpose_8x8;

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

/// 8 rows of 8.
type Block = [i16; 64];

/// Dequantizes and transforms a block; writes 8 rows of 8 samples, `stride` apart.
#[inline(always)]
pub(super) fn idct(block: &Block, quantizers: &Block, out: &mut [u8], stride: usize) {
    if block[1..].iter().all(|c| *c == 0) {
        // Only the mean: what the two passes below make of it.
        let mean = i32::from(block[0].wrapping_mul(quantizers[0]) << PASS1_BITS);
        let value = sample(saturate(((mean << CONST_BITS) + (1 << 17)) >> 18));
        for row in out.chunks_mut(stride).take(8) {
            row[..8].fill(value);
        }
        return;
    }
    let mut values = [0; 64];
    for ((value, c), q) in values.iter_mut().zip(block).zip(quantizers) {
        *value = c.wrapping_mul(*q);
    }
    if block[8..].iter().all(|c| *c == 0) {
        values = std::array::from_fn(|i| values[i % 8] << PASS1_BITS);
    } else {
        values = pass::<{ CONST_BITS - PASS1_BITS }>(&values);
    }
    values = transpose_8x8(&values);
    values = pass::<{ CONST_BITS + PASS1_BITS + 3 }>(&values);
    let samples = transpose_8x8(&values).map(sample);
    for (row, samples) in out.chunks_mut(stride).zip(samples.as_chunks::<8>().0) {
        row[..8].copy_from_slice(samples);
    }
}

#[inline(always)]
fn saturate(value: i32) -> i16 {
    value.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

#[inline(always)]
fn sample(value: i16) -> u8 {
    (value.clamp(-128, 127) + 128) as u8
}

/// One dimension, on eight columns at once.
#[inline(always)]
fn pass<const SHIFT: u32>(from: &Block) -> Block {
    let mut to = [0; 64];
    for lane in 0..8 {
        let at = |row: usize| from[8 * row + lane];
        let wide = |row: usize| i32::from(at(row));

        let (z2, z3) = (wide(2), wide(6));
        let even2 = z2 * F_0_541 + z3 * (F_0_541 - F_1_847);
        let even3 = z2 * (F_0_541 + F_0_765) + z3 * F_0_541;
        let even0 = i32::from(at(0).wrapping_add(at(4))) << CONST_BITS;
        let even1 = i32::from(at(0).wrapping_sub(at(4))) << CONST_BITS;
        let (t10, t13) = (even0 + even3, even0 - even3);
        let (t11, t12) = (even1 + even2, even1 - even2);

        let z3 = i32::from(at(7).wrapping_add(at(3)));
        let z4 = i32::from(at(5).wrapping_add(at(1)));
        let odd3 = z3 * (F_1_175 - F_1_961) + z4 * F_1_175;
        let odd4 = z3 * F_1_175 + z4 * (F_1_175 - F_0_390);
        let (a, b, c, d) = (wide(7), wide(5), wide(3), wide(1));
        let t0 = a * (F_0_298 - F_0_899) - d * F_0_899 + odd3;
        let t1 = b * (F_2_053 - F_2_562) - c * F_2_562 + odd4;
        let t2 = -b * F_2_562 + c * (F_3_072 - F_2_562) + odd3;
        let t3 = -a * F_0_899 + d * (F_1_501 - F_0_899) + odd4;

        let sums = [(t10, t3), (t11, t2), (t12, t1), (t13, t0)];
        for (row, (even, odd)) in sums.into_iter().enumerate() {
            let down = |v: i32| saturate(v.wrapping_add(1 << (SHIFT - 1)) >> SHIFT);
            to[8 * row + lane] = down(even.wrapping_add(odd));
            to[8 * (7 - row) + lane] = down(even.wrapping_sub(odd));
        }
    }
    to
}
