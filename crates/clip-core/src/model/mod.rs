//! The two towers of CLIP (Radford et al. 2021), as `transformers.CLIPModel` computes them.

mod block;
mod parts;
mod table;
mod text;
mod vision;

pub(crate) use parts::{Parts, Source, is_table};
pub(crate) use table::Table;
pub(crate) use text::TextTower;
pub(crate) use vision::VisionTower;

use clip_kernels::{Kernels, LayerNorm, Linear, UsualRows};

use crate::{trace::Trace, weights::WeightsError};

/// Rows (tokens) that go through a tower at once: enough to use the weights many times, few
/// enough that activations stay in cache. Does not change a bit of any result.
const CHUNK_ROWS: usize = 448;

/// Receives intermediate states of a single input.
type Tracer<'a> = Option<&'a mut Trace>;

/// Reads and packs one tower's tensors.
pub(crate) struct Loader<'a> {
    pub(crate) kernels: Kernels,
    pub(crate) source: Source<'a>,
}

impl Loader<'_> {
    fn vector(&self, name: &str) -> Result<Vec<f32>, WeightsError> {
        let weights = match &self.source {
            Source::File(weights) => weights,
            Source::Parts(parts) => return parts.vector(name),
        };
        let tensor = weights.get(name)?;
        let values = tensor.to_vec();
        weights.done(tensor);
        Ok(values)
    }

    /// `{name}.weight` as `[n, k]` with `{name}.bias`.
    fn linear(&self, name: &str, n: usize, k: usize) -> Result<Linear, WeightsError> {
        let bias = self.vector(&format!("{name}.bias"))?;
        self.matrix(&format!("{name}.weight"), n, k, Some(&bias))
    }

    fn matrix(
        &self,
        name: &str,
        n: usize,
        k: usize,
        bias: Option<&[f32]>,
    ) -> Result<Linear, WeightsError> {
        let weights = match &self.source {
            Source::File(weights) => weights,
            Source::Parts(parts) => {
                let linear = parts.matrix(name)?;
                return Ok(if let Some(bias) = bias { linear.with_bias(bias) } else { linear });
            }
        };
        let tensor = weights.get(name)?;
        let rows = if name.starts_with("text_") { UsualRows::Few } else { UsualRows::Many };
        let row = |i, out: &mut [f32]| tensor.read(i * k, out);
        let mut linear = Linear::pack(&self.kernels, rows, n, k, row);
        if let Some(bias) = bias {
            linear = linear.with_bias(bias);
        }
        weights.done(tensor);
        Ok(linear)
    }

    /// The encoder layers of a tower.
    fn blocks(
        &self,
        tower: &str,
        layers: usize,
        shape: &block::Shape,
    ) -> Result<Vec<block::Block>, WeightsError> {
        (0..layers)
            .map(|i| block::Block::load(self, &format!("{tower}.encoder.layers.{i}"), shape))
            .collect()
    }

    fn layer_norm(&self, name: &str, eps: f32) -> Result<LayerNorm, WeightsError> {
        let gamma = self.vector(&format!("{name}.weight"))?;
        let beta = self.vector(&format!("{name}.bias"))?;
        Ok(LayerNorm::new(&gamma, &beta, eps))
    }
}
