//! `CLIPTextModelWithProjection`: token ids to the projected end-of-text state.

use std::sync::OnceLock;

use super::{
    CHUNK_ROWS, Parts, Tracer,
    block::{Attention, Block, Prefix, Sequence, Shape, Workspace},
    kernels_of,
    table::Table,
    vision::project,
};
use clip_kernels::{Kernels, LayerNorm, Linear, in_pool};

use crate::{config::ClipConfig, tensors::TensorId, towers::Tower, weights::WeightsError};

#[derive(Debug)]
pub(crate) struct TextTower {
    kernels: Kernels,
    config: ClipConfig,
    tokens: Table,
    positions: Vec<f32>,
    blocks: Vec<Block>,
    final_norm: LayerNorm,
    projection: Linear,
    first: OnceLock<First>,
}

/// The token that all texts begin with, and what each block made of it: computed once.
#[derive(Debug)]
struct First {
    id: u32,
    prefixes: Vec<Prefix>,
}

impl TextTower {
    /// From its packed tensors.
    ///
    /// # Errors
    /// One is missing.
    pub(crate) fn new(parts: &mut Parts, config: &ClipConfig) -> Result<Self, WeightsError> {
        let (tower, t) = (Tower::Text, &config.text);
        let norm = |affine| TensorId::FinalNorm(tower, affine);
        Ok(TextTower {
            kernels: kernels_of(parts.kernels, tower),
            tokens: parts.table(TensorId::TokenEmbedding)?,
            positions: parts.vector(TensorId::PositionEmbedding(tower))?,
            blocks: Block::all(parts, tower, t.layers, &shape(config))?,
            final_norm: parts.layer_norm(norm, t.layer_norm_eps)?,
            projection: parts.matrix(TensorId::Projection(tower))?,
            config: config.clone(),
            first: OnceLock::new(),
        })
    }

    /// The token embedding.
    pub(crate) fn tokens(&self) -> &Table {
        &self.tokens
    }

    /// The token embedding, to add rows to it.
    pub(crate) fn tokens_mut(&mut self) -> &mut Table {
        &mut self.tokens
    }

    /// One projected vector per text. Ids are non-empty, at most `max_positions` long and inside
    /// the vocabulary ([`crate::Clip`] checks it).
    pub(crate) fn forward(&self, batch: &[&[u32]], trace: Tracer) -> Vec<Vec<f32>> {
        in_pool(|| self.run(batch, trace))
    }

    fn run(&self, batch: &[&[u32]], mut trace: Tracer) -> Vec<Vec<f32>> {
        // Causal attention: tokens after the pooled one cannot change it.
        let used: Vec<&[u32]> =
            batch.iter().map(|ids| &ids[..=self.config.text.pooled_position(ids)]).collect();
        let mut out = Vec::with_capacity(batch.len());
        let mut rest = &used[..];
        while !rest.is_empty() {
            let mut rows = 0;
            let fits = rest.iter().take_while(|ids| {
                rows += ids.len();
                rows <= CHUNK_ROWS
            });
            let count = fits.count().max(1);
            self.chunk(&rest[..count], trace.as_deref_mut(), &mut out);
            rest = &rest[count..];
        }
        out
    }

    fn chunk(&self, batch: &[&[u32]], mut trace: Tracer, out: &mut Vec<Vec<f32>>) {
        let d = self.config.text.hidden_size;
        // A trace shows every row.
        let first = if trace.is_some() { None } else { self.first(batch) };
        let mut sequences = Vec::with_capacity(batch.len());
        let mut all = 0;
        for ids in batch {
            let prefixed = ids.len() > 1 && first.is_some_and(|first| first.id == ids[0]);
            let len = ids.len() - usize::from(prefixed);
            sequences.push(Sequence { start: all, len, pooled: len - 1, prefixed });
            all += len;
        }
        let mut work = Workspace::new(all, batch.len(), &shape(&self.config));
        for (sequence, ids) in sequences.iter().zip(batch) {
            let rows = ids.iter().enumerate().skip(ids.len() - sequence.len);
            for ((position, &id), row) in rows.zip(sequence.start..) {
                self.embed(position, id, &mut work.x[row * d..][..d]);
            }
        }
        if let Some(trace) = trace.as_deref_mut() {
            trace.f32("embeddings", &[all, d], &work.x[..all * d]);
        }
        let mut rows = all;
        for (i, block) in self.blocks.iter().enumerate() {
            let last = i + 1 == self.blocks.len();
            let sees = Attention::Causal(first.map(|first| &first.prefixes[i]));
            block.forward(&self.kernels, &mut work, &sequences, sees, last);
            rows = if last { batch.len() } else { rows };
            if let Some(trace) = trace.as_deref_mut() {
                trace.f32(format!("block.{i}"), &[rows, d], &work.x[..rows * d]);
            }
        }
        let pooled = &work.x[..batch.len() * d];
        project(&self.kernels, &self.final_norm, &self.projection, pooled, out);
    }

    /// `x` = the embedding of token `id` at `position`.
    fn embed(&self, position: usize, id: u32, x: &mut [f32]) {
        x.copy_from_slice(&self.positions[position * x.len()..][..x.len()]);
        self.tokens.add_row(id as usize, x);
    }

    /// The states of the first token, computed with the first text of more than one token.
    fn first(&self, batch: &[&[u32]]) -> Option<&First> {
        if self.first.get().is_none() {
            let id = batch.iter().find(|ids| ids.len() > 1)?[0];
            let d = self.config.text.hidden_size;
            let mut work = Workspace::new(1, 1, &shape(&self.config));
            self.embed(0, id, &mut work.x[..d]);
            let alone = [Sequence { start: 0, len: 1, pooled: 0, prefixed: false }];
            let prefixes = self.blocks.iter().map(|block| {
                block.forward(&self.kernels, &mut work, &alone, Attention::Causal(None), false);
                Prefix::of(&work, d)
            });
            // Another thread may have been faster; its states have the same bits. (`get_or_init`
            // could deadlock: a waiting pool thread may be handed a task that waits, too.)
            let _ = self.first.set(First { id, prefixes: prefixes.collect() });
        }
        self.first.get()
    }
}

fn shape(config: &ClipConfig) -> Shape {
    let t = &config.text;
    Shape { hidden: t.hidden_size, heads: t.heads, activation: t.activation, eps: t.layer_norm_eps }
}
