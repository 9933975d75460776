//! The shape of a `CLIPModel`.

/// Activation of the MLP blocks (`hidden_act`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x * sigmoid(1.702 x)`, the original CLIP.
    QuickGelu,
    /// `x/2 * (1 + erf(x/sqrt 2))`, as in the LAION checkpoints.
    Gelu,
}

/// Shape of the text tower.
#[derive(Debug, Clone, PartialEq)]
pub struct TextConfig {
    /// Rows of the token embedding.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside the MLPs.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Attention heads; a divisor of `hidden_size`.
    pub heads: usize,
    /// Longest sequence of tokens, begin and end of text included.
    pub max_positions: usize,
    /// Of the MLPs.
    pub activation: Activation,
    /// Added to the variance in LayerNorm.
    pub layer_norm_eps: f32,
    /// Which token is pooled; see [`TextConfig::pooled_position`].
    pub eos_token_id: u32,
}

/// Shape of the vision tower (ViT, square patches).
#[derive(Debug, Clone, PartialEq)]
pub struct VisionConfig {
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside the MLPs.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Attention heads; a divisor of `hidden_size`.
    pub heads: usize,
    /// Side of an image, pixels.
    pub image_size: usize,
    /// Side of a patch, pixels.
    pub patch_size: usize,
    /// Of the MLPs.
    pub activation: Activation,
    /// Added to the variance in LayerNorm.
    pub layer_norm_eps: f32,
}

/// Shape of a whole `CLIPModel`.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipConfig {
    /// The text tower.
    pub text: TextConfig,
    /// The vision tower.
    pub vision: VisionConfig,
    /// Values of an embedding.
    pub projection_dim: usize,
}

impl TextConfig {
    /// Index of the token whose final state is pooled, as `CLIPTextTransformer.forward` does:
    /// with the legacy `eos_token_id` of 2 the first largest id, else the first EOT (0 if none).
    pub fn pooled_position(&self, ids: &[u32]) -> usize {
        if self.eos_token_id == 2 {
            let max = ids.iter().copied().max();
            ids.iter().position(|&id| Some(id) == max).unwrap_or(0)
        } else {
            ids.iter().position(|&id| id == self.eos_token_id).unwrap_or(0)
        }
    }
}

impl VisionConfig {
    /// Patches per side.
    pub fn grid(&self) -> usize {
        self.image_size / self.patch_size
    }

    /// Sequence length: all patches and the class token.
    pub fn positions(&self) -> usize {
        self.grid() * self.grid() + 1
    }
}

#[cfg(test)]
mod tests {
    use crate::config::ClipConfig;

    #[test]
    fn pooling_position() {
        let mut text = ClipConfig::vit_b_32().text;
        assert_eq!(text.pooled_position(&[49406, 5, 49407, 49407]), 2);
        assert_eq!(text.pooled_position(&[49406, 5]), 0);
        text.eos_token_id = 2;
        assert_eq!(text.pooled_position(&[49406, 5, 49407, 49407]), 2);
        assert_eq!(text.pooled_position(&[7, 9, 3]), 1);
    }
}
