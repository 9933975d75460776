//! The tower for some number of images, as a list of dispatches.

use clip_core::config::{Activation, ClipConfig};
use wgpu::Buffer;

use super::weights::{Linear, Norm, TowerWeights};
use crate::{
    device::{Call, Dispatch, Gpu},
    kernel::Kernel,
};

/// Buffers that live through all layers, for as many images as go through at once.
#[derive(Debug)]
pub(super) struct Activations {
    pub(super) pixels: Buffer,
    patches: Buffer,
    /// The residual stream; the two change roles.
    x: [Buffer; 2],
    normed: Buffer,
    q: Buffer,
    k: Buffer,
    v: Buffer,
    context: Buffer,
    inner: Buffer,
    pub(super) out: Buffer,
    /// Bound where there is nothing to read.
    nothing: Buffer,
}

impl Activations {
    pub(super) fn new(gpu: &Gpu, config: &ClipConfig, images: usize) -> Self {
        let v = &config.vision;
        let rows = images * v.positions();
        let hidden = || gpu.storage(rows * v.hidden_size);
        let pixels = images * 3 * v.image_size * v.image_size;
        Activations {
            pixels: gpu.storage(pixels),
            patches: gpu.storage(pixels),
            x: [hidden(), hidden()],
            normed: hidden(),
            q: hidden(),
            k: hidden(),
            v: hidden(),
            context: hidden(),
            inner: gpu.storage(rows * v.intermediate_size),
            out: gpu.storage(images * config.projection_dim),
            nothing: gpu.storage(4),
        }
    }

    /// Floats per image of the largest buffer, and of all.
    pub(super) fn floats(config: &ClipConfig) -> (usize, usize) {
        let v = &config.vision;
        let pixels = 3 * v.image_size * v.image_size;
        let (hidden, inner) = (v.positions() * v.hidden_size, v.positions() * v.intermediate_size);
        (pixels.max(inner).max(hidden), 2 * pixels + 7 * hidden + inner + config.projection_dim)
    }
}

/// What a stage of a trace shows: `rows` rows of `width` values, after so many dispatches.
#[derive(Debug)]
pub(super) struct StagePoint {
    pub(super) name: String,
    pub(super) after: usize,
    pub(super) buffer: Buffer,
    pub(super) rows: usize,
    pub(super) width: usize,
}

#[derive(Debug)]
pub(super) struct Plan {
    pub(super) dispatches: Vec<Dispatch>,
    pub(super) stages: Vec<StagePoint>,
}

/// What happens to the outputs of a linear layer; the numbers are those of linear.wgsl.
#[derive(Clone, Copy)]
pub(crate) enum Epilogue<'a> {
    Store,
    QuickGelu,
    Gelu,
    /// Adds rows that lie so many floats apart.
    Add(&'a Buffer, usize),
}

impl Epilogue<'_> {
    pub(crate) fn number(self) -> u32 {
        match self {
            Epilogue::Store => 0,
            Epilogue::QuickGelu => 1,
            Epilogue::Gelu => 2,
            Epilogue::Add(..) => 3,
        }
    }
}

struct Planner<'a> {
    buffers: &'a Activations,
    calls: Vec<Call>,
}

impl Plan {
    pub(super) fn new(
        gpu: &Gpu,
        config: &ClipConfig,
        weights: &TowerWeights,
        buffers: &Activations,
        images: usize,
    ) -> Self {
        let v = &config.vision;
        let (d, grid, tokens) = (v.hidden_size, v.grid(), v.positions());
        let patches = grid * grid;
        let width = 3 * v.patch_size * v.patch_size;
        let rows = images * tokens;
        let activation = match v.activation {
            Activation::QuickGelu => Epilogue::QuickGelu,
            Activation::Gelu => Epilogue::Gelu,
        };
        let eps = v.layer_norm_eps;
        let mut plan = Planner { buffers, calls: Vec::new() };
        let mut stages = Vec::new();

        plan.add(
            Kernel::Gather,
            [v.image_size as u32, v.patch_size as u32, grid as u32, 0, 0, 0, 0, 0],
            &[&buffers.pixels, &buffers.patches],
            [groups(width, 64), patches as u32, images as u32],
        );
        let embedded = &buffers.context;
        plan.linear(
            &weights.patches,
            &buffers.patches,
            images * patches,
            Epilogue::Store,
            embedded,
        );
        let [mut x, mut next] = [&buffers.x[0], &buffers.x[1]];
        plan.add(
            Kernel::Embed,
            [tokens as u32, d as u32, 0, 0, 0, 0, 0, 0],
            &[embedded, &weights.class, &weights.positions, next],
            [groups(d, 64), tokens as u32, images as u32],
        );
        plan.norm(&weights.pre_norm, next, (rows, d, d), eps, x);
        let mut stage = |name: String, plan: &Planner, buffer: &Buffer, rows| {
            let (after, buffer) = (plan.calls.len(), buffer.clone());
            stages.push(StagePoint { name, after, buffer, rows, width: d });
        };
        stage("embeddings".into(), &plan, x, rows);
        for (i, block) in weights.blocks.iter().enumerate() {
            // After the last block only the class tokens are read: its queries are theirs alone.
            let last = i + 1 == weights.blocks.len();
            let (queries, stride) = if last { (1, tokens * d) } else { (tokens, d) };
            let kept = images * queries;
            let Activations { normed, q, k, v: values, context, inner, .. } = buffers;
            plan.norm(&block.norm1, x, (rows, d, d), eps, normed);
            plan.linear(&block.k, normed, rows, Epilogue::Store, k);
            plan.linear(&block.v, normed, rows, Epilogue::Store, values);
            if last {
                plan.norm(&block.norm1, x, (kept, d, stride), eps, normed);
            }
            plan.linear(&block.q, normed, kept, Epilogue::Store, q);
            let head_dim = d / v.heads;
            // HF: 1/sqrt(head_dim), computed in f64 and rounded.
            let scale = (1.0 / (head_dim as f64).sqrt()) as f32;
            let [queries, tokens, heads, head_dim] =
                [queries, tokens, v.heads, head_dim].map(|n| n as u32);
            plan.add(
                Kernel::Attention,
                [queries, tokens, heads, head_dim, scale.to_bits(), 0, 0, 0],
                &[q, k, values, context],
                [queries.div_ceil(4), heads, images as u32],
            );
            plan.linear(&block.out, context, kept, Epilogue::Add(x, stride), next);
            std::mem::swap(&mut x, &mut next);
            plan.norm(&block.norm2, x, (kept, d, d), eps, normed);
            plan.linear(&block.fc1, normed, kept, activation, inner);
            plan.linear(&block.fc2, inner, kept, Epilogue::Add(x, d), next);
            std::mem::swap(&mut x, &mut next);
            stage(format!("block.{i}"), &plan, x, kept);
        }
        plan.norm(&weights.post_norm, x, (images, d, d), eps, &buffers.normed);
        plan.linear(&weights.projection, &buffers.normed, images, Epilogue::Store, &buffers.out);
        Plan { dispatches: gpu.dispatches(&plan.calls), stages }
    }
}

impl Planner<'_> {
    fn add(&mut self, kernel: Kernel, params: [u32; 8], buffers: &[&Buffer], groups: [u32; 3]) {
        let buffers = buffers.iter().map(|buffer| (*buffer).clone()).collect();
        self.calls.push(Call { kernel, params, buffers, groups });
    }

    /// `rows` rows of `n` values, `stride` apart.
    fn norm(
        &mut self,
        norm: &Norm,
        x: &Buffer,
        (rows, n, stride): (usize, usize, usize),
        eps: f32,
        out: &Buffer,
    ) {
        let params = [rows as u32, n as u32, stride as u32, eps.to_bits(), 0, 0, 0, 0];
        let buffers = [x, &norm.gamma, &norm.beta, out];
        self.add(Kernel::Norm, params, &buffers, [groups(rows, 4), 1, 1]);
    }

    fn linear(&mut self, layer: &Linear, x: &Buffer, m: usize, epilogue: Epilogue, out: &Buffer) {
        let nothing = &self.buffers.nothing;
        let (residual, stride) = match epilogue {
            Epilogue::Add(residual, stride) => (residual, stride),
            _ => (nothing, 0),
        };
        let bias = layer.bias.as_ref();
        let params =
            linear_params([m, layer.n, layer.k], epilogue.number(), bias.is_some(), stride);
        let buffers = [x, &layer.weight, bias.unwrap_or(nothing), residual, out];
        self.add(Kernel::Linear, params, &buffers, [groups(layer.n, 64), groups(m, 64), 1]);
    }
}

pub(crate) fn linear_params(
    [m, n, k]: [usize; 3],
    epilogue: u32,
    bias: bool,
    residual_stride: usize,
) -> [u32; 8] {
    let stride = residual_stride / 4;
    [m as u32, (n / 4) as u32, (k / 4) as u32, epilogue, bias.into(), stride as u32, 0, 0]
}

pub(crate) fn groups(count: usize, per_group: usize) -> u32 {
    count.div_ceil(per_group) as u32
}
