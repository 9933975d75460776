//! candle's CLIP on a safetensors checkpoint: another implementation of the same model.
//!
//! candle-transformers has only the `quick_gelu` CLIP, so it can give a second opinion on the
//! OpenAI shapes.

pub mod protocol;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::clip;
use clip_core::{config::ClipConfig, image::PixelValues};

/// candle's model with the number of pixels per side that it expects.
#[derive(Debug)]
pub struct Candle(clip::ClipModel);

impl Candle {
    /// Loads a `quick_gelu` checkpoint.
    ///
    /// # Errors
    /// Whatever candle says of the weights.
    pub fn load(config: &ClipConfig, safetensors: Vec<u8>) -> Result<Self> {
        let (t, v) = (&config.text, &config.vision);
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
        let weights = VarBuilder::from_buffered_safetensors(safetensors, DType::F32, &Device::Cpu)?;
        Ok(Candle(clip::ClipModel::new(weights, &candle_config)?))
    }

    /// Raw image features, one vector per image.
    ///
    /// # Errors
    /// Whatever candle says of the input.
    pub fn images(&self, batch: &[PixelValues]) -> Result<Vec<Vec<f32>>> {
        let tensors = batch
            .iter()
            .map(|p| Tensor::from_slice(&p.data, (3, p.size, p.size), &Device::Cpu))
            .collect::<Result<Vec<_>>>()?;
        self.0.get_image_features(&Tensor::stack(&tensors, 0)?)?.to_vec2()
    }

    /// Raw text features of one text.
    ///
    /// # Errors
    /// Whatever candle says of the input.
    pub fn text(&self, ids: &[u32]) -> Result<Vec<f32>> {
        let ids = Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?;
        Ok(self.0.get_text_features(&ids)?.to_vec2()?.remove(0))
    }
}
