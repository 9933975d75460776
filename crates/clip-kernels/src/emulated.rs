//! The micro-kernel of machines without a fused multiply-add: exact all the same, in f64 pairs.
//!
//! A step is `s = x * w + acc` in f64, then `s` rounded to the 24 bits of an f32. The product of two f32
//! is exact in f64, so `s` is the exact value rounded once, to f64. Rounding that a second time gives
//! another result than rounding the exact value only where `s` is a midpoint between neighbouring f32:
//! rounding to f64 is monotonic and midpoints are f64, so any other `s` lies on the exact value's side of
//! all of them. Two things are therefore watched:
//!
//! - **Midpoints** of normal f32 are the `s` whose low 29 bits are `1 << 28`. All steps of a chunk are
//!   looked at together, and a chunk with one is computed again, step by step ([`Isa::fma`](crate::isa::Isa::fma)). (With
//!   weights of 11 bits about one in a hundred is, nearly always for nothing: the sum was exact.)
//! - **Range.** The second rounding is Veltkamp's splitting, `t - (t - s)` with `t = (2^29 + 1) s`: three
//!   operations, the nearest value of 24 bits wherever there is one nearest (Boldo, "Pitfalls of a full
//!   floating-point proof", 2006), with no regard to the exponents of f32. [`range`](crate::range)
//!   rules out, from the operands of whole chains, sums that are denormal or too large for f32. Where it
//!   cannot, they go step by step: infinities, NaN and all.

use crate::tile::{Chains, F16, F32, Init, Tile, WIDEN};

/// What the chunks are computed with: pairs of f64.
pub(crate) trait Pairs: Tile {
    type Pair: Copy;
    /// What is known about the midpoints among the sums so far.
    type Doubt: Copy;
    /// Constants, in registers.
    type Held: Copy;

    fn held(self) -> Self::Held;

    /// Widens two floats.
    ///
    /// # Safety
    /// `p` is valid for reads of both.
    unsafe fn load_pair(self, p: *const f32) -> Self::Pair;
    /// Widens two f16 values.
    ///
    /// # Safety
    /// `p` is valid for reads of both.
    unsafe fn load_pair_f16(self, p: *const u16, widen: Self::Widen) -> Self::Pair;
    /// Writes two floats.
    ///
    /// # Safety
    /// `p` is valid for writes of both.
    unsafe fn store_pair(self, p: *mut f32, pair: Self::Pair);
    fn splat_pair(self, x: f32) -> Self::Pair;
    /// `x * w + acc`, rounded to f64.
    fn step(self, x: Self::Pair, w: Self::Pair, acc: Self::Pair) -> Self::Pair;
    /// Rounds to 24 bits.
    fn round(self, sum: Self::Pair, held: Self::Held) -> Self::Pair;
    fn no_doubt(self) -> Self::Doubt;
    /// Takes note of sums whose low 29 bits are those of a midpoint.
    fn note(self, doubt: Self::Doubt, sum: Self::Pair, held: Self::Held) -> Self::Doubt;
    fn doubtful(self, doubt: Self::Doubt) -> bool;
}

/// `2^29 + 1`: splits the 24 bits of an f32 from the 53 of an f64.
pub(crate) const SPLIT: f64 = 536_870_913.0;
/// Steps between two looks at the doubts. Starting anew costs four instructions per pair, repeating
/// more, the longer a chunk is.
const CHUNK: usize = 16;

/// As `tile::fixed`.
///
/// # Safety
/// As for `tile::fixed`.
#[inline(always)]
pub(crate) unsafe fn fixed<I: Pairs, const R: usize, const C: usize, const FROM: u8>(
    isa: I,
    mut b: *const u8,
    mut wide: *mut f32,
    chains: Chains,
) {
    let Chains { depth, mut a, mut init, dst, normal, .. } = chains;
    let nr = C * I::LANES;
    let step = nr * if FROM == F32 { size_of::<f32>() } else { size_of::<u16>() };
    // SAFETY: all accesses stay inside the extents the caller guarantees.
    unsafe {
        for start in (0..depth).step_by(CHUNK) {
            let steps = CHUNK.min(depth - start);
            if FROM == WIDEN {
                let widen = isa.widen();
                for i in (0..steps * nr).step_by(I::LANES) {
                    isa.store_ptr(wide.add(i), isa.load_f16(b.cast::<u16>().add(i), widen));
                }
                if !(normal && chunk::<I, R, C, F32>(isa, steps, a, wide.cast(), init, dst)) {
                    slowly::<I, C, F32>(isa, R, steps, a, wide.cast(), init, dst);
                }
                wide = wide.add(steps * nr);
            } else if !(normal && chunk::<I, R, C, FROM>(isa, steps, a, b, init, dst)) {
                slowly::<I, C, FROM>(isa, R, steps, a, b, init, dst);
            }
            (a, b) = (a.add(steps * R), b.add(steps * step));
            init = Init::Parked;
        }
    }
}

/// Some steps of a tile, each rounded with care. Small, since it is seldom needed.
///
/// # Safety
/// As for `tile::fixed`, for `rows` rows; FROM is not `WIDEN`.
#[cold]
#[inline(never)]
unsafe fn slowly<I: Pairs, const C: usize, const FROM: u8>(
    isa: I,
    rows: usize,
    steps: usize,
    a: *const f32,
    b: *const u8,
    init: Init,
    dst: *mut f32,
) {
    let nr = C * I::LANES;
    // SAFETY: all accesses stay inside the extents the caller guarantees.
    unsafe {
        let widen = isa.widen();
        for (row, c) in (0..rows).flat_map(|row| (0..C).map(move |c| (row, c * I::LANES))) {
            let to = dst.add(row * nr + c);
            let mut acc = match init {
                Init::Bias(bias) => isa.load_ptr(bias.add(c)),
                Init::Parked => isa.load_ptr(to),
            };
            for k in 0..steps {
                let w = match FROM {
                    F16 => isa.load_f16(b.cast::<u16>().add(k * nr + c), widen),
                    _ => isa.load_ptr(b.cast::<f32>().add(k * nr + c)),
                };
                acc = isa.fma(isa.splat(*a.add(k * rows + row)), w, acc);
            }
            isa.store_ptr(to, acc);
        }
    }
}

/// Some steps of a tile. False if a sum may be a midpoint: nothing has been written then. Not inlined,
/// so that a browser's module has each shape once, whether the weights were f32 or are now.
///
/// # Safety
/// As for `tile::fixed`; FROM is not `WIDEN`.
#[inline(never)]
unsafe fn chunk<I: Pairs, const R: usize, const C: usize, const FROM: u8>(
    isa: I,
    steps: usize,
    mut a: *const f32,
    mut b: *const u8,
    init: Init,
    dst: *mut f32,
) -> bool {
    let nr = C * I::LANES;
    // SAFETY: all accesses stay inside the extents the caller guarantees; LANES is 4.
    unsafe {
        let zero = isa.splat_pair(0.0);
        let mut acc = [[[zero; 2]; C]; R];
        for (r, acc) in acc.iter_mut().enumerate() {
            for (c, acc) in acc.as_flattened_mut().iter_mut().enumerate() {
                *acc = match init {
                    Init::Bias(bias) => isa.load_pair(bias.add(2 * c)),
                    Init::Parked => isa.load_pair(dst.add(r * nr + 2 * c)),
                };
            }
        }
        let (widen, held) = (isa.widen(), isa.held());
        let mut doubt = isa.no_doubt();
        for _ in 0..steps {
            let mut w = [[zero; 2]; C];
            for (c, w) in w.as_flattened_mut().iter_mut().enumerate() {
                *w = match FROM {
                    F16 => isa.load_pair_f16(b.cast::<u16>().add(2 * c), widen),
                    _ => isa.load_pair(b.cast::<f32>().add(2 * c)),
                };
            }
            for (r, acc) in acc.iter_mut().enumerate() {
                let x = isa.splat_pair(*a.add(r));
                for (acc, w) in acc.as_flattened_mut().iter_mut().zip(w.as_flattened()) {
                    let sum = isa.step(x, *w, *acc);
                    doubt = isa.note(doubt, sum, held);
                    *acc = isa.round(sum, held);
                }
            }
            a = a.add(R);
            b = b.add(nr * if FROM == F32 { size_of::<f32>() } else { size_of::<u16>() });
        }
        if isa.doubtful(doubt) {
            return false;
        }
        for (r, acc) in acc.iter().enumerate() {
            for (c, acc) in acc.as_flattened().iter().enumerate() {
                isa.store_pair(dst.add(r * nr + 2 * c), *acc);
            }
        }
    }
    true
}
