//! How each parameter of a synthetic checkpoint is drawn.
//!
//! The gains are tuned so that a random model tells inputs apart (sharp attention, weak position
//! and class embeddings) while f32 and f64 agree to 1e-6 on normalised embeddings. As in OpenAI's
//! release, weights and biases are f16 values.

use crate::tensors::{Affine, BlockPart, TensorId, TensorSpec};

/// The distribution of one parameter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values {
    pub(super) mean: f32,
    pub(super) std: f64,
    /// Values are rounded to f16.
    pub(super) exact16: bool,
}

impl Values {
    /// Of a parameter.
    pub(super) fn of(spec: &TensorSpec) -> Self {
        let normal = |std| Values { mean: 0.0, std, exact16: true };
        let norm = |affine, exact16| match affine {
            Affine::Weight => Values { mean: 1.0, std: 0.1, exact16 },
            Affine::Bias => Values { mean: 0.0, std: 0.05, exact16 },
        };
        // Over the root of the number of inputs.
        let weight = |gain: f64| {
            let inputs = spec.shape.iter().skip(1).fold(1usize, |all, n| all.saturating_mul(*n));
            normal(gain / (inputs as f64).sqrt())
        };
        match spec.id {
            // ln 100, where CLIP's training clips it.
            TensorId::LogitScale => Values { mean: 4.6052, std: 0.0, exact16: false },
            TensorId::TokenEmbedding => normal(0.5),
            TensorId::PositionEmbedding(_) => normal(0.2),
            TensorId::ClassEmbedding => normal(0.3),
            TensorId::PatchEmbedding | TensorId::Projection(_) => weight(1.0),
            // Genuine f32, so that "stored as f16 only where no bit is lost" has something to refuse.
            TensorId::PreNorm(affine) | TensorId::FinalNorm(_, affine) => norm(affine, false),
            TensorId::Block(_, _, BlockPart::Norm1 | BlockPart::Norm2, affine) => {
                norm(affine, true)
            }
            TensorId::Block(_, _, _, Affine::Bias) => normal(0.02),
            TensorId::Block(_, _, part, Affine::Weight) => weight(match part {
                BlockPart::Query | BlockPart::Key => 2.0,
                BlockPart::Fc1 => 1.4,
                _ => 1.0,
            }),
        }
    }
}
