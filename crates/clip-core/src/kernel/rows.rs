//! The rows of a matrix product, interleaved as the micro-kernel reads them.

use super::{
    Kernels, LayerNorm,
    buffer::{Aligned, Shared},
    isa::{Element, Isa},
    linear::scratch,
    norm, par,
    range::Magnitudes,
};

/// Input rows `[m, k]`, interleaved for the micro-kernel: tiles of up to `kernels.rows` rows
/// (`kernels.alone` if there is one), of equal height but for one; tile t with r rows starting at row s is `[k][r]` at `s * k`.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) m: usize,
    pub(crate) k: usize,
    tiles: usize,
    pub(super) packed: Aligned<f32>,
    pub(super) magnitudes: Magnitudes,
}

impl Rows {
    pub(crate) fn empty() -> Self {
        let packed = Aligned::zeroed(0);
        Rows { m: 0, k: 0, tiles: 0, packed, magnitudes: Magnitudes::UNKNOWN }
    }

    /// Interleaves `m` rows of `x`, in place of what was there; row i starts at `i * stride`.
    pub(crate) fn pack(&mut self, kernels: &Kernels, x: &[f32], m: usize, k: usize, stride: usize) {
        assert!(m == 0 || (m - 1) * stride + k <= x.len(), "input shape");
        self.fill(kernels, m, k, 4, |start, height, out| {
            kernels.transpose(&x[start * stride..], stride, height, out, height);
        });
    }

    /// Interleaves the normalised rows of `x` (`[m, k]`, contiguous), which stays as it is.
    pub(crate) fn pack_normed(&mut self, kernels: &Kernels, norm: &LayerNorm, x: &[f32]) {
        let k = norm.n;
        assert_eq!(x.len() % k, 0, "whole rows");
        self.fill(kernels, x.len() / k, k, norm::COST, |start, height, out| {
            scratch(|buffers| {
                buffers.wide.grow(height * k);
                let normed = &mut buffers.wide[..height * k];
                normed.copy_from_slice(&x[start * k..][..height * k]);
                normed.chunks_exact_mut(k).for_each(|row| norm.row(kernels, row));
                kernels.transpose(normed, k, height, out, height);
            });
        });
    }

    /// Calls `fill(first row, height, out)` for every tile; `cost` per element.
    fn fill(
        &mut self,
        kernels: &Kernels,
        m: usize,
        k: usize,
        cost: usize,
        fill: impl Fn(usize, usize, &mut [f32]) + Sync,
    ) {
        let tiles = if m <= kernels.alone { m.min(1) } else { m.div_ceil(kernels.rows) };
        (self.m, self.k, self.tiles) = (m, k, tiles);
        self.packed.grow(m * k);
        let packed = Shared(self.packed.as_mut_ptr());
        let shape = &*self;
        par::for_each(shape.tiles, cost * k * kernels.rows, |tile| {
            let (start, height) = shape.tile(tile);
            // SAFETY: tiles are disjoint ranges of `packed`, which outlives for_each.
            let out =
                unsafe { std::slice::from_raw_parts_mut(packed.ptr().add(start * k), height * k) };
            fill(start, height, out);
        });
        self.magnitudes = Magnitudes::of(kernels.watched, &self.packed[..m * k]);
    }

    pub(super) fn tiles(&self) -> usize {
        self.tiles
    }

    /// First row and height of a tile.
    pub(super) fn tile(&self, tile: usize) -> (usize, usize) {
        tile_of(self.m, self.tiles, tile)
    }
}

/// Splits m rows evenly over `tiles`: (first row, height).
#[inline(always)]
pub(super) fn tile_of(m: usize, tiles: usize, tile: usize) -> (usize, usize) {
    let (base, extra) = (m / tiles, m % tiles);
    (tile * base + tile.min(extra), base + usize::from(tile < extra))
}

/// `out[k * width + r] = x[r * stride + k]` for `height <= width` rows, as many k as `out` holds.
///
/// # Safety
/// The CPU has `I`.
#[inline(always)]
pub(super) unsafe fn transpose<I: Isa, T: Element<I>>(
    x: &[T],
    stride: usize,
    height: usize,
    out: &mut [T],
    width: usize,
) {
    let k = out.len() / width;
    assert!(0 < height && height <= width && (height - 1) * stride + k <= x.len(), "shapes");
    let whole = if height < T::N { 0 } else { k / T::N * T::N };
    for kk in (0..whole).step_by(T::N) {
        // The last block of rows may overlap the one before.
        for r in (0..height).step_by(T::N).map(|r| r.min(height - T::N)) {
            // SAFETY: rows r..r+N and columns kk..kk+N are inside `x` and `out` (asserted).
            unsafe {
                let from = x.as_ptr().add(r * stride + kk);
                T::transpose(from, stride, out.as_mut_ptr().add(kk * width + r), width);
            }
        }
    }
    for (kk, out) in out.chunks_exact_mut(width).enumerate().skip(whole) {
        out[..height].iter_mut().enumerate().for_each(|(r, out)| *out = x[r * stride + kk]);
    }
}
