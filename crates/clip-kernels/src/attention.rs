//! Scaled dot-product attention.

use crate::{
    buffer::Shared,
    dispatch::Operation,
    kernels::{Kernels, UsualRows},
    norm, par,
    range::{self, Magnitudes},
    rows::tile_of,
    scratch::{Scratch, scratch},
    stages::{Stage, clock},
    tile::{Ahead, Chains, Init, Tile, Weights, tile},
    transpose::transpose,
};

/// The heads of one layer.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    /// How many.
    pub count: usize,
    /// Width of a row: all heads side by side.
    pub width: usize,
    /// The last query of a span sees all its keys, the one before all but the last, and so on.
    pub causal: bool,
}

/// Rows of one sequence in the batch.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// First row of queries, and of the output.
    pub query_row: usize,
    /// Number of queries, at most `keys`.
    pub queries: usize,
    /// First row of keys and values.
    pub key_row: usize,
    /// Number of keys.
    pub keys: usize,
}

/// Attention of every head of every span; queries, keys, values and `out` are rows of `heads.width`,
/// the output rows are the query rows.
///
/// # Panics
/// Spans overlap, are not in the order of their rows, or lie outside the rows.
pub fn attention(
    kernels: &Kernels,
    heads: &Heads,
    [q, k, v]: [&[f32]; 3],
    spans: &[Span],
    out: &mut [f32],
) {
    let (d, head_dim) = (heads.width, heads.width / heads.count);
    let mut next_row = 0;
    for span in spans {
        assert!(span.query_row >= next_row && span.queries <= span.keys, "spans do not overlap");
        next_row = span.query_row + span.queries;
        let end = (span.key_row + span.keys) * d;
        assert!(next_row * d <= q.len().min(out.len()) && end <= k.len().min(v.len()));
    }
    // Two panels of the narrow tile are a head's width.
    let kernels = kernels.for_rows(UsualRows::Few);
    let longest = spans.iter().map(|span| span.queries * span.keys).max().unwrap_or(0);
    let out = Shared(out.as_mut_ptr());
    par::for_each(spans.len() * heads.count, 8 * longest * head_dim, |task| {
        let (span, column) = (&spans[task / heads.count], task % heads.count * head_dim);
        let task = HeadTask {
            q: &q[span.query_row * d + column..],
            k: &k[span.key_row * d + column..],
            v: &v[span.key_row * d + column..],
            stride: d,
            queries: span.queries,
            keys: span.keys,
            head_dim,
            causal: heads.causal,
            // SAFETY: the query rows were asserted to lie inside `out`.
            out: Shared(unsafe { out.ptr().add(span.query_row * d + column) }),
        };
        scratch(|buffers| kernels.run(Head { task: &task, scratch: buffers }));
    });
}

/// One head of one sequence. Queries `[queries][head_dim]`, keys and values `[keys][head_dim]`,
/// each row `stride` apart. Made by [`attention`] alone, which has checked that all rows exist and
/// that the output rows belong to this task alone.
struct HeadTask<'a> {
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    stride: usize,
    queries: usize,
    keys: usize,
    head_dim: usize,
    /// Query i sees keys up to `keys - queries + i`.
    causal: bool,
    /// First element of the head's output rows, `stride` apart.
    out: Shared<f32>,
}

struct Head<'a> {
    task: &'a HeadTask<'a>,
    scratch: &'a mut Scratch,
}

impl Operation for Head<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Tile, const MR: usize, const C: usize>(self, isa: I) {
        // SAFETY: what a `HeadTask` is known to be.
        unsafe { head::<I, MR, C>(isa, self.task, self.scratch) }
    }
}

/// `softmax(scale * q k^T) v`, scale = 1/sqrt(head_dim). Chains run over ascending head
/// dimension and ascending keys; masked keys take part with probability +0, and a result of -0
/// becomes +0, so that keys beyond the mask cannot change a bit.
///
/// # Safety
/// All rows exist; the output rows belong to this task alone.
#[inline(always)]
unsafe fn head<I: Tile, const MR: usize, const C: usize>(
    isa: I,
    task: &HeadTask,
    scratch: &mut Scratch,
) {
    let mut clock = clock(Stage::Attention);
    let nr = C * I::LANES;
    let HeadTask { stride, queries, keys, head_dim: d, .. } = *task;
    let tiles = queries.div_ceil(MR);
    let key_panels = keys.div_ceil(nr);
    let padded_keys = key_panels * nr;
    let out_panels = d.div_ceil(nr);
    let Scratch { acc, wide, more: [packed, scores, zeros] } = scratch;
    acc.grow(MR * nr);
    wide.grow((d * padded_keys).max(keys * out_panels * nr));
    packed.grow(queries * d.max(keys));
    scores.grow(queries * padded_keys);
    zeros.grow(nr);
    let bias = Init::Bias(zeros.as_ptr());

    // Keys as panels [d][nr]; columns beyond the last key only pad.
    for (j, panel) in wide[..d * padded_keys].chunks_exact_mut(d * nr).enumerate() {
        let count = nr.min(keys - j * nr);
        if count < nr {
            panel.fill(0.0);
        }
        transpose(isa, &task.k[j * nr * stride..], stride, count, panel, nr);
    }
    let of_keys = Magnitudes::of(I::WATCHED, &wide[..d * padded_keys]);
    let of_zeros = Magnitudes::of(I::WATCHED, &[]);
    for t in 0..tiles {
        let (start, r) = tile_of(queries, tiles, t);
        let rows = &mut packed[start * d..][..r * d];
        transpose(isa, &task.q[start * stride..], stride, r, rows, r);
        let normal = I::WATCHED && range::normal(d, of_zeros, Magnitudes::of(true, rows), of_keys);
        for p in 0..key_panels {
            // SAFETY: the tile, the panel and MR * nr accumulators exist (grown above).
            unsafe {
                let a = packed.as_ptr().add(start * d);
                let b = Weights::F32(wide.as_ptr().add(p * d * nr));
                let (dst, ahead) = (acc.as_mut_ptr(), Ahead::nothing(a));
                let chains = Chains { depth: d, a, init: bias, dst, normal, ahead };
                tile::<I, MR, C>(isa, r, b, chains);
            }
            for row in 0..r {
                scores[(start + row) * padded_keys + p * nr..][..nr]
                    .copy_from_slice(&acc[row * nr..][..nr]);
            }
        }
    }
    clock.switch(Stage::Softmax);
    // HF: 1/sqrt(head_dim), computed in f64 and rounded.
    let scale = (1.0 / (d as f64).sqrt()) as f32;
    for i in 0..queries {
        let seen = if task.causal { keys - queries + i + 1 } else { keys };
        let row = &mut scores[i * padded_keys..][..keys];
        norm::softmax(isa, &mut row[..seen], scale);
        row[seen..].fill(0.0);
    }
    clock.switch(Stage::Attention);
    // Values as panels [keys][nr].
    for (p, panel) in wide[..keys * out_panels * nr].chunks_exact_mut(keys * nr).enumerate() {
        let valid = nr.min(d - p * nr);
        for (j, out) in panel.chunks_exact_mut(nr).enumerate() {
            out[..valid].copy_from_slice(&task.v[j * stride + p * nr..][..valid]);
            out[valid..].fill(0.0);
        }
    }
    let of_values = Magnitudes::of(I::WATCHED, &wide[..keys * out_panels * nr]);
    for t in 0..tiles {
        let (start, r) = tile_of(queries, tiles, t);
        let rows = &mut packed[start * keys..][..r * keys];
        transpose(isa, &scores[start * padded_keys..], padded_keys, r, rows, r);
        let normal =
            I::WATCHED && range::normal(keys, of_zeros, Magnitudes::of(true, rows), of_values);
        for p in 0..out_panels {
            let valid = nr.min(d - p * nr);
            // SAFETY: the tile, the panel and MR * nr accumulators exist; the output rows belong
            // to this task.
            unsafe {
                let a = packed.as_ptr().add(start * keys);
                let b = Weights::F32(wide.as_ptr().add(p * keys * nr));
                let (dst, ahead) = (acc.as_mut_ptr(), Ahead::nothing(a));
                let chains = Chains { depth: keys, a, init: bias, dst, normal, ahead };
                tile::<I, MR, C>(isa, r, b, chains);
                for row in 0..r {
                    let values = acc.as_mut_ptr().add(row * nr);
                    for c in (0..nr).step_by(I::LANES) {
                        let v = isa.add(isa.load_ptr(values.add(c)), isa.splat(0.0));
                        isa.store_ptr(values.add(c), v);
                    }
                    let out = task.out.ptr().add((start + row) * stride + p * nr);
                    std::ptr::copy_nonoverlapping(values, out, valid);
                }
            }
        }
    }
}
