//! LayerNorm over rows.

use crate::{
    buffer::Aligned,
    dispatch::Operation,
    kernels::Kernels,
    norm, par,
    stages::{Stage, clock},
    tile::Tile,
};

/// Rough operations per element.
pub(crate) const COST: usize = 16;

/// LayerNorm parameters, for rows of `gamma.len()` values.
///
/// ```
/// use clip_kernels::{Kernels, LayerNorm};
///
/// let norm = LayerNorm::new(&[1.0, 1.0], &[0.0, 0.5], 1e-5);
/// let mut rows = [3.0, 5.0, -1.0, 1.0];
/// norm.forward(&Kernels::fastest()?, &mut rows);
/// assert!((rows[0] + 1.0).abs() < 1e-4 && (rows[1] - 1.5).abs() < 1e-4);
/// assert_eq!(rows[..2], rows[2..], "only the distance to the mean counts");
/// # Ok::<(), clip_kernels::KernelError>(())
/// ```
#[derive(Debug)]
pub struct LayerNorm {
    pub(crate) n: usize,
    /// Padded to whole groups of 16, as `beta` is.
    gamma: Aligned<f32>,
    beta: Aligned<f32>,
    eps: f32,
}

impl LayerNorm {
    /// `gamma` (weight) and `beta` (bias) have one value per element of a row; `eps` is added to
    /// the variance.
    ///
    /// # Panics
    /// They differ in length.
    pub fn new(gamma: &[f32], beta: &[f32], eps: f32) -> Self {
        assert_eq!(gamma.len(), beta.len(), "LayerNorm shapes");
        let padded = |values: &[f32]| {
            let mut out = Aligned::zeroed(values.len().next_multiple_of(16));
            out[..values.len()].copy_from_slice(values);
            out
        };
        LayerNorm { n: gamma.len(), gamma: padded(gamma), beta: padded(beta), eps }
    }

    /// Normalises each row of `x`, in place.
    ///
    /// # Panics
    /// `x` is no whole number of rows.
    pub fn forward(&self, kernels: &Kernels, x: &mut [f32]) {
        assert_eq!(x.len() % self.n, 0, "whole rows");
        // Some rows per task: one is too little work to hand to a thread.
        const ROWS: usize = 16;
        let n = self.n;
        par::for_each_chunk(x, ROWS * n, ROWS * n * COST, |_, rows| {
            let _clock = clock(Stage::Norm);
            rows.chunks_exact_mut(n).for_each(|row| self.row(kernels, row));
        });
    }

    /// Normalises one row, in place.
    pub(crate) fn row(&self, kernels: &Kernels, row: &mut [f32]) {
        kernels.run(Row { row, norm: self });
    }
}

struct Row<'a> {
    row: &'a mut [f32],
    norm: &'a LayerNorm,
}

impl Operation for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Tile, const MR: usize, const C: usize>(self, isa: I) {
        let LayerNorm { gamma, beta, eps, .. } = self.norm;
        norm::layer_norm(isa, self.row, gamma, beta, *eps);
    }
}
