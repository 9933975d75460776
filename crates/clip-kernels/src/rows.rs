//! The rows of a matrix product, interleaved as the micro-kernel reads them.

use crate::{
    buffer::{Aligned, Shared},
    dispatch::Layout,
    kernels::Kernels,
    layer_norm::{self, LayerNorm},
    par,
    range::Magnitudes,
    scratch::scratch,
    stages::{Stage, clock},
};

/// Input rows `[m, k]`, interleaved for the micro-kernel.
#[derive(Debug)]
pub struct Rows {
    pub(crate) m: usize,
    pub(crate) k: usize,
    /// Of up to `layout.rows` rows (`layout.alone` if there is one), of equal height but for one;
    /// tile t with r rows starting at row s is `[k][r]` at `s * k`.
    tiles: usize,
    pub(crate) packed: Aligned<f32>,
    pub(crate) magnitudes: Magnitudes,
    /// Of the kernels that can multiply them; `None` as long as there are no rows.
    pub(crate) layout: Option<Layout>,
}

impl Rows {
    /// No rows yet.
    pub fn empty() -> Self {
        let packed = Aligned::zeroed(0);
        Rows { m: 0, k: 0, tiles: 0, packed, magnitudes: Magnitudes::UNKNOWN, layout: None }
    }

    /// Interleaves `m` rows of `x`, in place of what was there; row i starts at `i * stride`.
    ///
    /// # Panics
    /// `x` holds fewer rows.
    pub fn pack(&mut self, kernels: &Kernels, x: &[f32], m: usize, k: usize, stride: usize) {
        assert!(m == 0 || (m - 1) * stride + k <= x.len(), "input shape");
        self.fill(kernels, m, k, 4, |start, height, out| {
            let _clock = clock(Stage::Rows);
            kernels.transpose(&x[start * stride..], stride, height, out, height);
        });
    }

    /// Interleaves the normalised rows of `x` (`[m, k]`, contiguous), which stays as it is.
    ///
    /// # Panics
    /// `x` is no whole number of rows.
    pub fn pack_normed(&mut self, kernels: &Kernels, norm: &LayerNorm, x: &[f32]) {
        let k = norm.n;
        assert_eq!(x.len() % k, 0, "whole rows");
        self.fill(kernels, x.len() / k, k, layer_norm::COST, |start, height, out| {
            let _clock = clock(Stage::Norm);
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
        self.write(kernels, m, k, |shape, packed| {
            par::for_each(shape.tiles, cost * k * kernels.layout.rows, |tile| {
                let (start, height) = shape.tile(tile);
                // SAFETY: tiles are disjoint ranges of `packed`, which outlives for_each.
                let out = unsafe {
                    std::slice::from_raw_parts_mut(packed.ptr().add(start * k), height * k)
                };
                fill(start, height, out);
            });
        });
    }

    /// Takes the shape of `m` rows, in place of what was there; `write` writes their elements.
    pub(crate) fn write(
        &mut self,
        kernels: &Kernels,
        m: usize,
        k: usize,
        write: impl FnOnce(&Self, Shared<f32>),
    ) {
        let tiles =
            if m <= kernels.layout.alone { m.min(1) } else { m.div_ceil(kernels.layout.rows) };
        (self.m, self.k, self.tiles) = (m, k, tiles);
        self.layout = Some(kernels.layout);
        self.packed.grow(m * k);
        let packed = Shared(self.packed.as_mut_ptr());
        write(self, packed);
        self.magnitudes = Magnitudes::of(kernels.layout.watched, &self.packed[..m * k]);
    }

    pub(crate) fn tiles(&self) -> usize {
        self.tiles
    }

    /// First row and height of a tile.
    pub(crate) fn tile(&self, tile: usize) -> (usize, usize) {
        tile_of(self.m, self.tiles, tile)
    }
}

/// Splits m rows evenly over `tiles`: (first row, height).
#[inline(always)]
pub(crate) fn tile_of(m: usize, tiles: usize, tile: usize) -> (usize, usize) {
    let (base, extra) = (m / tiles, m % tiles);
    (tile * base + tile.min(extra), base + usize::from(tile < extra))
}
