//! The vision tower's tensors on the device: vectors as they are, matrices turned to [k][n].

use clip_core::{
    Tower,
    config::ClipConfig,
    tensors::{Affine, BlockPart, TensorId},
    weights::Weights,
};
use wgpu::Buffer;

use crate::{device::Gpu, error::GpuError};

/// `[k][n]` and its bias.
#[derive(Debug)]
pub(super) struct Linear {
    pub(super) weight: Buffer,
    pub(super) bias: Option<Buffer>,
    pub(super) n: usize,
    pub(super) k: usize,
}

#[derive(Debug)]
pub(super) struct Norm {
    pub(super) gamma: Buffer,
    pub(super) beta: Buffer,
}

#[derive(Debug)]
pub(super) struct Block {
    pub(super) norm1: Norm,
    pub(super) q: Linear,
    pub(super) k: Linear,
    pub(super) v: Linear,
    pub(super) out: Linear,
    pub(super) norm2: Norm,
    pub(super) fc1: Linear,
    pub(super) fc2: Linear,
}

#[derive(Debug)]
pub(super) struct TowerWeights {
    pub(super) class: Buffer,
    pub(super) positions: Buffer,
    pub(super) patches: Linear,
    pub(super) pre_norm: Norm,
    pub(super) blocks: Vec<Block>,
    pub(super) post_norm: Norm,
    pub(super) projection: Linear,
}

struct Loader<'a> {
    gpu: &'a Gpu,
    weights: &'a Weights<'a>,
}

impl TowerWeights {
    pub(super) fn load(
        gpu: &Gpu,
        config: &ClipConfig,
        weights: &Weights,
    ) -> Result<Self, GpuError> {
        let (loader, tower) = (Loader { gpu, weights }, Tower::Vision);
        let block = |layer| {
            let norm = |part| loader.norm(|affine| TensorId::Block(tower, layer, part, affine));
            let linear = |part| loader.linear(|affine| TensorId::Block(tower, layer, part, affine));
            Ok(Block {
                norm1: norm(BlockPart::Norm1)?,
                q: linear(BlockPart::Query)?,
                k: linear(BlockPart::Key)?,
                v: linear(BlockPart::Value)?,
                out: linear(BlockPart::Out)?,
                norm2: norm(BlockPart::Norm2)?,
                fc1: linear(BlockPart::Fc1)?,
                fc2: linear(BlockPart::Fc2)?,
            })
        };
        let all = TowerWeights {
            class: loader.vector(TensorId::ClassEmbedding)?,
            positions: loader.vector(TensorId::PositionEmbedding(tower))?,
            patches: loader.matrix(TensorId::PatchEmbedding)?,
            pre_norm: loader.norm(TensorId::PreNorm)?,
            blocks: (0..config.vision.layers).map(block).collect::<Result<_, GpuError>>()?,
            post_norm: loader.norm(|affine| TensorId::FinalNorm(tower, affine))?,
            projection: loader.matrix(TensorId::Projection(tower))?,
        };
        gpu.check()?;
        Ok(all)
    }
}

impl Loader<'_> {
    fn values(&self, id: TensorId) -> Result<(Vec<f32>, usize), GpuError> {
        let name = id.name();
        let found = self.weights.tensors().iter().find(|tensor| tensor.name == name);
        let tensor = found.ok_or(GpuError::Missing(name))?;
        Ok((tensor.to_vec(), tensor.shape.first().copied().unwrap_or(1).max(1)))
    }

    fn vector(&self, id: TensorId) -> Result<Buffer, GpuError> {
        Ok(self.gpu.upload(&self.values(id)?.0))
    }

    fn norm(&self, id: impl Fn(Affine) -> TensorId) -> Result<Norm, GpuError> {
        let gamma = self.vector(id(Affine::Weight))?;
        Ok(Norm { gamma, beta: self.vector(id(Affine::Bias))? })
    }

    fn linear(&self, id: impl Fn(Affine) -> TensorId) -> Result<Linear, GpuError> {
        let bias = Some(self.vector(id(Affine::Bias))?);
        Ok(Linear { bias, ..self.matrix(id(Affine::Weight))? })
    }

    fn matrix(&self, id: TensorId) -> Result<Linear, GpuError> {
        let (values, n) = self.values(id)?;
        let k = values.len() / n;
        let weight = self.gpu.upload(&turned(&values, n, k));
        Ok(Linear { weight, bias: None, n, k })
    }
}

/// `[n][k]` to `[k][n]`.
pub(crate) fn turned(values: &[f32], n: usize, k: usize) -> Vec<f32> {
    /// Rows at once, so that a cache line that is written is filled.
    const ROWS: usize = 16;
    let mut out = vec![0.0; n * k];
    for (block, rows) in values.chunks(ROWS * k).enumerate() {
        for (i, line) in out.chunks_exact_mut(n).enumerate() {
            for (r, row) in rows.chunks_exact(k).enumerate() {
                line[block * ROWS + r] = row[i];
            }
        }
    }
    out
}
