//! Matrix products in the contract's order.
//!
//! Each output element is one chain `acc = fma(x[m][k], w[n][k], acc)` over ascending k, starting
//! from the bias. Vectors run across output columns n. Rows are interleaved and weights packed in
//! panels beforehand, k is cut into blocks (accumulators wait in memory in between), and tasks
//! split m and n over threads: none of this changes the order of one chain.

use crate::{
    buffer::Shared,
    dispatch::Operation,
    exp,
    isa::Isa,
    kernels::Kernels,
    linear::{Linear, Panels},
    par, range,
    rows::Rows,
    scratch::{Scratch, scratch},
    stages::{Stage, clock},
    tile::{Ahead, Chains, Init, Tile, Weights, tile},
    transpose::transpose,
};

/// Depth of a k block: at most 192 KiB of a panel, which stay in the second-level cache while all row
/// tiles pass by.
const BLOCK: usize = 1536;
/// Depth of one that is widened from f16. Longer chains pay more than to read them from the first-level
/// cache; in browsers that was not measured.
const WIDE_BLOCK: usize = if cfg!(target_arch = "wasm32") { 512 } else { 768 };
/// Rows of one task, so that its accumulators stay in cache.
const ROW_BLOCK: usize = 448;

/// What happens to an output element after its chain.
#[derive(Debug, Clone, Copy)]
pub enum Epilogue<'a> {
    /// Nothing.
    Store,
    /// `x * sigmoid(1.702 x)`.
    QuickGelu,
    /// `x/2 * (1 + erf(x / sqrt 2))`.
    Gelu,
    /// `residual[m][n] + acc`; same shape as the output.
    Add(&'a [f32]),
}

/// A layer with what it writes.
#[derive(Debug)]
pub struct Layer<'a> {
    /// The weights `[n, k]`.
    pub linear: &'a Linear,
    /// What happens to the products.
    pub epilogue: Epilogue<'a>,
    /// The output `[m, n]`.
    pub out: &'a mut [f32],
}

impl Linear {
    /// `out[m][n] = epilogue(bias[n] + sum_k rows[m][k] * w[n][k])`, `out` of `rows.m * self.n`.
    ///
    /// # Panics
    /// As [`forward`].
    pub fn forward(&self, kernels: &Kernels, rows: &Rows, epilogue: Epilogue, out: &mut [f32]) {
        forward(kernels, rows, [Layer { linear: self, epilogue, out }]);
    }

    /// As [`Linear::forward`], with an output that is the next layer's rows: it never lies in memory in
    /// another order.
    ///
    /// # Panics
    /// As [`forward`].
    pub fn forward_rows(&self, kernels: &Kernels, rows: &Rows, epilogue: Epilogue, out: &mut Rows) {
        out.write(kernels, rows.m, self.n, |_, packed| {
            let target = Target::new(kernels, rows, self, epilogue, Out::Rows(packed));
            forward_all(kernels, rows, &[target]);
        });
    }
}

/// [`Linear::forward`] of several layers over the same rows, as one set of tasks.
///
/// # Panics
/// Rows or a layer were packed for other kernels, or shapes do not fit.
pub fn forward<const N: usize>(kernels: &Kernels, rows: &Rows, layers: [Layer; N]) {
    let outs = layers.map(|Layer { linear, epilogue, out }| {
        assert_eq!(out.len(), rows.m * linear.n, "output shape");
        Target::new(kernels, rows, linear, epilogue, Out::Plain(Shared(out.as_mut_ptr())))
    });
    // The outputs are borrowed, each from elsewhere, until this returns.
    forward_all(kernels, rows, &outs);
}

/// Where `rows.m * linear.n` outputs go.
enum Out {
    /// `[m, n]`.
    Plain(Shared<f32>),
    /// In tiles like those of the input, [`Rows::packed`] of the next layer.
    Rows(Shared<f32>),
}

/// A [`Layer`] whose shapes were checked; tasks write disjoint parts of `out`.
struct Target<'a> {
    linear: &'a Linear,
    epilogue: Epilogue<'a>,
    out: Out,
}

impl<'a> Target<'a> {
    fn new(
        kernels: &Kernels,
        rows: &Rows,
        linear: &'a Linear,
        epilogue: Epilogue<'a>,
        out: Out,
    ) -> Self {
        assert_eq!(linear.layout, kernels.layout, "weights packed for these kernels");
        assert_eq!(rows.k, linear.k, "input width");
        if let Epilogue::Add(residual) = epilogue {
            assert_eq!(residual.len(), rows.m * linear.n, "residual shape");
        }
        Target { linear, epilogue, out }
    }
}

fn forward_all(kernels: &Kernels, rows: &Rows, outs: &[Target]) {
    if rows.m == 0 {
        return;
    }
    assert_eq!(rows.layout, Some(kernels.layout), "rows packed for these kernels");
    let layout = &kernels.layout;
    let tiles_per_block = ROW_BLOCK / layout.rows;
    let row_blocks = rows.tiles().div_ceil(tiles_per_block);
    let panels_of = |target: &Target| target.linear.n.div_ceil(layout.columns);
    let panels: usize = outs.iter().map(panels_of).sum();
    let cost = 2 * rows.m.min(ROW_BLOCK) * rows.k * layout.columns;
    par::for_each(row_blocks * panels, cost, |task| {
        let (block, mut panel) = (task / panels, task % panels);
        let first = block * tiles_per_block;
        let tiles = first..(first + tiles_per_block).min(rows.tiles());
        for target in outs {
            if panel < panels_of(target) {
                let task = PanelTask { target, rows, tiles, panel };
                return scratch(|scratch| kernels.run(Panel { task: &task, scratch }));
            }
            panel -= panels_of(target);
        }
    });
}

/// One task: a panel of output columns for a range of row tiles. Made by [`forward_all`] alone: all
/// shapes were checked, the operands are packed for the kernels that run it, and each (layer, row
/// block, panel) writes its own elements of an `out`.
struct PanelTask<'a> {
    target: &'a Target<'a>,
    rows: &'a Rows,
    tiles: std::ops::Range<usize>,
    panel: usize,
}

struct Panel<'a> {
    task: &'a PanelTask<'a>,
    scratch: &'a mut Scratch,
}

impl Operation for Panel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Tile, const MR: usize, const C: usize>(self, isa: I) {
        // SAFETY: what a `PanelTask` is known to be.
        unsafe { panel::<I, MR, C>(isa, self.task, self.scratch) }
    }
}

/// # Safety
/// The task is as [`PanelTask`] says.
#[inline(always)]
unsafe fn panel<I: Tile, const MR: usize, const C: usize>(
    isa: I,
    task: &PanelTask,
    scratch: &mut Scratch,
) {
    let nr = C * I::LANES;
    let PanelTask { target: Target { linear, .. }, rows, .. } = task;
    let k = linear.k;
    let (first_row, _) = rows.tile(task.tiles.start);
    let (last_start, last_height) = rows.tile(task.tiles.end - 1);
    let height = last_start + last_height - first_row;
    scratch.acc.grow(height * nr);
    let k_block = match linear.panels {
        Panels::F32(_) => BLOCK,
        Panels::F16(_) => {
            scratch.wide.grow(WIDE_BLOCK.min(k) * nr);
            WIDE_BLOCK
        }
    };
    let acc = scratch.acc.as_mut_ptr();
    let wide = scratch.wide.as_mut_ptr();
    let bias = linear.bias[task.panel * nr..][..nr].as_ptr();

    let [weights, starts] = linear.magnitudes;
    let normal = I::WATCHED && range::normal(k, starts, rows.magnitudes, weights);
    let _clock = clock(Stage::Products);
    let mut k0 = 0;
    while k0 < k {
        let depth = k_block.min(k - k0);
        let offset = (task.panel * k + k0) * nr;
        let init = if k0 == 0 { Init::Bias(bias) } else { Init::Parked };
        // Comes from memory while this one is computed: the next block, or that of the next panel.
        let (next, bytes) = linear.panels.bytes(offset + depth * nr, depth * nr);
        for index in task.tiles.clone() {
            let (start, r) = rows.tile(index);
            // SAFETY: tile `start..start+r` of the packed rows and `acc` rows start-first_row..
            // exist; the panel holds k * nr elements, of which depth * nr from k0 are used. The tile's
            // rows and this panel's columns of `out` belong to this task; a residual has the shape of
            // `out` (asserted in `forward`).
            unsafe {
                let a = rows.packed.as_ptr().add(start * k + k0 * r);
                let dst = acc.add((start - first_row) * nr);
                let b = match &linear.panels {
                    Panels::F32(p) => Weights::F32(p.as_ptr().add(offset)),
                    Panels::F16(_) if index > task.tiles.start => Weights::F32(wide),
                    Panels::F16(p) if task.tiles.len() == 1 => Weights::F16(p.as_ptr().add(offset)),
                    Panels::F16(p) => Weights::Widen { from: p.as_ptr().add(offset), to: wide },
                };
                let tiles = &task.tiles;
                let ahead = Ahead::part(next, bytes, depth, index - tiles.start, tiles.len());
                tile::<I, MR, C>(isa, r, b, Chains { depth, a, init, dst, normal, ahead });
                // Tile by tile: the writes go on while the next tile computes.
                if k0 + depth == k {
                    finish(isa, task, dst, start, r, nr);
                }
            }
        }
        k0 += depth;
    }
}

/// Applies the epilogue and writes the valid columns.
#[inline(always)]
unsafe fn finish<I: Isa>(
    isa: I,
    task: &PanelTask,
    acc: *mut f32,
    first_row: usize,
    height: usize,
    nr: usize,
) {
    let Target { linear, epilogue, out } = task.target;
    let n = linear.n;
    let column = task.panel * nr;
    let valid = nr.min(n - column);
    for row in 0..height {
        let offset = (first_row + row) * n + column;
        // SAFETY: the caller guarantees that these elements exist and belong to this task. A
        // partial panel is finished on the padded row: only its copy stops at the last column.
        unsafe {
            let src = acc.add(row * nr);
            let to = match out {
                Out::Plain(out) if valid == nr => out.ptr().add(offset),
                _ => src,
            };
            for c in (0..nr).step_by(I::LANES) {
                let v = isa.load_ptr(src.add(c));
                let v = match *epilogue {
                    Epilogue::Add(residual) if valid == nr => {
                        isa.add(isa.load_ptr(residual.as_ptr().add(offset + c)), v)
                    }
                    Epilogue::Store | Epilogue::Add(_) => v,
                    Epilogue::QuickGelu => exp::quick_gelu(isa, v),
                    Epilogue::Gelu => exp::gelu(isa, v),
                };
                isa.store_ptr(to.add(c), v);
            }
            if valid < nr {
                if let Epilogue::Add(residual) = epilogue {
                    for c in 0..valid {
                        *src.add(c) = residual[offset + c] + *src.add(c);
                    }
                }
                if let Out::Plain(out) = out {
                    std::ptr::copy_nonoverlapping(src, out.ptr().add(offset), valid);
                }
            }
        }
    }
    if let Out::Rows(packed) = out {
        // SAFETY: as above; the tile's columns lie one after the other.
        unsafe {
            let done = std::slice::from_raw_parts(acc, height * nr);
            let to = packed.ptr().add(first_row * n + column * height);
            let to = std::slice::from_raw_parts_mut(to, height * valid);
            transpose(isa, done, nr, height, to, height);
        }
    }
}
