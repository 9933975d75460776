//! `CLIPVisionModelWithProjection`: pixel values to the projected class token.

use super::{
    CHUNK_ROWS, Parts, Tracer,
    block::{Attention, Block, Sequence, Shape, Workspace},
    kernels_of,
};
use clip_kernels::{Epilogue, Kernels, LayerNorm, Linear, Rows, for_each_chunk, in_pool, threads};

use crate::{
    config::ClipConfig, image::PixelValues, tensors::TensorId, towers::Tower, weights::WeightsError,
};

#[derive(Debug)]
pub(crate) struct VisionTower {
    kernels: Kernels,
    config: ClipConfig,
    class: Vec<f32>,
    patches: Linear,
    positions: Vec<f32>,
    pre_norm: LayerNorm,
    blocks: Vec<Block>,
    post_norm: LayerNorm,
    projection: Linear,
}

impl VisionTower {
    /// From its packed tensors.
    ///
    /// # Errors
    /// One is missing.
    pub(crate) fn new(parts: &mut Parts, config: &ClipConfig) -> Result<Self, WeightsError> {
        let (tower, v) = (Tower::Vision, &config.vision);
        let post_norm = |affine| TensorId::FinalNorm(tower, affine);
        Ok(VisionTower {
            kernels: kernels_of(parts.kernels, tower),
            class: parts.vector(TensorId::ClassEmbedding)?,
            // The convolution [d, 3, p, p] has stride p: a matrix product over flattened patches.
            patches: parts.matrix(TensorId::PatchEmbedding)?,
            positions: parts.vector(TensorId::PositionEmbedding(tower))?,
            pre_norm: parts.layer_norm(TensorId::PreNorm, v.layer_norm_eps)?,
            blocks: Block::all(parts, tower, v.layers, &shape(config))?,
            post_norm: parts.layer_norm(post_norm, v.layer_norm_eps)?,
            projection: parts.matrix(TensorId::Projection(tower))?,
            config: config.clone(),
        })
    }

    /// One projected vector per image. Each image must have the model's size.
    pub(crate) fn forward(&self, batch: &[&PixelValues], trace: Tracer) -> Vec<Vec<f32>> {
        in_pool(|| self.run(batch, trace))
    }

    fn run(&self, batch: &[&PixelValues], trace: Tracer) -> Vec<Vec<f32>> {
        let chunk = (CHUNK_ROWS / self.config.vision.positions()).max(1);
        if trace.is_some() {
            let mut out = Vec::new();
            self.lane(batch, chunk, trace, &mut out);
            return out;
        }
        // Chunks that run at once fill each other's gaps: a thread that must wait for others at the
        // end of a layer takes work of another chunk. For that a few images go in halves of chunks.
        let chunk = batch.len().div_ceil(threads()).clamp(chunk.div_ceil(2), chunk);
        let lane = chunk * batch.len().div_ceil(chunk).div_ceil(threads()).max(1);
        let mut out = vec![Vec::new(); batch.len().div_ceil(lane)];
        for_each_chunk(&mut out, 1, usize::MAX, |i, out| {
            let images = batch.chunks(lane).nth(i).unwrap_or_default();
            self.lane(images, chunk, None, &mut out[0]);
        });
        out.concat()
    }

    /// Images through the tower, so many at a time.
    fn lane(
        &self,
        batch: &[&PixelValues],
        chunk: usize,
        mut trace: Tracer,
        out: &mut Vec<Vec<f32>>,
    ) {
        let rows = batch.len().min(chunk) * self.config.vision.positions();
        let mut work = Workspace::new(rows, 0, &shape(&self.config));
        for images in batch.chunks(chunk) {
            self.chunk(images, &mut work, trace.as_deref_mut(), out);
        }
    }

    fn chunk(
        &self,
        images: &[&PixelValues],
        work: &mut Workspace,
        mut trace: Tracer,
        out: &mut Vec<Vec<f32>>,
    ) {
        let (per_image, d) = (self.config.vision.positions(), self.config.vision.hidden_size);
        let all = images.len() * per_image;
        self.embed(images, &mut work.x);
        self.pre_norm.forward(&self.kernels, &mut work.x[..all * d]);
        if let Some(trace) = trace.as_deref_mut() {
            trace.f32("embeddings", &[all, d], &work.x[..all * d]);
        }
        let sequences: Vec<_> = (0..images.len())
            .map(|i| Sequence { start: i * per_image, len: per_image, pooled: 0, prefixed: false })
            .collect();
        let mut rows = all;
        for (i, block) in self.blocks.iter().enumerate() {
            // Only the class token is read after the last block.
            let last = i + 1 == self.blocks.len();
            block.forward(&self.kernels, work, &sequences, Attention::Full, last);
            rows = if last { images.len() } else { rows };
            if let Some(trace) = trace.as_deref_mut() {
                trace.f32(format!("block.{i}"), &[rows, d], &work.x[..rows * d]);
            }
        }
        let pooled = &work.x[..images.len() * d];
        project(&self.kernels, &self.post_norm, &self.projection, pooled, out);
    }

    /// Class token and patches, plus positions: `[images * positions, d]`.
    fn embed(&self, images: &[&PixelValues], x: &mut [f32]) {
        let v = &self.config.vision;
        let (d, p, grid, size) = (v.hidden_size, v.patch_size, v.grid(), v.image_size);
        let patches = grid * grid;
        let width = 3 * p * p;
        let mut flat = vec![0.0; images.len() * patches * width];
        for_each_chunk(&mut flat, width, 8 * width, |index, row| {
            let (image, patch) = (images[index / patches], index % patches);
            let (top, left) = (patch / grid * p, patch % grid * p);
            for (line, out) in row.chunks_exact_mut(p).enumerate() {
                let (channel, y) = (line / p, top + line % p);
                out.copy_from_slice(&image.data[(channel * size + y) * size + left..][..p]);
            }
        });
        let mut rows = Rows::empty();
        rows.pack(&self.kernels, &flat, images.len() * patches, width, width);
        let mut embedded = vec![0.0; images.len() * patches * d];
        self.patches.forward(&self.kernels, &rows, Epilogue::Store, &mut embedded);
        let all = &mut x[..images.len() * (patches + 1) * d];
        for_each_chunk(all, (patches + 1) * d, patches * d, |image, x| {
            x[..d].copy_from_slice(&self.class);
            x[d..].copy_from_slice(&embedded[image * patches * d..][..patches * d]);
            x.iter_mut().zip(&self.positions).for_each(|(x, p)| *x += p);
        });
    }
}

fn shape(config: &ClipConfig) -> Shape {
    let v = &config.vision;
    Shape { hidden: v.hidden_size, heads: v.heads, activation: v.activation, eps: v.layer_norm_eps }
}

/// Normalises and projects pooled rows and appends them to `out`.
pub(super) fn project(
    kernels: &Kernels,
    norm: &LayerNorm,
    projection: &Linear,
    pooled: &[f32],
    out: &mut Vec<Vec<f32>>,
) {
    let (n, count) = (projection.outputs(), pooled.len() / projection.inputs());
    let mut rows = Rows::empty();
    rows.pack_normed(kernels, norm, pooled);
    let mut projected = vec![0.0; count * n];
    projection.forward(kernels, &rows, Epilogue::Store, &mut projected);
    out.extend(projected.chunks_exact(n).map(<[f32]>::to_vec));
}
