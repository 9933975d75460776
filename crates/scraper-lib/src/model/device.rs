//! What computes images: the CPU, or an accelerator that it watches.

#[cfg(feature = "candle")]
mod candle;
#[cfg(feature = "gpu")]
mod gpu;

#[cfg(feature = "candle")]
pub use candle::Candle;

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use clip_core::{Clip, EXACT, Embedding, Encoder, Error, image::PixelValues};

use super::{LoadedModel, ModelError, ModelFiles};

/// Which device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Device {
    /// clip-core's own kernels.
    #[default]
    Cpu,
    /// A GPU through Vulkan, Metal or DirectX 12 (feature `gpu`).
    Gpu,
    /// A GPU that gives the contract's bits if there is one, else the CPU.
    Auto,
    /// An NVIDIA GPU through candle (feature `cuda`): never exact.
    Cuda,
    /// An Apple GPU through candle (feature `metal`): never exact.
    Metal,
}

impl Device {
    /// All of them.
    pub const ALL: [Device; 5] =
        [Device::Cpu, Device::Gpu, Device::Auto, Device::Cuda, Device::Metal];

    /// `cpu`, `gpu`, `auto`, `cuda` or `metal`.
    pub fn name(self) -> &'static str {
        match self {
            Device::Cpu => "cpu",
            Device::Gpu => "gpu",
            Device::Auto => "auto",
            Device::Cuda => "cuda",
            Device::Metal => "metal",
        }
    }

    /// What it is, in some words.
    pub fn about(self) -> &'static str {
        match self {
            Device::Cpu => "the CPU",
            Device::Gpu => {
                "a GPU through Vulkan, Metal or DirectX 12, if it gives the bits of the CPU"
            }
            Device::Auto => "a GPU that gives the bits of the CPU, if there is one; else the CPU",
            Device::Cuda => "an NVIDIA GPU through candle; never exact",
            Device::Metal => "an Apple GPU through candle; never exact",
        }
    }

    /// Whether this program knows of it.
    pub fn is_built(self) -> bool {
        match self {
            Device::Cpu | Device::Auto => true,
            Device::Gpu => cfg!(feature = "gpu"),
            Device::Cuda => cfg!(feature = "cuda"),
            Device::Metal => cfg!(feature = "metal"),
        }
    }
}

/// A device cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// This program knows nothing of it.
    #[error("this program was built without the feature `{0}`, which {0} devices need")]
    NotBuilt(&'static str),
    /// It gives other bits than the CPU.
    #[error("{adapter} does not give the bits of the CPU: {reason}")]
    Inexact {
        /// The device.
        adapter: String,
        /// What the self-test found.
        reason: String,
    },
    /// There is none, or it fails.
    #[error("{0}")]
    Unusable(String),
}

/// What is known of one device of this machine.
#[derive(Debug, Clone)]
pub struct DeviceReport {
    /// Its name, backend and driver.
    pub adapter: String,
    /// Whether it gives the contract's bits; else why not.
    pub exact: Result<(), String>,
}

/// Every GPU of this machine with the result of its self-test.
///
/// # Errors
/// [`DeviceError::NotBuilt`].
pub fn devices() -> Result<Vec<DeviceReport>, DeviceError> {
    #[cfg(feature = "gpu")]
    return Ok(gpu::devices());
    #[cfg(not(feature = "gpu"))]
    Err(DeviceError::NotBuilt("gpu"))
}

/// Moves the model's images to `device`. With `allow_inexact`, devices with other bits do too: their
/// vectors say so by [`Provenance::device`](clip_core::Provenance::device).
///
/// # Errors
/// [`ModelError::Device`]; or the weights cannot be read again.
pub fn accelerate(
    model: &mut LoadedModel,
    files: &ModelFiles,
    device: Device,
    allow_inexact: bool,
) -> Result<(), ModelError> {
    let opened = match device {
        Device::Cpu => return Ok(()),
        Device::Gpu => open_gpu(model, files, allow_inexact, false),
        Device::Auto => match open_gpu(model, files, false, true) {
            Ok(opened) => Ok(opened),
            Err(ModelError::Device(e)) => {
                tracing::info!("images are computed on the CPU: {e}");
                return Ok(());
            }
            Err(e) => Err(e),
        },
        Device::Cuda | Device::Metal => open_candle(model, files, device, allow_inexact),
    };
    let Opened { encoder, adapter } = opened?;
    model.provenance.device = encoder.device().to_owned();
    model.provenance.adapter = Some(adapter.clone());
    model.accelerator = Some(Accelerator::new(encoder, adapter));
    Ok(())
}

/// An encoder on a device, and what its vectors' provenance says of it.
struct Opened {
    encoder: Box<dyn Encoder>,
    adapter: String,
}

#[cfg(feature = "gpu")]
use gpu::open as open_gpu;
#[cfg(not(feature = "gpu"))]
fn open_gpu(_: &LoadedModel, _: &ModelFiles, _: bool, _: bool) -> Result<Opened, ModelError> {
    Err(DeviceError::NotBuilt("gpu").into())
}

#[cfg(feature = "candle")]
use candle::open as open_candle;
#[cfg(not(feature = "candle"))]
fn open_candle(
    _: &LoadedModel,
    _: &ModelFiles,
    device: Device,
    _: bool,
) -> Result<Opened, ModelError> {
    Err(DeviceError::NotBuilt(device.name()).into())
}

/// One image of so many is computed on the CPU, too.
const WATCHED: u64 = 1000;
/// Largest difference of a component of a normalised vector that an inexact device may have: ten
/// times what any that works has shown.
const INEXACT: f32 = 1e-4;

/// An encoder on a device, and the CPU's eye on it.
pub struct Accelerator {
    encoder: Box<dyn Encoder>,
    adapter: String,
    /// Images so far.
    count: AtomicU64,
}

impl fmt::Debug for Accelerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accelerator").field("adapter", &self.adapter).finish_non_exhaustive()
    }
}

impl Accelerator {
    /// `adapter` names the device to people.
    pub fn new(encoder: Box<dyn Encoder>, adapter: String) -> Self {
        Accelerator { encoder, adapter, count: AtomicU64::new(0) }
    }

    /// What computes.
    pub fn adapter(&self) -> &str {
        &self.adapter
    }

    /// Embeds images on the device; the first, and then one of a thousand, on the CPU too.
    ///
    /// # Errors
    /// Those of the encoder; [`Error::Device`] where the device gave another vector than `cpu`, with the
    /// first stage that differs.
    pub fn embed_pixels(&self, cpu: &Clip, batch: &[PixelValues]) -> Result<Vec<Embedding>, Error> {
        let embedded = self.encoder.embed_pixels(batch)?;
        let first = self.count.fetch_add(batch.len() as u64, Ordering::Relaxed);
        let watched = (first..).zip(batch.iter().zip(&embedded));
        for (number, (pixels, got)) in watched.filter(|(number, _)| number % WATCHED == 0) {
            let expected = cpu.embed_pixels(std::slice::from_ref(pixels))?;
            if let Some(expected) = expected.first() {
                self.compare(cpu, number + 1, pixels, got, expected)?;
            }
        }
        Ok(embedded)
    }

    fn compare(
        &self,
        cpu: &Clip,
        number: u64,
        pixels: &PixelValues,
        got: &Embedding,
        expected: &Embedding,
    ) -> Result<(), Error> {
        let image = format!("image {number} of this run");
        if self.encoder.device() != EXACT {
            let (got, expected) = (got.normalized(), expected.normalized());
            let pairs = got.values().iter().zip(expected.values());
            // NaN counts as far away.
            let far = pairs.map(|(a, b)| (a - b).abs()).find(|d| d.is_nan() || *d > INEXACT);
            return far.map_or(Ok(()), |by| {
                Err(Error::Device(format!(
                    "{}: the vector of {image} lies {by:e} from the CPU's, more than {INEXACT:e}",
                    self.adapter
                )))
            });
        }
        let same = |a: &Embedding, b: &Embedding| {
            a.values().iter().map(|x| x.to_bits()).eq(b.values().iter().map(|x| x.to_bits()))
        };
        if same(got, expected) {
            return Ok(());
        }
        let (_, on_cpu) = cpu.trace_pixels(pixels)?;
        let stage = match self.encoder.trace_pixels(pixels) {
            Ok((_, on_device)) => match on_device.first_difference(&on_cpu) {
                Some(stage) => format!("they first differ at the stage {stage}"),
                None => "computed again it has the same: the device is not reliable".into(),
            },
            Err(e) => format!("its stages cannot be told: {e}"),
        };
        Err(Error::Device(format!(
            "{}: {image} has another vector than on the CPU; {stage}",
            self.adapter
        )))
    }
}

impl LoadedModel {
    /// Embeds preprocessed images: on the accelerator, if the model has one.
    ///
    /// # Errors
    /// As [`Clip::embed_pixels`]; [`Error::Device`], after which the accelerator is not to be used.
    pub fn embed_pixels(&self, batch: &[PixelValues]) -> Result<Vec<Embedding>, Error> {
        match &self.accelerator {
            Some(accelerator) => accelerator.embed_pixels(&self.clip, batch),
            None => self.clip.embed_pixels(batch),
        }
    }
}

#[cfg(test)]
mod tests;
