//! What the benchmarks measure: one linear layer, and the machine's fused multiply-add peak.

use crate::{
    Epilogue, KernelError, KernelPath, Kernels, Linear, Rows, dispatch::Operation, tile::Tile,
};

/// A linear layer with its input, as the towers run it: rows are interleaved in every run.
#[derive(Debug)]
pub struct LinearBench {
    kernels: Kernels,
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
    pub fn new(path: KernelPath, m: usize, n: usize, k: usize) -> Result<Self, KernelError> {
        let kernels = Kernels::new(path)?;
        let value = |i: usize| ((i * 37) % 64) as f32 / 64.0 - 0.5;
        let layer = Linear::pack(&kernels, n, k, |row, out| {
            out.iter_mut().enumerate().for_each(|(i, w)| *w = value(row + i));
        });
        let x = (0..m * k).map(|i| value(i * 3)).collect();
        Ok(LinearBench { kernels, layer, x, rows: Rows::empty(), out: vec![0.0; m * n] })
    }

    /// Floating-point operations of one run.
    pub fn flops(&self) -> usize {
        2 * self.out.len() * self.layer.inputs()
    }

    /// One forward pass.
    pub fn run(&mut self) -> f32 {
        let k = self.layer.inputs();
        self.rows.pack(&self.kernels, &self.x, self.x.len() / k, k, k);
        self.layer.forward(&self.kernels, &self.rows, Epilogue::Store, &mut self.out);
        self.out[0]
    }
}

const PEAK_CHAINS: usize = 10;
const PEAK_STEPS: usize = 100_000;

/// Floating-point operations of one [`fma_peak`] call.
///
/// # Errors
/// This machine cannot run the path.
pub fn peak_flops(path: KernelPath) -> Result<usize, KernelError> {
    Ok(2 * PEAK_CHAINS * PEAK_STEPS * Kernels::new(path)?.layout.lanes)
}

/// Independent chains of fused multiply-adds in registers: as fast as one core can go.
///
/// # Errors
/// This machine cannot run the path.
pub fn fma_peak(path: KernelPath) -> Result<f32, KernelError> {
    let (x, y) = (std::hint::black_box(0.999), std::hint::black_box(0.001));
    Ok(Kernels::new(path)?.run(Peak(x, y)))
}

struct Peak(f32, f32);

impl Operation for Peak {
    type Output = f32;

    #[inline(always)]
    fn run<I: Tile, const MR: usize, const C: usize>(self, isa: I) -> f32 {
        let (x, y) = (isa.splat(self.0), isa.splat(self.1));
        let mut acc = [y; PEAK_CHAINS];
        for _ in 0..PEAK_STEPS {
            for a in &mut acc {
                *a = isa.fma(*a, x, y);
            }
        }
        let sum = acc.into_iter().fold(y, |s, a| isa.add(s, a));
        let mut out = [0.0f32; 16];
        isa.store(&mut out, sum);
        out[0]
    }
}
