//! aarch64 NEON: 4 lanes, `fmla`. NEON is part of the architecture's baseline.

use std::arch::aarch64::*;

use crate::{
    isa::{Isa, operations},
    tile::Tile,
};

#[derive(Debug, Clone, Copy)]
pub(crate) struct Neon(());

impl Tile for Neon {}

impl Isa for Neon {
    type V = float32x4_t;
    type Widen = ();
    const LANES: usize = 4;

    operations! {
        load = vld1q_f32; store = vst1q_f32; splat = vdupq_n_f32;
        add(a, b) = vaddq_f32;
        sub(a, b) = vsubq_f32;
        mul(a, b) = vmulq_f32;
        div(a, b) = vdivq_f32;
    }

    fn detect() -> Option<Self> {
        Some(Neon(()))
    }

    #[inline(always)]
    fn widen(self) {}
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: NEON is baseline.
        unsafe { vfmaq_f32(c, a, b) }
    }
    #[inline(always)]
    fn select_gt(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
        // SAFETY: NEON is baseline.
        unsafe { vbslq_f32(vcgtq_f32(a, b), x, y) }
    }
    #[inline(always)]
    fn pow2_of_magic(self, t: Self::V) -> Self::V {
        // SAFETY: NEON is baseline.
        unsafe {
            let shifted = vshlq_n_s32::<23>(vreinterpretq_s32_f32(t));
            vreinterpretq_f32_s32(vaddq_s32(shifted, vdupq_n_s32(0x3F80_0000)))
        }
    }
}
