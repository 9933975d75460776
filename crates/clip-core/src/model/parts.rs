//! Packed tensors, until the towers are put together.

use std::collections::HashMap;

use clip_kernels::{Kernels, LayerNorm, Linear, UsualRows};

use super::Table;
use crate::{
    tensors::{Affine, BlockPart, Role, TensorId},
    towers::Tower,
    weights::{Dtype, Tensor, WeightsError},
};

/// Packed tensors. Taking one removes it.
#[derive(Debug)]
pub(crate) struct Parts {
    /// What they are packed for, each tower's for [`kernels_of`] it.
    pub(crate) kernels: Kernels,
    parts: HashMap<TensorId, Part>,
}

#[derive(Debug)]
enum Part {
    Vector(Vec<f32>),
    Matrix(Linear),
    Table(Table),
}

/// Those of a tower: a text has few tokens, an image many patches.
pub(crate) fn kernels_of(kernels: Kernels, tower: Tower) -> Kernels {
    kernels.for_rows(match tower {
        Tower::Text => UsualRows::Few,
        Tower::Vision => UsualRows::Many,
    })
}

impl Parts {
    pub(crate) fn new(kernels: Kernels) -> Self {
        Parts { kernels, parts: HashMap::new() }
    }

    /// Packs `tensor`, whose shape was checked and whose values are finite, in the form that the towers
    /// use.
    pub(crate) fn add(&mut self, id: TensorId, tensor: &Tensor) {
        let part = match (id.role(), id.tower(), tensor.shape.as_slice()) {
            (Role::Table, _, &[_, d]) => Part::Table(Table::load(tensor, d)),
            (Role::Matrix, Some(tower), &[n, ..]) => {
                let kernels = &kernels_of(self.kernels, tower);
                let k = tensor.len().checked_div(n).unwrap_or(0);
                Part::Matrix(if kernels.keeps_f16() && tensor.dtype() == Dtype::F16 {
                    Linear::pack_f16(kernels, n, k, |i, out| tensor.read_f16(i * k, out))
                } else {
                    Linear::pack(kernels, n, k, |i, out| tensor.read(i * k, out))
                })
            }
            _ => Part::Vector(tensor.to_vec()),
        };
        self.parts.insert(id, part);
    }

    /// Stands in for the token embedding: its rows come later.
    pub(crate) fn add_empty_table(&mut self, vocab: usize, d: usize, rows: usize) {
        let table = Part::Table(Table::empty(vocab, d, rows));
        self.parts.insert(TensorId::TokenEmbedding, table);
    }

    pub(crate) fn has(&self, id: TensorId) -> bool {
        self.parts.contains_key(&id)
    }

    pub(super) fn vector(&mut self, id: TensorId) -> Result<Vec<f32>, WeightsError> {
        match self.parts.remove(&id) {
            Some(Part::Vector(values)) => Ok(values),
            _ => Err(missing(id)),
        }
    }

    pub(super) fn matrix(&mut self, id: TensorId) -> Result<Linear, WeightsError> {
        match self.parts.remove(&id) {
            Some(Part::Matrix(linear)) => Ok(linear),
            _ => Err(missing(id)),
        }
    }

    pub(super) fn table(&mut self, id: TensorId) -> Result<Table, WeightsError> {
        match self.parts.remove(&id) {
            Some(Part::Table(table)) => Ok(table),
            _ => Err(missing(id)),
        }
    }

    /// A linear layer of block `layer`, with its bias.
    pub(super) fn linear(
        &mut self,
        tower: Tower,
        layer: usize,
        part: BlockPart,
    ) -> Result<Linear, WeightsError> {
        let bias = self.vector(TensorId::Block(tower, layer, part, Affine::Bias))?;
        let weight = self.matrix(TensorId::Block(tower, layer, part, Affine::Weight))?;
        Ok(weight.with_bias(&bias))
    }

    /// The LayerNorm whose two tensors are `id(Weight)` and `id(Bias)`.
    pub(super) fn layer_norm(
        &mut self,
        id: impl Fn(Affine) -> TensorId,
        eps: f32,
    ) -> Result<LayerNorm, WeightsError> {
        let gamma = self.vector(id(Affine::Weight))?;
        let beta = self.vector(id(Affine::Bias))?;
        Ok(LayerNorm::new(&gamma, &beta, eps))
    }
}

/// Not reached: what a model has was asked for before.
fn missing(id: TensorId) -> WeightsError {
    WeightsError::Mismatch(vec![format!("{} is missing", id.name())])
}
