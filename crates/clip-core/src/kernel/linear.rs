//! Matrix products in the contract's order.
//!
//! Each output element is one chain `acc = fma(x[m][k], w[n][k], acc)` over ascending k, starting
//! from the bias. Vectors run across output columns n. Rows are interleaved and weights packed in
//! panels beforehand, k is cut into blocks (accumulators wait in memory in between), and tasks
//! split m and n over threads: none of this changes the order of one chain.

use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};

use super::{
    Kernels, LayerNorm,
    buffer::{Aligned, Plain, Shared},
    exp,
    isa::Isa,
    norm, par,
};

/// Bytes of a k block of a panel, in f32: it stays in the first-level cache while all row tiles
/// pass by.
const BLOCK_BYTES: usize = 16 << 10;
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
        let nr = kernels.columns;
        let mut padded = Aligned::zeroed(n.next_multiple_of(nr));
        if let Some(bias) = bias {
            padded[..n].copy_from_slice(bias);
        }
        let halves = if halves { pack_f16(n, k, nr, &row) } else { None };
        let panels = match halves {
            Some(halves) => Panels::F16(halves),
            None => Panels::F32(pack_panels(n, k, nr, |i, out: &mut [f32], _| {
                row(i, out);
                true
            })),
        };
        Linear { n, k, panels, bias: padded }
    }

    /// Packs row-major `[n, k]` weights that are f16, as such; `row(i, out)` writes row i.
    pub(crate) fn pack_halves(
        kernels: &Kernels,
        n: usize,
        k: usize,
        row: impl Fn(usize, &mut [u16]) + Sync,
    ) -> Self {
        let nr = kernels.columns;
        let panels = pack_panels(n, k, nr, |i, out: &mut [u16], _| {
            row(i, out);
            true
        });
        let bias = Aligned::zeroed(n.next_multiple_of(nr));
        Linear { n, k, panels: Panels::F16(panels), bias }
    }

    /// Sets the bias, `n` values.
    pub(crate) fn with_bias(mut self, bias: &[f32]) -> Self {
        self.bias[..self.n].copy_from_slice(bias);
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

fn pack_f16(
    n: usize,
    k: usize,
    nr: usize,
    row: &(impl Fn(usize, &mut [f32]) + Sync),
) -> Option<Aligned<u16>> {
    let lossless = std::sync::atomic::AtomicBool::new(true);
    let packed = pack_panels(n, k, nr, |i, out: &mut [u16], wide: &mut [f32]| {
        if !lossless.load(std::sync::atomic::Ordering::Relaxed) {
            return false;
        }
        row(i, wide);
        let same = to_f16(wide, out);
        if !same {
            lossless.store(false, std::sync::atomic::Ordering::Relaxed);
        }
        same
    });
    lossless.into_inner().then_some(packed)
}

/// Rounds to f16; says whether every value survived.
pub(crate) fn to_f16(wide: &[f32], out: &mut [u16]) -> bool {
    let mut back = [0.0f32; 256];
    let mut same = true;
    for (wide, out) in wide.chunks(256).zip(out.chunks_mut(256)) {
        let halves: &mut [half::f16] = out.reinterpret_cast_mut();
        halves.convert_from_f32_slice(wide);
        let back = &mut back[..wide.len()];
        halves.convert_to_f32_slice(back);
        // Without early exit: compares whole vectors.
        same &= wide.iter().zip(&*back).fold(true, |s, (a, b)| s & (a.to_bits() == b.to_bits()));
    }
    same
}

/// Transposes rows into panels; `row(i, out, scratch)` returns false to give up.
fn pack_panels<T: Plain>(
    n: usize,
    k: usize,
    nr: usize,
    row: impl Fn(usize, &mut [T], &mut [f32]) -> bool + Sync,
) -> Aligned<T> {
    let panels = n.div_ceil(nr);
    let mut packed = Aligned::<T>::zeroed(panels * nr * k);
    let shared = Shared(packed.as_mut_ptr());
    par::for_each(panels, 4 * k * nr, |panel| {
        // SAFETY: panel p owns the elements p*k*nr .. (p+1)*k*nr of `packed`, which outlives
        // for_each.
        let panel_out =
            unsafe { std::slice::from_raw_parts_mut(shared.ptr().add(panel * k * nr), k * nr) };
        let columns = nr.min(n - panel * nr);
        let mut rows = vec![T::default(); columns * k];
        let mut wide = vec![0.0f32; k];
        for (column, out) in rows.chunks_exact_mut(k).enumerate() {
            if !row(panel * nr + column, out, &mut wide) {
                return;
            }
        }
        for (kk, out) in panel_out.chunks_exact_mut(nr).enumerate() {
            for (column, x) in out[..columns].iter_mut().enumerate() {
                *x = rows[column * k + kk];
            }
        }
    });
    packed
}

/// Input rows `[m, k]`, interleaved for the micro-kernel: tiles of up to `kernels.rows` rows, of
/// equal height but for one; tile t with r rows starting at row s is `[k][r]` at `s * k`.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) m: usize,
    pub(crate) k: usize,
    tiles: usize,
    packed: Aligned<f32>,
}

impl Rows {
    pub(crate) fn empty() -> Self {
        Rows { m: 0, k: 0, tiles: 0, packed: Aligned::zeroed(0) }
    }

    /// Interleaves `m` rows of `x`, in place of what was there; row i starts at `i * stride`.
    pub(crate) fn pack(&mut self, kernels: &Kernels, x: &[f32], m: usize, k: usize, stride: usize) {
        assert!(m == 0 || (m - 1) * stride + k <= x.len(), "input shape");
        self.fill(kernels, m, k, 4, |start, height, out| {
            kernels.transpose(&x[start * stride..], stride, height, out);
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
                kernels.transpose(normed, k, height, out);
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
        (self.m, self.k, self.tiles) = (m, k, m.div_ceil(kernels.rows));
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
    }

    fn tiles(&self) -> usize {
        self.tiles
    }

    /// First row and height of a tile.
    fn tile(&self, tile: usize) -> (usize, usize) {
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
pub(super) unsafe fn transpose<I: Isa>(
    x: &[f32],
    stride: usize,
    height: usize,
    out: &mut [f32],
    width: usize,
) {
    let k = out.len() / width;
    assert!(0 < height && height <= width && (height - 1) * stride + k <= x.len(), "shapes");
    let whole = if height < 4 { 0 } else { k / 4 * 4 };
    for kk in (0..whole).step_by(4) {
        // The last four rows may overlap those before.
        for r in (0..height).step_by(4).map(|r| r.min(height - 4)) {
            // SAFETY: rows r..r+4 and columns kk..kk+4 are inside `x` and `out` (asserted).
            unsafe {
                let from = x.as_ptr().add(r * stride + kk);
                I::transpose4(from, stride, out.as_mut_ptr().add(kk * width + r), width);
            }
        }
    }
    for (kk, out) in out.chunks_exact_mut(width).enumerate().skip(whole) {
        out[..height].iter_mut().enumerate().for_each(|(r, out)| *out = x[r * stride + kk]);
    }
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
    let k_block = BLOCK_BYTES / size_of::<f32>() / nr;
    scratch.wide.grow(k_block.min(k) * nr);
    let acc = scratch.acc.as_mut_ptr();
    let bias = linear.bias[task.panel * nr..][..nr].as_ptr();

    let mut k0 = 0;
    while k0 < k {
        let depth = k_block.min(k - k0);
        let offset = (task.panel * k + k0) * nr;
        let init = if k0 == 0 { Init::Bias(bias) } else { Init::Parked };
        let one_tile = task.tiles.len() == 1;
        for tile in task.tiles.clone() {
            let (start, r) = rows.tile(tile);
            // SAFETY: tile `start..start+r` of the packed rows and `acc` rows start-first_row..
            // exist; the panel holds k * nr elements, of which depth * nr from k0 are used.
            unsafe {
                let a = rows.packed.as_ptr().add(start * k + k0 * r);
                let dst = acc.add((start - first_row) * nr);
                match &linear.panels {
                    Panels::F32(p) => {
                        let b = p.as_ptr().add(offset);
                        rows_of::<I, MR, C, false>(r, depth, a, b.cast(), init, dst);
                    }
                    Panels::F16(p) if one_tile => {
                        let b = p.as_ptr().add(offset);
                        rows_of::<I, MR, C, true>(r, depth, a, b.cast(), init, dst);
                    }
                    Panels::F16(p) => {
                        let wide = scratch.wide.as_mut_ptr();
                        if tile == task.tiles.start {
                            let source = p.as_ptr().add(offset);
                            for i in (0..depth * nr).step_by(I::LANES) {
                                // The next block comes from memory while this one is computed.
                                I::prefetch(source.wrapping_add(i + depth * nr).cast());
                                I::store(wide.add(i), I::load_f16(source.add(i)));
                            }
                        }
                        rows_of::<I, MR, C, false>(r, depth, a, wide.cast(), init, dst);
                    }
                }
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

/// Where a tile's accumulators come from.
#[derive(Clone, Copy)]
pub(super) enum Init {
    /// One value per column, the same for all rows.
    Bias(*const f32),
    /// Where the previous k block left them.
    Parked,
}

/// Calls the micro-kernel of the right height; heights above MR are compiled out.
///
/// # Safety
/// As for [`tile`], with `1 <= r <= MR`.
#[inline(always)]
pub(super) unsafe fn rows_of<I: Isa, const MR: usize, const C: usize, const F16: bool>(
    r: usize,
    depth: usize,
    a: *const f32,
    b: *const u8,
    init: Init,
    dst: *mut f32,
) {
    macro_rules! heights {
        ($($h:literal)*) => {
            match r {
                // SAFETY: the caller's guarantees are those of `tile` with R = r.
                $($h if $h <= MR => unsafe { tile::<I, $h, C, F16>(depth, a, b, init, dst) },)*
                _ => unreachable!("tiles have 1 to {MR} rows"),
            }
        };
    }
    heights!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
}

/// The micro-kernel: R rows by C vectors, one chain per lane.
///
/// # Safety
/// The CPU has `I`; `a` holds `[depth][R]` floats, `b` `[depth][C * LANES]` floats (f16 if `F16`),
/// `dst` `[R][C * LANES]` floats, a bias `C * LANES` floats.
#[inline(always)]
unsafe fn tile<I: Isa, const R: usize, const C: usize, const F16: bool>(
    depth: usize,
    a: *const f32,
    b: *const u8,
    init: Init,
    dst: *mut f32,
) {
    let nr = C * I::LANES;
    // SAFETY: all accesses stay inside the extents the caller guarantees.
    unsafe {
        let mut acc = [[I::splat(0.0); C]; R];
        for (r, acc) in acc.iter_mut().enumerate() {
            for (c, acc) in acc.iter_mut().enumerate() {
                *acc = match init {
                    Init::Bias(bias) => I::load(bias.add(c * I::LANES)),
                    Init::Parked => I::load(dst.add(r * nr + c * I::LANES)),
                };
            }
        }
        for kk in 0..depth {
            let w: [I::V; C] = std::array::from_fn(|c| {
                let offset = kk * nr + c * I::LANES;
                if F16 {
                    I::load_f16(b.cast::<u16>().add(offset))
                } else {
                    I::load(b.cast::<f32>().add(offset))
                }
            });
            let a = a.add(kk * R);
            for (r, acc) in acc.iter_mut().enumerate() {
                let x = I::splat(*a.add(r));
                for (acc, w) in acc.iter_mut().zip(w) {
                    *acc = I::fma(x, w, *acc);
                }
            }
        }
        for (r, acc) in acc.iter().enumerate() {
            for (c, acc) in acc.iter().enumerate() {
                I::store(dst.add(r * nr + c * I::LANES), *acc);
            }
        }
    }
}
