//! Matrix products in the contract's order.
//!
//! Each output element is one chain `acc = fma(x[m][k], w[n][k], acc)` over ascending k, starting
//! from the bias. Vectors run across output columns n. Rows are interleaved and weights packed in
//! panels beforehand, k is cut into blocks (accumulators wait in memory in between), and tasks
//! split m and n over threads: none of this changes the order of one chain.

use super::{
    Kernels,
    buffer::{Aligned, Shared},
    exp,
    isa::Isa,
    pack, par,
    range::{self, Magnitudes},
    rows::Rows,
    tile::{Init, Weights, tile},
};

/// Depth of a k block: at most 192 KiB of a panel, which stay in the second-level cache while all row
/// tiles pass by.
const BLOCK: usize = 1536;
/// Bytes of one that is widened from f16: they are written first, and stay in the first-level cache.
const WIDE_BYTES: usize = 16 << 10;
/// Rows of one task, so that its accumulators stay in cache.
const ROW_BLOCK: usize = 448;

/// What happens to an output element after its chain.
#[derive(Clone, Copy)]
pub(crate) enum Epilogue<'a> {
    Store,
    QuickGelu,
    Gelu,
    /// `residual[m][n] + acc`; same shape as the output.
    Add(&'a [f32]),
}

/// Weights of one linear layer `[n, k]`, in panels of `nr` columns: element (k, column) of panel
/// p at `(p * K + k) * nr + column`. The last panel is padded with zeros.
#[derive(Debug)]
pub(crate) struct Linear {
    pub(crate) n: usize,
    pub(crate) k: usize,
    panels: Panels,
    /// Padded to whole panels; zeros if the layer has no bias.
    bias: Aligned<f32>,
    /// Of weights and bias.
    magnitudes: [Magnitudes; 2],
}

/// f16 only where every weight survives the round trip: widening is exact, so the bits of the
/// results do not depend on the storage.
#[derive(Debug)]
enum Panels {
    F32(Aligned<f32>),
    F16(Aligned<u16>),
}

impl Linear {
    /// Packs row-major `[n, k]` weights, as f16 if `halves` and none loses a bit by it; `row(i, out)`
    /// writes row i as f32.
    pub(crate) fn pack(
        kernels: &Kernels,
        halves: bool,
        n: usize,
        k: usize,
        bias: Option<&[f32]>,
        row: impl Fn(usize, &mut [f32]) + Sync,
    ) -> Self {
        let mut padded = Aligned::zeroed(n.next_multiple_of(kernels.columns));
        if let Some(bias) = bias {
            padded[..n].copy_from_slice(bias);
        }
        let halves = if halves { pack::lossless_f16(kernels, n, k, &row) } else { None };
        let panels = match halves {
            Some(halves) => Panels::F16(halves),
            None => Panels::F32(pack::f32(kernels, n, k, row)),
        };
        let weights = match &panels {
            Panels::F16(_) => Magnitudes::HALVES,
            Panels::F32(panels) => Magnitudes::of(kernels.watched, panels),
        };
        let magnitudes = [weights, Magnitudes::of(kernels.watched, &padded)];
        Linear { n, k, panels, bias: padded, magnitudes }
    }

    /// Packs row-major `[n, k]` weights that are f16, as such; `row(i, out)` writes row i.
    pub(crate) fn pack_halves(
        kernels: &Kernels,
        n: usize,
        k: usize,
        row: impl Fn(usize, &mut [u16]) + Sync,
    ) -> Self {
        let bias = Aligned::zeroed(n.next_multiple_of(kernels.columns));
        let magnitudes = [Magnitudes::HALVES, Magnitudes::of(true, &bias)];
        Linear { n, k, panels: Panels::F16(pack::f16(kernels, n, k, row)), bias, magnitudes }
    }

    /// Sets the bias, `n` values.
    pub(crate) fn with_bias(mut self, bias: &[f32]) -> Self {
        self.bias[..self.n].copy_from_slice(bias);
        self.magnitudes[1] = Magnitudes::of(true, bias);
        self
    }

    /// `out[m][n] = epilogue(bias[n] + sum_k rows[m][k] * w[n][k])`, `out` of `rows.m * self.n`.
    pub(crate) fn forward(
        &self,
        kernels: &Kernels,
        rows: &Rows,
        epilogue: Epilogue,
        out: &mut [f32],
    ) {
        forward(kernels, rows, [Layer { linear: self, epilogue, out }]);
    }
}

/// A layer with what it writes.
pub(crate) struct Layer<'a> {
    pub(crate) linear: &'a Linear,
    pub(crate) epilogue: Epilogue<'a>,
    pub(crate) out: &'a mut [f32],
}

/// [`Linear::forward`] of several layers over the same rows, as one set of tasks.
pub(crate) fn forward<const N: usize>(kernels: &Kernels, rows: &Rows, layers: [Layer; N]) {
    let tiles_per_block = ROW_BLOCK / kernels.rows;
    let row_blocks = rows.tiles().div_ceil(tiles_per_block);
    let outs = layers.map(|Layer { linear, epilogue, out }| {
        assert_eq!(rows.k, linear.k, "input width");
        assert_eq!(out.len(), rows.m * linear.n, "output shape");
        if let Epilogue::Add(residual) = epilogue {
            assert_eq!(residual.len(), out.len(), "residual shape");
        }
        (linear, epilogue, Shared(out.as_mut_ptr()))
    });
    let panels_of = |linear: &Linear| linear.n.div_ceil(kernels.columns);
    let panels: usize = outs.iter().map(|(linear, ..)| panels_of(linear)).sum();
    let cost = 2 * rows.m.min(ROW_BLOCK) * rows.k * kernels.columns;
    par::for_each(row_blocks * panels, cost, |task| {
        let (block, mut panel) = (task / panels, task % panels);
        let first = block * tiles_per_block;
        let tiles = first..(first + tiles_per_block).min(rows.tiles());
        for &(linear, epilogue, out) in &outs {
            if panel < panels_of(linear) {
                let task = PanelTask { linear, rows, tiles, panel, epilogue, out };
                // SAFETY: shapes are asserted above; each (layer, row block, panel) writes its own
                // elements of an `out`, which is borrowed until for_each returns; `kernels` exists
                // only for instruction sets that this CPU has (see `Path::kernels`).
                return scratch(|buffers| unsafe { (kernels.panel)(&task, buffers) });
            }
            panel -= panels_of(linear);
        }
    });
}

/// One task: a panel of output columns for a range of row tiles.
pub(crate) struct PanelTask<'a> {
    linear: &'a Linear,
    rows: &'a Rows,
    tiles: std::ops::Range<usize>,
    panel: usize,
    epilogue: Epilogue<'a>,
    out: Shared<f32>,
}

/// Per-thread working memory.
#[derive(Debug)]
pub(crate) struct Scratch {
    /// Accumulators between k blocks.
    pub(super) acc: Aligned<f32>,
    /// A panel block widened from f16.
    pub(super) wide: Aligned<f32>,
    pub(super) more: [Aligned<f32>; 3],
}

/// Runs `f` with this thread's scratch.
pub(super) fn scratch<R>(f: impl FnOnce(&mut Scratch) -> R) -> R {
    thread_local! {
        static SCRATCH: std::cell::RefCell<Scratch> = std::cell::RefCell::new(Scratch {
            acc: Aligned::zeroed(0),
            wide: Aligned::zeroed(0),
            more: std::array::from_fn(|_| Aligned::zeroed(0)),
        });
    }
    SCRATCH.with_borrow_mut(f)
}

/// # Safety
/// The CPU has `I`; `task` was checked by `Linear::forward`; `C * I::LANES` and `MR` are the
/// `columns` and `rows` of the kernels that packed the operands.
#[inline(always)]
pub(super) unsafe fn panel<I: Isa, const MR: usize, const C: usize>(
    task: &PanelTask,
    scratch: &mut Scratch,
) {
    let nr = C * I::LANES;
    let PanelTask { linear, rows, .. } = task;
    let k = linear.k;
    let (first_row, _) = rows.tile(task.tiles.start);
    let (last_start, last_height) = rows.tile(task.tiles.end - 1);
    let height = last_start + last_height - first_row;
    scratch.acc.grow(height * nr);
    let k_block = match linear.panels {
        Panels::F32(_) => BLOCK,
        Panels::F16(_) => {
            let block = WIDE_BYTES / size_of::<f32>() / nr;
            scratch.wide.grow(block.min(k) * nr);
            block
        }
    };
    let acc = scratch.acc.as_mut_ptr();
    let wide = scratch.wide.as_mut_ptr();
    let bias = linear.bias[task.panel * nr..][..nr].as_ptr();

    let [weights, starts] = linear.magnitudes;
    let normal = I::WATCHED && range::normal(k, starts, rows.magnitudes, weights);
    let mut k0 = 0;
    while k0 < k {
        let depth = k_block.min(k - k0);
        let offset = (task.panel * k + k0) * nr;
        let init = if k0 == 0 { Init::Bias(bias) } else { Init::Parked };
        for index in task.tiles.clone() {
            let (start, r) = rows.tile(index);
            // SAFETY: tile `start..start+r` of the packed rows and `acc` rows start-first_row..
            // exist; the panel holds k * nr elements, of which depth * nr from k0 are used.
            unsafe {
                let a = rows.packed.as_ptr().add(start * k + k0 * r);
                let dst = acc.add((start - first_row) * nr);
                let b = match &linear.panels {
                    Panels::F32(p) => Weights::F32(p.as_ptr().add(offset)),
                    Panels::F16(_) if index > task.tiles.start => Weights::F32(wide),
                    Panels::F16(p) if task.tiles.len() == 1 => Weights::F16(p.as_ptr().add(offset)),
                    Panels::F16(p) => Weights::Widen { from: p.as_ptr().add(offset), to: wide },
                };
                tile::<I, MR, C>(r, depth, a, b, init, dst, normal);
            }
        }
        k0 += depth;
    }
    // SAFETY: rows first_row..first_row+height and this panel's columns of `out` belong to this
    // task; a residual has the shape of `out` (asserted in `forward`).
    unsafe { finish::<I>(task, acc, first_row, height, nr) }
}

/// Applies the epilogue and writes the valid columns.
#[inline(always)]
unsafe fn finish<I: Isa>(
    task: &PanelTask,
    acc: *mut f32,
    first_row: usize,
    height: usize,
    nr: usize,
) {
    let n = task.linear.n;
    let column = task.panel * nr;
    let valid = nr.min(n - column);
    for row in 0..height {
        let offset = (first_row + row) * n + column;
        // SAFETY: the caller guarantees that these elements exist and belong to this task. A
        // partial panel is finished on the padded row: only its copy stops at the last column.
        unsafe {
            let src = acc.add(row * nr);
            let dst = task.out.ptr().add(offset);
            let to = if valid == nr { dst } else { src };
            for c in (0..nr).step_by(I::LANES) {
                let v = I::load(src.add(c));
                let v = match task.epilogue {
                    Epilogue::Add(residual) if valid == nr => {
                        I::add(I::load(residual.as_ptr().add(offset + c)), v)
                    }
                    Epilogue::Store | Epilogue::Add(_) => v,
                    Epilogue::QuickGelu => exp::quick_gelu::<I>(v),
                    Epilogue::Gelu => exp::gelu::<I>(v),
                };
                I::store(to.add(c), v);
            }
            if valid < nr {
                for c in 0..valid {
                    *dst.add(c) = match task.epilogue {
                        Epilogue::Add(residual) => *residual.as_ptr().add(offset + c) + *src.add(c),
                        _ => *src.add(c),
                    };
                }
            }
        }
    }
}
