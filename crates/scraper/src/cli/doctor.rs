//! `scraper doctor`: what this machine can compute with.

use clap::Args;
use clip_core::KernelPath;

use scraper_lib::{
    Error,
    embed::blocking,
    model::{self, Device},
    report::{EXIT_OK, console::say},
};

/// Shows the devices of this machine that can compute images, and whether their bits are the CPU's.
///
/// A GPU is tested as a run tests it: its fused multiply-add, division and square root, then a small
/// model, stage by stage against the CPU.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {}

impl DoctorArgs {
    pub(super) async fn run(self) -> Result<u8, Error> {
        let path = KernelPath::detect().map_err(clip_core::Error::from)?;
        say!("cpu   {} instructions: exact", path.name())?;
        for device in [Device::Gpu, Device::Cuda, Device::Metal] {
            if !device.is_built() {
                say!(
                    "{:<5} not in this program: it was built without this feature",
                    device.name()
                )?;
            } else if device == Device::Gpu {
                gpus().await?;
            } else {
                say!("{:<5} through candle: not exact", device.name())?;
            }
        }
        Ok(EXIT_OK)
    }
}

/// What is most often missing where the GPU is a server's.
fn server() -> &'static str {
    if cfg!(target_os = "linux") {
        "; NVIDIA's driver needs libvulkan1, libegl1, libgl1, libx11-6 and libxext6 besides CUDA, \
         as Debian and Ubuntu name them"
    } else {
        ""
    }
}

async fn gpus() -> Result<(), Error> {
    let found = blocking(model::devices).await?.map_err(model::ModelError::from)?;
    if found.is_empty() {
        say!("gpu   none found: neither Vulkan, Metal nor DirectX 12 has a device{}", server())?;
    }
    for report in found {
        match report.exact {
            Ok(()) => say!("gpu   {}: exact, the self-test passed", report.adapter)?,
            Err(why) => say!("gpu   {}: not exact, {why}", report.adapter)?,
        }
    }
    Ok(())
}
