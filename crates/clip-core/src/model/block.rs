//! One pre-LN transformer block (`CLIPEncoderLayer`).

use super::Loader;
use crate::{
    config::Activation,
    kernel::{Aligned, Epilogue, Heads, Kernels, LayerNorm, Linear, Rows, Span, attention},
    weights::WeightsError,
};

#[derive(Debug)]
pub(super) struct Block {
    norm1: LayerNorm,
    q: Linear,
    k: Linear,
    v: Linear,
    out: Linear,
    norm2: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    activation: Activation,
    heads: usize,
}

/// Shape of a block, shared by all layers of a tower.
pub(super) struct Shape {
    pub(super) hidden: usize,
    pub(super) intermediate: usize,
    pub(super) heads: usize,
    pub(super) activation: Activation,
    pub(super) eps: f32,
}

/// One sequence of a ragged batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sequence {
    /// First row in the batch.
    pub(super) start: usize,
    pub(super) len: usize,
    /// Row (in the sequence) that the tower pools.
    pub(super) pooled: usize,
}

/// Buffers that live through all layers, so that no layer allocates.
pub(super) struct Workspace {
    /// The residual stream `[rows, hidden]`.
    pub(super) x: Aligned<f32>,
    normed: Aligned<f32>,
    q: Aligned<f32>,
    k: Aligned<f32>,
    v: Aligned<f32>,
    context: Aligned<f32>,
    inner: Aligned<f32>,
    rows: Rows,
}

impl Workspace {
    pub(super) fn new(rows: usize, shape: &Shape) -> Self {
        let hidden = || Aligned::zeroed(rows * shape.hidden);
        Workspace {
            x: hidden(),
            normed: hidden(),
            q: hidden(),
            k: hidden(),
            v: hidden(),
            context: hidden(),
            inner: Aligned::zeroed(rows * shape.intermediate),
            rows: Rows::empty(),
        }
    }
}

impl Block {
    pub(super) fn load(loader: &Loader, name: &str, shape: &Shape) -> Result<Self, WeightsError> {
        let d = shape.hidden;
        let attention = |part: &str| loader.linear(&format!("{name}.self_attn.{part}_proj"), d, d);
        Ok(Block {
            norm1: loader.layer_norm(&format!("{name}.layer_norm1"), shape.eps)?,
            q: attention("q")?,
            k: attention("k")?,
            v: attention("v")?,
            out: attention("out")?,
            norm2: loader.layer_norm(&format!("{name}.layer_norm2"), shape.eps)?,
            fc1: loader.linear(&format!("{name}.mlp.fc1"), shape.intermediate, d)?,
            fc2: loader.linear(&format!("{name}.mlp.fc2"), d, shape.intermediate)?,
            activation: shape.activation,
            heads: shape.heads,
        })
    }

    /// `x + attention(norm1(x))`, then `x + mlp(norm2(x))`, in place.
    ///
    /// With `pooled_only` (the last layer), rows that are not pooled are not computed after their
    /// keys and values: the first `sequences.len()` rows of `x` become the pooled ones.
    pub(super) fn forward(
        &self,
        kernels: &Kernels,
        work: &mut Workspace,
        sequences: &[Sequence],
        causal: bool,
        pooled_only: bool,
    ) {
        let d = self.q.n;
        let all: usize = sequences.iter().map(|s| s.len).sum();
        let Workspace { x, normed, q, k, v, context, inner, rows } = work;

        normed[..all * d].copy_from_slice(&x[..all * d]);
        self.norm1.forward(kernels, &mut normed[..all * d]);
        rows.pack(kernels, &normed[..all * d], all, d, d);
        self.k.forward(kernels, rows, Epilogue::Store, &mut k[..all * d]);
        self.v.forward(kernels, rows, Epilogue::Store, &mut v[..all * d]);
        let kept = if pooled_only {
            for (i, s) in sequences.iter().enumerate() {
                // Pooled rows move to the front; row i never lies behind a later source.
                let source = (s.start + s.pooled) * d;
                normed.copy_within(source..source + d, i * d);
                x.copy_within(source..source + d, i * d);
            }
            rows.pack(kernels, &normed[..sequences.len() * d], sequences.len(), d, d);
            sequences.len()
        } else {
            all
        };
        self.q.forward(kernels, rows, Epilogue::Store, &mut q[..kept * d]);
        let spans = sequences.iter().enumerate().map(|(i, s)| match pooled_only {
            true => {
                let keys = if causal { s.pooled + 1 } else { s.len };
                Span { query_row: i, queries: 1, key_row: s.start, keys }
            }
            false => Span { query_row: s.start, queries: s.len, key_row: s.start, keys: s.len },
        });
        let heads = Heads { count: self.heads, width: d, causal };
        attention(kernels, &heads, [&*q, &*k, &*v], &spans.collect::<Vec<_>>(), context);

        rows.pack(kernels, &context[..kept * d], kept, d, d);
        // `normed` takes the new residual stream; then the two change roles.
        self.out.forward(kernels, rows, Epilogue::Add(&x[..kept * d]), &mut normed[..kept * d]);
        std::mem::swap(x, normed);

        normed[..kept * d].copy_from_slice(&x[..kept * d]);
        self.norm2.forward(kernels, &mut normed[..kept * d]);
        rows.pack(kernels, &normed[..kept * d], kept, d, d);
        let activation = match self.activation {
            Activation::QuickGelu => Epilogue::QuickGelu,
            Activation::Gelu => Epilogue::Gelu,
        };
        let width = self.fc1.n;
        self.fc1.forward(kernels, rows, activation, &mut inner[..kept * width]);
        rows.pack(kernels, &inner[..kept * width], kept, width, width);
        self.fc2.forward(kernels, rows, Epilogue::Add(&x[..kept * d]), &mut normed[..kept * d]);
        std::mem::swap(x, normed);
    }
}
