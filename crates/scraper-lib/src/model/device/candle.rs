//! candle's towers on a CUDA or Metal device: for hosts where Vulkan is not at hand. Its order of additions is its
//! own, so the vectors are close and never exact. TF32 is off, as it is by default in candle.

use candle_core::{DType, Device as CandleDevice, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::clip;
use clip_core::{
    Embedding, Encoder, Error,
    config::{Activation, ClipConfig},
    image::PixelValues,
    trace::Trace,
};

use super::{Device, DeviceError, Opened};
use crate::model::{LoadedModel, ModelError, ModelFiles, load};

/// candle's CLIP on a safetensors checkpoint: another implementation of the same model.
#[derive(Debug)]
pub struct Candle {
    model: clip::ClipModel,
    config: ClipConfig,
    device: CandleDevice,
}

impl Candle {
    /// Loads a checkpoint onto `device`.
    ///
    /// # Errors
    /// Whatever candle says of the weights. Its CLIP knows only `quick_gelu`.
    pub fn load(
        config: &ClipConfig,
        safetensors: &[u8],
        device: &CandleDevice,
    ) -> candle_core::Result<Self> {
        let (t, v) = (&config.text, &config.vision);
        if [t.activation, v.activation] != [Activation::QuickGelu; 2] {
            candle_core::bail!("candle's CLIP has no activation but quick_gelu");
        }
        let candle_config = clip::ClipConfig {
            text_config: clip::text_model::ClipTextConfig {
                vocab_size: t.vocab_size,
                embed_dim: t.hidden_size,
                activation: clip::text_model::Activation::QuickGelu,
                intermediate_size: t.intermediate_size,
                max_position_embeddings: t.max_positions,
                pad_with: None,
                num_hidden_layers: t.layers,
                num_attention_heads: t.heads,
                projection_dim: config.projection_dim,
            },
            vision_config: clip::vision_model::ClipVisionConfig {
                embed_dim: v.hidden_size,
                activation: clip::text_model::Activation::QuickGelu,
                intermediate_size: v.intermediate_size,
                num_hidden_layers: v.layers,
                num_attention_heads: v.heads,
                projection_dim: config.projection_dim,
                num_channels: 3,
                image_size: v.image_size,
                patch_size: v.patch_size,
            },
            logit_scale_init_value: 2.6592,
            image_size: v.image_size,
        };
        let weights = VarBuilder::from_slice_safetensors(safetensors, DType::F32, device)?;
        let model = clip::ClipModel::new(weights, &candle_config)?;
        Ok(Candle { model, config: config.clone(), device: device.clone() })
    }

    fn images(&self, batch: &[PixelValues]) -> candle_core::Result<Vec<Vec<f32>>> {
        let tensor =
            |p: &PixelValues| Tensor::from_slice(&p.data, (3, p.size, p.size), &self.device);
        let tensors = batch.iter().map(tensor).collect::<candle_core::Result<Vec<_>>>()?;
        self.model.get_image_features(&Tensor::stack(&tensors, 0)?)?.to_vec2()
    }

    fn text(&self, ids: &[u32]) -> candle_core::Result<Vec<f32>> {
        let ids = Tensor::new(ids, &self.device)?.unsqueeze(0)?;
        Ok(self.model.get_text_features(&ids)?.to_vec2()?.remove(0))
    }
}

fn failed(e: candle_core::Error) -> Error {
    Error::Device(format!("candle: {e}"))
}

impl Encoder for Candle {
    fn config(&self) -> &ClipConfig {
        &self.config
    }

    fn embed_pixels(&self, batch: &[PixelValues]) -> Result<Vec<Embedding>, Error> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let vectors = self.images(batch).map_err(failed)?;
        Ok(vectors.into_iter().map(Embedding::from_raw).collect())
    }

    fn embed_tokens(&self, batch: &[Vec<u32>]) -> Result<Vec<Embedding>, Error> {
        let one = |ids: &Vec<u32>| self.text(ids).map(Embedding::from_raw).map_err(failed);
        batch.iter().map(one).collect()
    }

    fn trace_pixels(&self, _: &PixelValues) -> Result<(Embedding, Trace), Error> {
        Err(Error::Device("candle does not tell its stages".into()))
    }

    fn device(&self) -> &str {
        match self.device {
            CandleDevice::Cpu => "candle",
            CandleDevice::Cuda(_) => Device::Cuda.name(),
            CandleDevice::Metal(_) => Device::Metal.name(),
        }
    }
}

pub(super) fn open(
    _: &LoadedModel,
    files: &ModelFiles,
    device: Device,
    allow_inexact: bool,
) -> Result<Opened, ModelError> {
    let adapter = format!("{} through candle", device.name());
    if !allow_inexact {
        let reason = "candle adds in another order".into();
        return Err(DeviceError::Inexact { adapter, reason }.into());
    }
    let unusable = |e: candle_core::Error| DeviceError::Unusable(format!("{adapter}: {e}"));
    let opened = match device {
        Device::Metal if cfg!(feature = "metal") => CandleDevice::new_metal(0),
        Device::Cuda if cfg!(feature = "cuda") => CandleDevice::new_cuda(0),
        _ => return Err(DeviceError::NotBuilt(device.name()).into()),
    };
    let opened = opened.map_err(unusable)?;
    let config = load::config(files)?;
    let encoder = load::with_weights(files, |_, bytes, _| {
        Ok(Candle::load(&config, bytes, &opened).map_err(unusable)?)
    })?;
    Ok(Opened { encoder: Box::new(encoder), adapter })
}
