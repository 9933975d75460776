//! One pre-LN transformer block (`CLIPEncoderLayer`).

use clip_kernels::{
    Aligned, Epilogue, Heads, Kernels, Layer, LayerNorm, Linear, Rows, Span, attention, forward,
};

use super::Parts;
use crate::{
    config::Activation,
    tensors::{BlockPart, TensorId},
    towers::Tower,
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
    /// Whether the sequence goes on from the block's [`Prefix`].
    pub(super) prefixed: bool,
}

/// Keys and values of a first token that came before: in causal attention they depend on nothing
/// after it.
#[derive(Debug)]
pub(super) struct Prefix {
    k: Vec<f32>,
    v: Vec<f32>,
}

impl Prefix {
    /// What a block has just computed for a batch of that one token.
    pub(super) fn of(work: &Workspace, hidden: usize) -> Self {
        Prefix { k: work.k[..hidden].to_vec(), v: work.v[..hidden].to_vec() }
    }
}

/// Makes room in front of each prefixed sequence of `rows` (width `d`), and puts `prefix` there.
fn insert(prefix: &[f32], sequences: &[Sequence], d: usize, rows: &mut [f32]) {
    let mut before = sequences.iter().filter(|s| s.prefixed).count();
    for s in sequences.iter().rev() {
        // From the last to the first, so that no row is overwritten before it has moved.
        rows.copy_within(s.start * d..(s.start + s.len) * d, (s.start + before) * d);
        if s.prefixed {
            before -= 1;
            rows[(s.start + before) * d..][..d].copy_from_slice(prefix);
        }
    }
}

/// Buffers that live through all layers, so that no layer allocates.
pub(super) struct Workspace {
    /// The residual stream `[rows, hidden]`.
    pub(super) x: Aligned<f32>,
    /// Takes the new residual stream; then the two change roles.
    next: Aligned<f32>,
    q: Aligned<f32>,
    k: Aligned<f32>,
    v: Aligned<f32>,
    context: Aligned<f32>,
    rows: Rows,
    /// What the activation gives, as the second layer's rows.
    inner: Rows,
}

impl Workspace {
    /// For `rows` rows, of `sequences` sequences.
    pub(super) fn new(rows: usize, sequences: usize, shape: &Shape) -> Self {
        let hidden = || Aligned::zeroed(rows * shape.hidden);
        let keys = || Aligned::zeroed((rows + sequences) * shape.hidden);
        Workspace {
            x: hidden(),
            next: hidden(),
            q: hidden(),
            k: keys(),
            v: keys(),
            context: hidden(),
            rows: Rows::empty(),
            inner: Rows::empty(),
        }
    }
}

/// Which keys a token sees.
#[derive(Clone, Copy)]
pub(super) enum Attention<'a> {
    Full,
    /// Those up to itself, after the prefix if its sequence is prefixed.
    Causal(Option<&'a Prefix>),
}

impl Block {
    /// All blocks of a tower, first to last.
    pub(super) fn all(
        parts: &mut Parts,
        tower: Tower,
        layers: usize,
        shape: &Shape,
    ) -> Result<Vec<Self>, WeightsError> {
        (0..layers).map(|layer| Block::new(parts, tower, layer, shape)).collect()
    }

    fn new(
        parts: &mut Parts,
        tower: Tower,
        layer: usize,
        shape: &Shape,
    ) -> Result<Self, WeightsError> {
        let norm = |part| move |affine| TensorId::Block(tower, layer, part, affine);
        let mut linear = |part| parts.linear(tower, layer, part);
        let [q, k, v, out, fc1, fc2] = [
            linear(BlockPart::Query)?,
            linear(BlockPart::Key)?,
            linear(BlockPart::Value)?,
            linear(BlockPart::Out)?,
            linear(BlockPart::Fc1)?,
            linear(BlockPart::Fc2)?,
        ];
        let norm1 = parts.layer_norm(norm(BlockPart::Norm1), shape.eps)?;
        let norm2 = parts.layer_norm(norm(BlockPart::Norm2), shape.eps)?;
        let (activation, heads) = (shape.activation, shape.heads);
        Ok(Block { norm1, q, k, v, out, norm2, fc1, fc2, activation, heads })
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
        sees: Attention,
        pooled_only: bool,
    ) {
        let (causal, prefix) = match sees {
            Attention::Full => (false, None),
            Attention::Causal(prefix) => (true, prefix),
        };
        let d = self.q.outputs();
        let all: usize = sequences.iter().map(|s| s.len).sum();
        let Workspace { x, next, q, k, v, context, rows, inner } = work;
        let plain = |linear, out| Layer { linear, epilogue: Epilogue::Store, out };

        rows.pack_normed(kernels, &self.norm1, &x[..all * d]);
        let (k_out, v_out) = (&mut k[..all * d], &mut v[..all * d]);
        let kept = if pooled_only {
            forward(kernels, rows, [plain(&self.k, k_out), plain(&self.v, v_out)]);
            for (i, s) in sequences.iter().enumerate() {
                // Pooled rows move to the front; row i never lies behind a later source.
                let source = (s.start + s.pooled) * d;
                x.copy_within(source..source + d, i * d);
            }
            let kept = sequences.len();
            rows.pack_normed(kernels, &self.norm1, &x[..kept * d]);
            forward(kernels, rows, [plain(&self.q, &mut q[..kept * d])]);
            kept
        } else {
            let q_out = &mut q[..all * d];
            let layers = [plain(&self.q, q_out), plain(&self.k, k_out), plain(&self.v, v_out)];
            forward(kernels, rows, layers);
            all
        };
        if let Some(prefix) = prefix {
            insert(&prefix.k, sequences, d, k);
            insert(&prefix.v, sequences, d, v);
        }
        let mut before = 0;
        let spans = sequences.iter().enumerate().map(|(i, s)| {
            let (key_row, extra) = (s.start + before, usize::from(s.prefixed));
            before += extra;
            match pooled_only {
                true => {
                    let keys = extra + if causal { s.pooled + 1 } else { s.len };
                    Span { query_row: i, queries: 1, key_row, keys }
                }
                false => Span { query_row: s.start, queries: s.len, key_row, keys: extra + s.len },
            }
        });
        let heads = Heads { count: self.heads, width: d, causal };
        attention(kernels, &heads, [&*q, &*k, &*v], &spans.collect::<Vec<_>>(), context);

        rows.pack(kernels, &context[..kept * d], kept, d, d);
        self.out.forward(kernels, rows, Epilogue::Add(&x[..kept * d]), &mut next[..kept * d]);
        std::mem::swap(x, next);

        rows.pack_normed(kernels, &self.norm2, &x[..kept * d]);
        let activation = match self.activation {
            Activation::QuickGelu => Epilogue::QuickGelu,
            Activation::Gelu => Epilogue::Gelu,
        };
        self.fc1.forward_rows(kernels, rows, activation, inner);
        self.fc2.forward(kernels, inner, Epilogue::Add(&x[..kept * d]), &mut next[..kept * d]);
        std::mem::swap(x, next);
    }
}
