//! [`Encoder`] on a device.

use std::sync::Arc;

use clip_core::{
    Clip, EXACT, Embedding, Encoder, Error,
    config::ClipConfig,
    image::PixelValues,
    trace::{Stage, Trace, sha256_f32},
    weights::Weights,
};

use crate::{device::Gpu, error::GpuError, self_test::SelfTest, tower::VisionTower};

/// [`Encoder::device`] of a GPU that did not pass the self-test.
pub const GPU: &str = "gpu";

/// Images on the device, texts on the CPU (they are short: a GPU would wait for memory).
#[derive(Debug)]
pub struct GpuEncoder {
    gpu: Gpu,
    tower: VisionTower,
    clip: Arc<Clip>,
    exact: bool,
}

impl GpuEncoder {
    /// Brings the vision tower of `clip`, whose weights these are, onto the device. `test` is that of
    /// this device.
    ///
    /// # Errors
    /// The shape or the memory is not the device's.
    pub fn new(
        gpu: Gpu,
        clip: Arc<Clip>,
        weights: &Weights,
        test: &SelfTest,
    ) -> Result<Self, GpuError> {
        let tower = VisionTower::load(&gpu, clip.config(), weights)?;
        Ok(GpuEncoder { gpu, tower, clip, exact: test.passed() })
    }

    /// The device.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    fn check(&self, pixels: &PixelValues) -> Result<(), Error> {
        let size = self.clip.config().vision.image_size;
        if pixels.size == size && pixels.data.len() == 3 * size * size {
            return Ok(());
        }
        Err(Error::Input(format!(
            "pixel values are {0}x{0}, the model needs {size}x{size}",
            pixels.size
        )))
    }
}

impl Encoder for GpuEncoder {
    fn config(&self) -> &ClipConfig {
        self.clip.config()
    }

    fn embed_pixels(&self, batch: &[PixelValues]) -> Result<Vec<Embedding>, Error> {
        batch.iter().try_for_each(|pixels| self.check(pixels))?;
        let vectors = self.tower.forward(&self.gpu, batch)?;
        Ok(vectors.into_iter().map(Embedding::from_raw).collect())
    }

    fn embed_tokens(&self, batch: &[Vec<u32>]) -> Result<Vec<Embedding>, Error> {
        self.clip.embed_tokens(batch)
    }

    fn trace_pixels(&self, pixels: &PixelValues) -> Result<(Embedding, Trace), Error> {
        self.check(pixels)?;
        let (vector, mut stages) = self.tower.trace(&self.gpu, pixels)?;
        let embedding = Embedding::from_raw(vector);
        let unit = embedding.normalized();
        for (name, values) in [("embedding", embedding.values()), ("normalized", unit.values())] {
            let (name, shape) = (name.to_owned(), vec![values.len()]);
            stages.push(Stage { name, shape, sha256: sha256_f32(values) });
        }
        Ok((embedding, Trace { stages }))
    }

    fn device(&self) -> &str {
        if self.exact { EXACT } else { GPU }
    }
}
