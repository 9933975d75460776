//! GPUs through wgpu.

use clip_core::weights::Weights;
use clip_gpu::{Fused, Gpu, GpuEncoder, GpuError, Kind, SelfTest, adapters, self_test};

use super::{DeviceError, DeviceReport, Opened};
use crate::model::{LoadedModel, ModelError, ModelFiles, load};

impl From<GpuError> for DeviceError {
    fn from(e: GpuError) -> Self {
        DeviceError::Unusable(e.to_string())
    }
}

/// `fast`: not the CPU posing as a GPU.
pub(super) fn open(
    model: &LoadedModel,
    files: &ModelFiles,
    allow_inexact: bool,
    fast: bool,
) -> Result<Opened, ModelError> {
    let (gpu, test) = tested(None, fast)?;
    let adapter = format!("{}; {test}", gpu.adapter());
    if let (Some(reason), false) = (test.failure(), allow_inexact) {
        return Err(DeviceError::Inexact { adapter: gpu.adapter().to_string(), reason }.into());
    }
    let encoder = load::with_weights(files, |file, bytes, _| {
        let weights = Weights::parse(bytes).map_err(|e| file.error(e))?;
        let encoder = GpuEncoder::new(gpu, model.clip.clone(), &weights, &test);
        encoder.map_err(|e| ModelError::Device(e.into()))
    })?;
    Ok(Opened { encoder: Box::new(encoder), adapter })
}

fn tested(name: Option<&str>, fast: bool) -> Result<(Gpu, SelfTest), DeviceError> {
    let gpu = Gpu::open(name, Fused::Device)?;
    if fast && gpu.adapter().kind == Kind::Software {
        return Err(DeviceError::Unusable(format!("{} is the CPU itself", gpu.adapter())));
    }
    let test = self_test(&gpu)?;
    Ok((gpu, test))
}

pub(super) fn devices() -> Vec<DeviceReport> {
    let report = |adapter: clip_gpu::Adapter| DeviceReport {
        exact: match tested(Some(&adapter.name), false) {
            Ok((_, test)) => test.failure().map_or(Ok(()), Err),
            Err(e) => Err(e.to_string()),
        },
        adapter: adapter.to_string(),
    };
    adapters().into_iter().map(report).collect()
}
