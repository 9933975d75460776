//! What the benchmarks measure: one linear layer, and the machine's fused multiply-add peak.

use super::{Epilogue, KernelError, Kernels, Linear, Path, Rows, isa::Isa};

/// A linear layer with its input, as the towers run it: rows are interleaved in every run.
#[derive(Debug)]
pub struct LinearBench {
    kernels: &'static Kernels,
    layer: Linear,
    x: Vec<f32>,
    rows: Rows,
    out: Vec<f32>,
}

impl LinearBench {
    /// `m` rows of `k` inputs to `n` outputs, with weights that fit f16.
    ///
    /// # Errors
    /// This machine cannot run the path.
    pub fn new(path: Path, m: usize, n: usize, k: usize) -> Result<Self, KernelError> {
        let kernels = path.kernels()?;
        let value = |i: usize| ((i * 37) % 64) as f32 / 64.0 - 0.5;
        let layer =
            Linear::pack(kernels, kernels.keeps_halves("visual_"), n, k, None, |row, out| {
                out.iter_mut().enumerate().for_each(|(i, w)| *w = value(row + i));
            });
        let x = (0..m * k).map(|i| value(i * 3)).collect();
        Ok(LinearBench { kernels, layer, x, rows: Rows::empty(), out: vec![0.0; m * n] })
    }

    /// Floating-point operations of one run.
    pub fn flops(&self) -> usize {
        2 * self.out.len() * self.layer.k
    }

    /// One forward pass.
    pub fn run(&mut self) -> f32 {
        let (k, m) = (self.layer.k, self.x.len() / self.layer.k);
        self.rows.pack(self.kernels, &self.x, m, k, k);
        self.layer.forward(self.kernels, &self.rows, Epilogue::Store, &mut self.out);
        self.out[0]
    }
}

/// Floating-point operations of one [`fma_peak`] call.
pub const PEAK_FLOPS: fn(Path) -> usize = |path| {
    let lanes = path.kernels().map_or(1, |k| k.lanes);
    2 * PEAK_CHAINS * PEAK_STEPS * lanes
};

const PEAK_CHAINS: usize = 10;
const PEAK_STEPS: usize = 100_000;

/// Independent chains of fused multiply-adds in registers: as fast as one core can go.
///
/// # Errors
/// This machine cannot run the path.
pub fn fma_peak(path: Path) -> Result<f32, KernelError> {
    let kernels = path.kernels()?;
    // SAFETY: `kernels` exists only where the CPU has the instruction set.
    Ok(unsafe { (kernels.peak)(std::hint::black_box(0.999), std::hint::black_box(0.001)) })
}

/// # Safety
/// The CPU has `I`.
#[inline(always)]
pub(super) unsafe fn peak<I: Isa>(x: f32, y: f32) -> f32 {
    // SAFETY: arithmetic on registers and one store of LANES <= 16 floats.
    unsafe {
        let (x, y) = (I::splat(x), I::splat(y));
        let mut acc = [y; PEAK_CHAINS];
        for _ in 0..PEAK_STEPS {
            for a in &mut acc {
                *a = I::fma(*a, x, y);
            }
        }
        let sum = acc.into_iter().fold(y, |s, a| I::add(s, a));
        let mut out = [0.0f32; 16];
        I::store(out.as_mut_ptr(), sum);
        out[0]
    }
}
