//! The weights of one linear layer.

use crate::{buffer::Aligned, dispatch::Layout, kernels::Kernels, pack, range::Magnitudes};

/// Weights of one linear layer `[n, k]`, in panels of `layout.columns` columns: element (k, column) of
/// panel p at `(p * K + k) * columns + column`. The last panel is padded with zeros.
#[derive(Debug)]
pub struct Linear {
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) panels: Panels,
    /// Padded to whole panels; zeros if the layer has no bias.
    pub(crate) bias: Aligned<f32>,
    /// Of weights and bias.
    pub(crate) magnitudes: [Magnitudes; 2],
    /// Of the kernels that can multiply with it.
    pub(crate) layout: Layout,
}

/// f16 only where every weight survives the round trip: widening is exact, so the bits of the
/// results do not depend on the storage.
#[derive(Debug)]
pub(crate) enum Panels {
    F32(Aligned<f32>),
    F16(Aligned<u16>),
}

impl Panels {
    /// Where `count` elements from `first` on would lie, also beyond the end, and their bytes.
    pub(crate) fn bytes(&self, first: usize, count: usize) -> (*const u8, usize) {
        match self {
            Panels::F32(p) => (p.as_ptr().wrapping_add(first).cast(), count * size_of::<f32>()),
            Panels::F16(p) => (p.as_ptr().wrapping_add(first).cast(), count * size_of::<u16>()),
        }
    }
}

impl Linear {
    /// Packs row-major `[n, k]` weights, as f16 if that pays for these kernels and none loses a
    /// bit by it; `row(i, out)` writes row i as f32. The bias is 0.
    pub fn pack(
        kernels: &Kernels,
        n: usize,
        k: usize,
        row: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Self {
        let narrow =
            if kernels.keeps_f16() { pack::lossless_f16(kernels, n, k, &row) } else { None };
        let panels = match narrow {
            Some(panels) => Panels::F16(panels),
            None => Panels::F32(pack::f32(kernels, n, k, row)),
        };
        let weights = match &panels {
            Panels::F16(_) => Magnitudes::F16,
            Panels::F32(panels) => Magnitudes::of(kernels.layout.watched, panels),
        };
        Linear::new(kernels, n, k, panels, weights)
    }

    /// Packs row-major `[n, k]` weights that are the bits of finite f16, as such; `row(i, out)` writes
    /// row i. The bias is 0.
    pub fn pack_f16(
        kernels: &Kernels,
        n: usize,
        k: usize,
        row: impl Fn(usize, &mut [u16]) + Sync,
    ) -> Self {
        let panels = Panels::F16(pack::f16(kernels, n, k, row));
        Linear::new(kernels, n, k, panels, Magnitudes::F16)
    }

    fn new(kernels: &Kernels, n: usize, k: usize, panels: Panels, weights: Magnitudes) -> Self {
        let bias = Aligned::zeroed(n.next_multiple_of(kernels.layout.columns));
        let magnitudes = [weights, Magnitudes::of(true, &bias)];
        Linear { n, k, panels, bias, magnitudes, layout: kernels.layout }
    }

    /// Sets the bias.
    ///
    /// # Panics
    /// It has not `n` values.
    #[must_use]
    pub fn with_bias(mut self, bias: &[f32]) -> Self {
        self.bias[..self.n].copy_from_slice(bias);
        self.magnitudes[1] = Magnitudes::of(true, bias);
        self
    }

    /// Width of the output.
    pub fn outputs(&self) -> usize {
        self.n
    }

    /// Width of the input.
    pub fn inputs(&self) -> usize {
        self.k
    }
}
