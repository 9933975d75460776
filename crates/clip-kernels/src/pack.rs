//! Weights `[n, k]` into panels: element (k, column) of panel p at `(p * K + k) * nr + column`.

use std::sync::atomic::{AtomicBool, Ordering};

use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};

use crate::{
    buffer::{Aligned, Plain, Shared},
    kernels::Kernels,
    par,
};

/// As f32; `row(i, out)` writes row i.
pub(crate) fn f32(
    kernels: &Kernels,
    n: usize,
    k: usize,
    row: impl Fn(usize, &mut [f32]) + Sync,
) -> Aligned<f32> {
    let nr = kernels.layout.columns;
    pack(n, k, nr, |first, rows, panel| {
        rows.chunks_exact_mut(k).zip(first..).for_each(|(out, i)| row(i, out));
        kernels.transpose(rows, k, rows.len() / k, panel, nr);
    })
}

/// Weights that are f16, as such.
pub(crate) fn f16(
    kernels: &Kernels,
    n: usize,
    k: usize,
    row: impl Fn(usize, &mut [u16]) + Sync,
) -> Aligned<u16> {
    let nr = kernels.layout.columns;
    pack(n, k, nr, |first, rows, panel| {
        rows.chunks_exact_mut(k).zip(first..).for_each(|(out, i)| row(i, out));
        kernels.transpose(rows, k, rows.len() / k, panel, nr);
    })
}

/// As f16, if no weight loses a bit by it.
pub(crate) fn lossless_f16(
    kernels: &Kernels,
    n: usize,
    k: usize,
    row: &(impl Fn(usize, &mut [f32]) + Sync),
) -> Option<Aligned<u16>> {
    let lossless = AtomicBool::new(true);
    let nr = kernels.layout.columns;
    let packed = pack(n, k, nr, |first, rows, panel| {
        let mut wide = vec![0.0; k];
        for (out, i) in rows.chunks_exact_mut(k).zip(first..) {
            if !lossless.load(Ordering::Relaxed) {
                return;
            }
            row(i, &mut wide);
            if !to_f16(&wide, out) {
                lossless.store(false, Ordering::Relaxed);
            }
        }
        kernels.transpose(rows, k, rows.len() / k, panel, nr);
    });
    lossless.into_inner().then_some(packed)
}

/// Rounds `wide` to the bits of f16; says whether every value survived.
pub fn to_f16(wide: &[f32], out: &mut [u16]) -> bool {
    let mut back = [0.0f32; 256];
    let mut same = true;
    for (wide, out) in wide.chunks(256).zip(out.chunks_mut(256)) {
        let narrow: &mut [half::f16] = out.reinterpret_cast_mut();
        narrow.convert_from_f32_slice(wide);
        let back = &mut back[..wide.len()];
        narrow.convert_to_f32_slice(back);
        // Without early exit: compares whole vectors.
        same &= wide.iter().zip(&*back).fold(true, |s, (a, b)| s & (a.to_bits() == b.to_bits()));
    }
    same
}

/// Calls `fill(first row, rows, panel)` for every panel: both are zero, of `k` per row, and `nr`
/// columns per k; the last panel may have fewer rows.
fn pack<T: Plain>(
    n: usize,
    k: usize,
    nr: usize,
    fill: impl Fn(usize, &mut [T], &mut [T]) + Sync,
) -> Aligned<T> {
    let panels = n.div_ceil(nr);
    let write = |packed: Shared<T>| {
        par::for_each(panels, 4 * k * nr, |index| {
            let first = index * nr;
            let mut rows = vec![T::default(); nr.min(n - first) * k];
            // SAFETY: panel p owns the elements p*k*nr .. (p+1)*k*nr of the buffer, which outlives
            // for_each; T: Plain, so zero bytes are values.
            let panel = unsafe {
                let panel = packed.ptr().add(first * k);
                panel.write_bytes(0, nr * k);
                std::slice::from_raw_parts_mut(panel, nr * k)
            };
            fill(first, &mut rows, panel);
        });
    };
    // SAFETY: the panels together are all elements, and each is written.
    unsafe { Aligned::written(panels * nr * k, write) }
}
