//! Seeded synthetic checkpoints: the exact shapes of a real model, values that mean nothing.
//!
//! Value `i` of a tensor depends only on (seed, tensor name, `i`), so it can be made in any order
//! and on any number of threads. `tests/reference/synthetic.py` makes the same bits with numpy;
//! that is how `transformers` computes reference vectors without a download.

mod stream;
mod values;

use std::{borrow::Cow, collections::HashMap};

use half::{bf16, f16};
use safetensors::{SafeTensorError, View};

use crate::config::{Activation, ClipConfig, TextConfig, VisionConfig};
pub use stream::Stream;
use values::Values;

/// Larger checkpoints are refused; the largest published CLIP has 2.5 billion parameters.
const MAX_VALUES: u64 = 1 << 32;

/// How [`safetensors()`] stores the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// As they are.
    F32,
    /// Lossless: tensors that hold only f16 values as f16, the others as f32.
    F16,
    /// Everything rounded to bf16: another model, close to the other two.
    Bf16,
}

/// The checkpoint could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SyntheticError {
    /// More values than this can make.
    #[error(
        "a synthetic checkpoint of this shape is too large for this machine or over 2^32 values \
         (tensor {tensor}); use a smaller configuration"
    )]
    TooLarge {
        /// The first tensor that is too much.
        tensor: String,
    },
    /// The header could not be written.
    #[error("a synthetic checkpoint could not be written as safetensors: {0}")]
    Format(#[from] SafeTensorError),
}

/// `openai/clip-vit-base-patch32`, with its legacy `eos_token_id` of 2. 151,277,313 parameters.
pub fn vit_b_32() -> ClipConfig {
    let mut config = ClipConfig::vit_b_32();
    config.text.eos_token_id = 2;
    config
}

/// A small CLIP that differs from B/32 wherever it can: patch 16 (197 positions), other widths
/// and depths, `gelu`, pooling at the first `eos_token_id`. 9.4 million parameters.
pub fn second_shape() -> ClipConfig {
    ClipConfig {
        text: TextConfig {
            vocab_size: 49408,
            hidden_size: 128,
            intermediate_size: 512,
            layers: 3,
            heads: 2,
            max_positions: 77,
            activation: Activation::Gelu,
            layer_norm_eps: 1e-5,
            eos_token_id: 49407,
        },
        vision: VisionConfig {
            hidden_size: 192,
            intermediate_size: 768,
            layers: 4,
            heads: 3,
            image_size: 224,
            patch_size: 16,
            activation: Activation::Gelu,
            layer_norm_eps: 1e-5,
        },
        projection_dim: 96,
    }
}

/// A CLIP for examples and unit tests: one narrow block per tower, images of 32 pixels, CLIP's own
/// vocabulary. 0.8 million parameters.
pub fn small_shape() -> ClipConfig {
    ClipConfig {
        text: TextConfig {
            vocab_size: 49408,
            hidden_size: 16,
            intermediate_size: 32,
            layers: 1,
            heads: 2,
            max_positions: 77,
            activation: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
            eos_token_id: 49407,
        },
        vision: VisionConfig {
            hidden_size: 32,
            intermediate_size: 64,
            layers: 1,
            heads: 2,
            image_size: 32,
            patch_size: 16,
            activation: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
        },
        projection_dim: 16,
    }
}

/// A whole safetensors file: every parameter of HF's `CLIPModel` of this shape, under its name.
///
/// # Errors
/// More than 2^32 values, or more bytes than this target can address.
pub fn safetensors(
    config: &ClipConfig,
    seed: u64,
    dtype: Dtype,
) -> Result<Vec<u8>, SyntheticError> {
    let mut total = 0u64;
    let mut views = Vec::new();
    for spec in config.tensors() {
        let name = spec.id.name();
        let product = |n: u64, dim: &usize| n.checked_mul((*dim).try_into().ok()?);
        let count = spec.shape.iter().try_fold(1u64, product).filter(|count| {
            total = total.saturating_add(*count);
            total <= MAX_VALUES.min(isize::MAX as u64 / 4)
        });
        let Some(count) = count.and_then(|count| usize::try_from(count).ok()) else {
            return Err(SyntheticError::TooLarge { tensor: name });
        };
        let (values, stream) = (Values::of(&spec), Stream::new(seed, &name));
        let dtype = if dtype == Dtype::F16 && !values.exact16 { Dtype::F32 } else { dtype };
        views.push((name, Tensor { shape: spec.shape, values, count, stream, dtype }));
    }
    // `transformers` refuses files that do not say which framework wrote them.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    Ok(safetensors::serialize(views, Some(metadata))?)
}

/// One tensor, computed when the file is written.
struct Tensor {
    shape: Vec<usize>,
    values: Values,
    count: usize,
    stream: Stream,
    dtype: Dtype,
}

/// Values per unit of work: a multiple of [`BLOCK`].
const CHUNK: usize = 1 << 16;
const BLOCK: usize = 256;

impl Tensor {
    fn value_size(&self) -> usize {
        if self.dtype == Dtype::F32 { 4 } else { 2 }
    }

    /// Values `start..` as little-endian bytes, as many as `out` holds.
    fn fill(&self, start: usize, out: &mut [u8]) {
        let mut values = [0f32; BLOCK];
        let mut narrow = [f16::ZERO; BLOCK];
        let size = self.value_size();
        for (block, out) in out.chunks_mut(BLOCK * size).enumerate() {
            let values = &mut values[..out.len() / size];
            let Values { mean, std, .. } = self.values;
            self.stream.normal(start + block * BLOCK, mean, std, values);
            if self.values.exact16 {
                use half::slice::HalfFloatSliceExt;
                let narrow = &mut narrow[..values.len()];
                narrow.convert_from_f32_slice(values);
                narrow.convert_to_f32_slice(values);
            }
            for (bytes, value) in out.chunks_exact_mut(size).zip(values) {
                match self.dtype {
                    Dtype::F32 => bytes.copy_from_slice(&value.to_le_bytes()),
                    Dtype::F16 => bytes.copy_from_slice(&f16::from_f32(*value).to_le_bytes()),
                    Dtype::Bf16 => bytes.copy_from_slice(&bf16::from_f32(*value).to_le_bytes()),
                }
            }
        }
    }
}

impl View for Tensor {
    fn dtype(&self) -> safetensors::Dtype {
        match self.dtype {
            Dtype::F32 => safetensors::Dtype::F32,
            Dtype::F16 => safetensors::Dtype::F16,
            Dtype::Bf16 => safetensors::Dtype::BF16,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut bytes = vec![0; self.data_len()];
        let chunk = CHUNK * self.value_size();
        clip_kernels::for_each_chunk(&mut bytes, chunk, 64 * CHUNK, |i, out| {
            self.fill(i * CHUNK, out);
        });
        bytes.into()
    }

    fn data_len(&self) -> usize {
        self.count * self.value_size()
    }
}

#[cfg(test)]
mod tests {
    use safetensors::SafeTensors;

    use super::*;

    #[test]
    fn f16_file_holds_the_values_of_the_f32_file() {
        let full = safetensors(&second_shape(), 3, Dtype::F32).unwrap();
        let small = safetensors(&second_shape(), 3, Dtype::F16).unwrap();
        let full = SafeTensors::deserialize(&full).unwrap();
        let small = SafeTensors::deserialize(&small).unwrap();
        let mut kept = Vec::new();
        for (name, view) in small.tensors() {
            let reference = full.tensor(&name).unwrap();
            assert_eq!(view.shape(), reference.shape());
            if view.dtype() == safetensors::Dtype::F32 {
                assert_eq!(view.data(), reference.data());
                kept.push(name);
                continue;
            }
            for (short, long) in view.data().chunks_exact(2).zip(reference.data().chunks_exact(4)) {
                let short = f16::from_le_bytes(short.try_into().unwrap()).to_f32();
                assert_eq!(short.to_le_bytes(), long, "{name}");
            }
        }
        // The tensors that f16 cannot hold: the norms outside the blocks, and the logit scale.
        assert_eq!(kept.len(), 7, "{kept:?}");
    }

    #[test]
    fn seeds_differ_and_absurd_shapes_are_refused() {
        let mut config = second_shape();
        config.text.vocab_size = 300;
        let one = safetensors(&config, 1, Dtype::Bf16).unwrap();
        assert_ne!(one, safetensors(&config, 2, Dtype::Bf16).unwrap());
        config.text.vocab_size = usize::MAX / 2;
        let error = safetensors(&config, 1, Dtype::F32).unwrap_err().to_string();
        assert!(error.contains("token_embedding"), "{error}");
    }
}
