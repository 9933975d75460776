//! The micro-kernel.

use crate::isa::Isa;

/// `body` for each `index` below `count` (at most 14), one after the other: accumulators stay in registers
/// only if each index is a constant, and a compiler that is left to unroll loops stops doing so with the
/// next change around them.
macro_rules! unrolled {
    ($index:ident < $count:ident, $body:block) => {
        unrolled!($index < $count, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13)
    };
    ($index:ident < $count:ident, $body:block, $($n:literal)*) => {
        $(if $n < $count {
            let $index: usize = $n;
            $body;
        })*
    };
}

/// An instruction set with its micro-kernel.
pub(crate) trait Tile: Isa {
    /// Whether [`Tile::tile`] does other work where all sums are known to be normal.
    const WATCHED: bool = false;

    /// `acc[c] = fma(x, w[c], acc[c])`: what a row does in a step.
    #[inline(always)]
    fn row<const C: usize>(self, x: Self::V, w: &[Self::V; C], acc: &mut [Self::V; C]) {
        unrolled!(c < C, { acc[c] = self.fma(x, w[c], acc[c]) });
    }

    /// The micro-kernel of a fixed height: [`fixed`], or what does the same faster.
    ///
    /// # Safety
    /// As for [`fixed`].
    #[inline(always)]
    unsafe fn tile<const R: usize, const C: usize, const FROM: u8>(
        self,
        b: *const u8,
        wide: *mut f32,
        chains: Chains,
    ) {
        // SAFETY: the caller's guarantees are the same.
        unsafe { fixed::<Self, R, C, FROM>(self, b, wide, chains) }
    }
}

/// The chains of a tile of `r` rows, all but their weights.
#[derive(Clone, Copy)]
pub(crate) struct Chains {
    /// Steps.
    pub(crate) depth: usize,
    /// The rows, `[depth][r]`.
    pub(crate) a: *const f32,
    pub(crate) init: Init,
    /// Where they end, `[r][C * LANES]`.
    pub(crate) dst: *mut f32,
    /// [`range::normal`](crate::range::normal) of them.
    #[allow(dead_code)] // read where the fused operation is emulated
    pub(crate) normal: bool,
    pub(crate) ahead: Ahead,
}

/// What a tile asks the memory for, a step at a time.
#[derive(Clone, Copy)]
pub(crate) struct Ahead {
    /// Where; need not be a valid address.
    from: *const u8,
    /// Bytes per step.
    step: usize,
}

impl Ahead {
    /// Nothing that is not there: a look at `near`, where the tile reads anyway.
    pub(crate) fn nothing(near: *const f32) -> Self {
        Ahead { from: near.cast(), step: 0 }
    }

    /// One of `parts` equal parts of the `bytes` at `from`, within `depth` steps.
    pub(crate) fn part(
        from: *const u8,
        bytes: usize,
        depth: usize,
        part: usize,
        parts: usize,
    ) -> Self {
        let share = bytes.div_ceil(parts);
        Ahead { from: from.wrapping_add(part * share), step: share.div_ceil(depth) }
    }
}

/// Where a tile's accumulators come from.
#[derive(Clone, Copy)]
pub(crate) enum Init {
    /// One value per column, the same for all rows.
    Bias(*const f32),
    /// Where the previous k block left them.
    Parked,
}

/// A block of a panel, `[depth][C * LANES]`.
#[derive(Clone, Copy)]
pub(crate) enum Weights {
    F32(*const f32),
    F16(*const u16),
    /// Leaves the block behind as f32, for the tiles that follow.
    Widen {
        from: *const u16,
        to: *mut f32,
    },
}

/// [`Weights`] as a constant.
pub(crate) const F32: u8 = 0;
pub(crate) const F16: u8 = 1;
pub(crate) const WIDEN: u8 = 2;

/// `r` rows by C vectors, one chain per lane; heights above MR are compiled out.
///
/// # Safety
/// `1 <= r <= MR`; `b` and `chains` hold what they say, a bias `C * LANES` floats.
#[inline(always)]
pub(crate) unsafe fn tile<I: Tile, const MR: usize, const C: usize>(
    isa: I,
    r: usize,
    b: Weights,
    chains: Chains,
) {
    macro_rules! heights {
        ($from:ident, $b:expr, $wide:expr) => {
            heights!($from, $b, $wide, 1 2 3 4 5 6 7 8 9 10 11 12 13 14)
        };
        ($from:ident, $b:expr, $wide:expr, $($h:literal)*) => {
            match r {
                // SAFETY: the caller's guarantees, with R = r.
                $($h if $h <= MR => unsafe {
                    isa.tile::<$h, C, $from>($b.cast(), $wide, chains)
                },)*
                _ => unreachable!("tiles have 1 to {MR} rows"),
            }
        };
    }
    match b {
        Weights::F32(b) => heights!(F32, b, std::ptr::null_mut()),
        Weights::F16(b) => heights!(F16, b, std::ptr::null_mut()),
        Weights::Widen { from, to } => heights!(WIDEN, from, to),
    }
}

/// Steps to a turn of the loop: fewer operations that only count and move pointers. Where the core is
/// shared with another hardware thread, which takes half of what it can issue, each of them costs time.
/// In browsers that was not measured.
const TURN: usize = if cfg!(target_arch = "wasm32") { 1 } else { 4 };
const ONE: usize = 1;
/// Bytes of a cache line, the most that one turn may ask the memory for.
const LINE: usize = 64;
/// Bytes from what is read of a block for the first time to what is asked for once more: nobody has asked for
/// a layer's first block, and who shares the core may have driven others from its cache.
const NEAR: usize = 2048;

/// [`tile`] of a height and a kind of weights known when compiled; `wide` is where [`WIDEN`] writes.
///
/// # Safety
/// As for [`tile`].
#[inline(always)]
pub(crate) unsafe fn fixed<I: Tile, const R: usize, const C: usize, const FROM: u8>(
    isa: I,
    mut b: *const u8,
    mut wide: *mut f32,
    chains: Chains,
) {
    let Chains { depth, mut a, init, dst, mut ahead, .. } = chains;
    let nr = C * I::LANES;
    let step = nr * if FROM == F32 { size_of::<f32>() } else { size_of::<u16>() };
    // SAFETY: all accesses stay inside the extents the caller guarantees.
    unsafe {
        let mut acc = [[isa.splat(0.0); C]; R];
        unrolled!(r < R, {
            unrolled!(c < C, {
                acc[r][c] = match init {
                    Init::Bias(bias) => isa.load_ptr(bias.add(c * I::LANES)),
                    Init::Parked => isa.load_ptr(dst.add(r * nr + c * I::LANES)),
                };
            });
        });
        let widen = isa.widen();
        // Pointers that move, and not an index: constant offsets from them cost wasm nothing.
        macro_rules! steps {
            ($count:ident) => {
                unrolled!(s < $count, {
                    let mut w = [isa.splat(0.0); C];
                    unrolled!(c < C, {
                        let at = s * nr + c * I::LANES;
                        w[c] = match FROM {
                            F32 => isa.load_ptr(b.cast::<f32>().add(at)),
                            _ => isa.load_f16(b.cast::<u16>().add(at), widen),
                        };
                        if FROM == WIDEN {
                            isa.store_ptr(wide.add(at), w[c]);
                        }
                    });
                    unrolled!(r < R, {
                        let x = isa.splat(*a.add(s * R + r));
                        isa.row(x, &w, &mut acc[r]);
                    });
                });
                (a, b) = (a.add($count * R), b.add($count * step));
                if FROM == WIDEN {
                    wide = wide.add($count * nr);
                }
                isa.prefetch(ahead.from);
                if FROM != F32 {
                    isa.prefetch(b.wrapping_add(NEAR));
                    if step > LINE {
                        isa.prefetch(b.wrapping_add(NEAR + step / 2));
                    }
                }
                ahead.from = ahead.from.wrapping_add($count * ahead.step);
            };
        }
        let mut left = depth;
        // Weights that are widened stay one step a turn: with more, accumulators leave the registers.
        if TURN > 1 && FROM == F32 && TURN * ahead.step <= LINE {
            while left >= TURN {
                steps!(TURN);
                left -= TURN;
            }
        }
        while left > 0 {
            steps!(ONE);
            left -= ONE;
        }
        unrolled!(r < R, {
            unrolled!(c < C, { isa.store_ptr(dst.add(r * nr + c * I::LANES), acc[r][c]) });
        });
    }
}
