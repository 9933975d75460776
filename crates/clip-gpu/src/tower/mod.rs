//! The vision tower on a device: images in, projected class tokens out.

mod plan;
mod weights;

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, PoisonError},
};

use clip_core::{
    Tower,
    config::ClipConfig,
    image::PixelValues,
    trace::{Stage, sha256_f32},
    weights::Weights,
};
use wgpu::Buffer;

use crate::{
    device::{Gpu, Reading},
    error::GpuError,
};
use plan::{Activations, Plan};
#[cfg(any(test, feature = "bench"))]
pub(crate) use plan::{groups, linear_params};
use weights::TowerWeights;
#[cfg(test)]
pub(crate) use weights::turned;

/// Images per submission at most: enough to fill a large device. Changes the speed, never a bit.
const IMAGES: usize = 64;
/// Submissions that have not been read: while one is computed, the next is sent.
const IN_FLIGHT: usize = 2;
/// Of all activations, in bytes.
const MEMORY: usize = 1 << 30;
/// What attention.wgsl has room for.
const MOST_TOKENS: usize = 768;
const MOST_HEAD_DIM: usize = 128;
/// Workgroups of one dimension, on every device.
const MOST_GROUPS: usize = 65_535;

/// A tower whose weights lie on the device.
#[derive(Debug)]
pub(crate) struct VisionTower {
    config: ClipConfig,
    weights: TowerWeights,
    /// Images per submission.
    most: usize,
    work: Mutex<Option<Work>>,
}

/// Buffers for `images` images, and plans that use them.
#[derive(Debug)]
struct Work {
    images: usize,
    buffers: Activations,
    /// By number of images.
    plans: HashMap<usize, Plan>,
    staging: [Buffer; IN_FLIGHT],
}

impl VisionTower {
    /// # Errors
    /// The shaders or the device cannot run this shape.
    pub(crate) fn load(
        gpu: &Gpu,
        config: &ClipConfig,
        weights: &Weights,
    ) -> Result<Self, GpuError> {
        let most = images_at_once(gpu, config)?;
        let weights = TowerWeights::load(gpu, config, weights)?;
        Ok(VisionTower { config: config.clone(), weights, most, work: Mutex::new(None) })
    }

    /// As on a device with little memory.
    #[cfg(test)]
    pub(crate) fn with_images_at_once(self, most: usize) -> Self {
        VisionTower { most, ..self }
    }

    /// One projected vector per image, each of the model's size.
    pub(crate) fn forward(
        &self,
        gpu: &Gpu,
        batch: &[PixelValues],
    ) -> Result<Vec<Vec<f32>>, GpuError> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let work = self.reserve(gpu, &mut work, batch.len().min(self.most));
        let dim = self.config.projection_dim;
        let mut out = Vec::with_capacity(batch.len());
        let mut flying: VecDeque<(Reading, usize, usize)> = VecDeque::new();
        for (i, images) in batch.chunks(self.most).enumerate() {
            let slot = i % IN_FLIGHT;
            if flying.len() == IN_FLIGHT {
                land(gpu, work, &mut flying, dim, &mut out)?;
            }
            self.plan(gpu, work, images.len());
            let Some(plan) = work.plans.get(&images.len()) else { continue };
            send(gpu, &work.buffers, images);
            let mut encoder = gpu.encoder();
            gpu.record(&mut encoder, &plan.dispatches);
            let floats = images.len() * dim;
            let reading = gpu.submit(encoder, &work.buffers.out, &work.staging[slot], floats);
            flying.push_back((reading, slot, images.len()));
        }
        while !flying.is_empty() {
            land(gpu, work, &mut flying, dim, &mut out)?;
        }
        Ok(out)
    }

    /// The vector of one image, and the digests of `embeddings` and of each block.
    pub(crate) fn trace(
        &self,
        gpu: &Gpu,
        image: &PixelValues,
    ) -> Result<(Vec<f32>, Vec<Stage>), GpuError> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let work = self.reserve(gpu, &mut work, 1);
        self.plan(gpu, work, 1);
        let Some(plan) = work.plans.get(&1) else { return Ok(Default::default()) };
        send(gpu, &work.buffers, std::slice::from_ref(image));
        let mut stages = Vec::new();
        let mut done = 0;
        for point in &plan.stages {
            let mut encoder = gpu.encoder();
            gpu.record(&mut encoder, &plan.dispatches[done..point.after]);
            done = point.after;
            let (shape, count) = (vec![point.rows, point.width], point.rows * point.width);
            let staging = gpu.staging(count);
            let reading = gpu.submit(encoder, &point.buffer, &staging, count);
            let values: Vec<f32> = gpu.read(reading, &staging, count)?;
            stages.push(Stage { name: point.name.clone(), shape, sha256: sha256_f32(&values) });
        }
        let mut encoder = gpu.encoder();
        gpu.record(&mut encoder, &plan.dispatches[done..]);
        let (staging, dim) = (&work.staging[0], self.config.projection_dim);
        let reading = gpu.submit(encoder, &work.buffers.out, staging, dim);
        Ok((gpu.read(reading, staging, dim)?, stages))
    }

    /// Buffers for so many images.
    fn reserve<'a>(&self, gpu: &Gpu, work: &'a mut Option<Work>, images: usize) -> &'a mut Work {
        if work.as_ref().is_none_or(|work| work.images < images) {
            // Before others take their place.
            *work = None;
        }
        work.get_or_insert_with(|| Work {
            images,
            buffers: Activations::new(gpu, &self.config, images),
            plans: HashMap::new(),
            staging: std::array::from_fn(|_| gpu.staging(images * self.config.projection_dim)),
        })
    }

    fn plan(&self, gpu: &Gpu, work: &mut Work, images: usize) {
        let Work { buffers, plans, .. } = work;
        plans
            .entry(images)
            .or_insert_with(|| Plan::new(gpu, &self.config, &self.weights, buffers, images));
    }
}

fn send(gpu: &Gpu, buffers: &Activations, images: &[PixelValues]) {
    let mut at = 0;
    for image in images {
        gpu.write(&buffers.pixels, at, &image.data);
        at += image.data.len();
    }
}

/// Reads the oldest submission.
fn land(
    gpu: &Gpu,
    work: &Work,
    flying: &mut VecDeque<(Reading, usize, usize)>,
    dim: usize,
    out: &mut Vec<Vec<f32>>,
) -> Result<(), GpuError> {
    let Some((reading, slot, images)) = flying.pop_front() else { return Ok(()) };
    let values: Vec<f32> = gpu.read(reading, &work.staging[slot], images * dim)?;
    out.extend(values.chunks_exact(dim).map(<[f32]>::to_vec));
    Ok(())
}

/// How many images one submission takes.
fn images_at_once(gpu: &Gpu, config: &ClipConfig) -> Result<usize, GpuError> {
    let v = &config.vision;
    let head_dim = v.hidden_size / v.heads.max(1);
    let patch = 3 * v.patch_size * v.patch_size;
    let widths = [v.hidden_size, v.intermediate_size, config.projection_dim, patch];
    if v.positions() > MOST_TOKENS || head_dim > MOST_HEAD_DIM {
        return Err(GpuError::Unsupported(format!(
            "{} tokens in heads of {head_dim}; at most {MOST_TOKENS} in heads of {MOST_HEAD_DIM}",
            v.positions()
        )));
    }
    if let Some(odd) = widths.iter().find(|width| **width % 4 != 0) {
        return Err(GpuError::Unsupported(format!("a width of {odd}, which is no multiple of 4")));
    }
    let limits = gpu.limits();
    let binding = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
    let binding = usize::try_from(binding / 4).unwrap_or(usize::MAX);
    let tensors = config.tensors();
    let own = tensors.iter().filter(|spec| spec.id.tower() == Some(Tower::Vision));
    let largest = own.map(|spec| spec.shape.iter().product()).max().unwrap_or(0);
    let (one, all) = Activations::floats(config);
    if binding < one.max(largest) {
        return Err(GpuError::Unsupported(format!(
            "it needs buffers of {} bytes, {} allows {}",
            4 * one.max(largest),
            gpu.adapter(),
            4 * binding
        )));
    }
    let groups = 4 * MOST_GROUPS / v.positions();
    Ok(IMAGES.min(binding / one).min(MEMORY / 4 / all).min(groups).max(1))
}
