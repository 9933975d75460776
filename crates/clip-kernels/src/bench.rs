//! What the benchmarks measure: one linear layer, the micro-kernel alone, and the machine's fused multiply-add peak.

use crate::{
    Aligned, Epilogue, KernelError, KernelPath, Kernels, Linear, Rows,
    dispatch::Operation,
    tile::{Ahead, Chains, Init, Tile, Weights, tile},
};

/// Linear layers of one shape with their input, as the towers run them. Each interleaves the rows of one
/// layer: a layer that widens (the first of an MLP) those of the next as it writes them, any other but
/// one that narrows (the second, which finds them so) its own.
#[derive(Debug)]
pub struct LinearBench {
    kernels: Kernels,
    layers: Vec<Linear>,
    /// Which of them is next.
    turn: usize,
    x: Vec<f32>,
    rows: Rows,
    out: Vec<f32>,
    next: Rows,
}

impl LinearBench {
    /// `m` rows of `k` inputs to `n` outputs, with weights that fit f16. With several `layers` in turns, the
    /// weights of one are no longer in the core's own cache when its turn comes again, as in a tower.
    ///
    /// # Errors
    /// This machine cannot run the path.
    pub fn new(
        path: KernelPath,
        (m, n, k): (usize, usize, usize),
        layers: usize,
    ) -> Result<Self, KernelError> {
        let kernels = Kernels::new(path)?;
        let value = |i: usize| ((i * 37) % 64) as f32 / 64.0 - 0.5;
        let layer = |_| {
            Linear::pack(&kernels, n, k, |row, out| {
                out.iter_mut().enumerate().for_each(|(i, w)| *w = value(row + i));
            })
        };
        let layers = (0..layers).map(layer).collect();
        let x: Vec<f32> = (0..m * k).map(|i| value(i * 3)).collect();
        let [mut rows, next] = [Rows::empty(), Rows::empty()];
        rows.pack(&kernels, &x, m, k, k);
        Ok(LinearBench { kernels, layers, turn: 0, x, rows, out: vec![0.0; m * n], next })
    }

    /// Floating-point operations of one run.
    pub fn flops(&self) -> usize {
        2 * self.out.len() * self.layers[0].inputs()
    }

    /// One forward pass of the next layer.
    pub fn run(&mut self) -> f32 {
        let LinearBench { kernels, layers, turn, x, rows, out, next } = self;
        let layer = &layers[*turn];
        *turn = (*turn + 1) % layers.len();
        let (n, k) = (layer.outputs(), layer.inputs());
        if n > k {
            layer.forward_rows(kernels, rows, Epilogue::Store, next);
            return next.packed[0];
        }
        if n == k {
            rows.pack(kernels, x, x.len() / k, k, k);
        }
        layer.forward(kernels, rows, Epilogue::Store, out);
        out[0]
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

/// Steps of one run of [`TileBench`], at least.
const TILE_STEPS: usize = 1 << 15;

/// The micro-kernel on full tiles of rows that pass by the same block of weights, over and over: what a
/// layer could reach if it did nothing else, and waited for no memory beyond the caches that hold these.
#[derive(Debug)]
pub struct TileBench {
    kernels: Kernels,
    depth: usize,
    /// Tiles `[depth][rows of the tile]`.
    rows: Aligned<f32>,
    weights: Aligned<f32>,
    sums: Aligned<f32>,
}

impl TileBench {
    /// So many of the `tiles` that images use, and chains of `depth` steps.
    ///
    /// # Errors
    /// This machine cannot run the path.
    pub fn new(path: KernelPath, (tiles, depth): (usize, usize)) -> Result<Self, KernelError> {
        let kernels = Kernels::new(path)?;
        let (r, columns) = (kernels.layout.rows, kernels.layout.columns);
        let mut rows = Aligned::zeroed(tiles * depth * r);
        let mut weights = Aligned::zeroed(depth * columns);
        // Not zeros: a unit that multiplies those draws less power, and runs faster for it.
        for values in [&mut rows, &mut weights] {
            values
                .iter_mut()
                .enumerate()
                .for_each(|(i, v)| *v = ((i * 37) % 64) as f32 / 64.0 - 0.5);
        }
        Ok(TileBench { kernels, depth, rows, weights, sums: Aligned::zeroed(r * columns) })
    }

    /// How often the tiles pass in one run.
    fn passes(&self) -> usize {
        TILE_STEPS.div_ceil((self.rows.len() / self.kernels.layout.rows).max(1))
    }

    /// Floating-point operations of one run.
    pub fn flops(&self) -> usize {
        2 * self.passes() * self.rows.len() * self.kernels.layout.columns
    }

    /// Some hundred tiles, or a few deep ones.
    pub fn run(&mut self) -> f32 {
        let kernels = self.kernels;
        kernels.run(Tiles(self));
        self.sums[0]
    }
}

struct Tiles<'a>(&'a mut TileBench);

impl Operation for Tiles<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Tile, const MR: usize, const C: usize>(self, isa: I) {
        let passes = self.0.passes();
        let TileBench { kernels, depth, rows, weights, sums } = self.0;
        let r = kernels.layout.rows;
        let weights = Weights::F32(weights.as_ptr());
        for _ in 0..passes {
            for tile_rows in rows.chunks_exact(*depth * r) {
                let chains = Chains {
                    depth: *depth,
                    a: tile_rows.as_ptr(),
                    init: Init::Parked,
                    dst: sums.as_mut_ptr(),
                    normal: true,
                    ahead: Ahead::nothing(tile_rows.as_ptr()),
                };
                // SAFETY: rows, weights and sums of one tile of this path, made by `TileBench::new`.
                unsafe { tile::<I, MR, C>(isa, r, weights, chains) };
            }
        }
    }
}
