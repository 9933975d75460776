//! What can go wrong on a device.

/// A device that is not there, cannot run the model, or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
    /// None, or none whose name was asked for.
    #[error(
        "no GPU was found{wanted} (Vulkan, Metal and DirectX 12 were asked); present: {present}"
    )]
    NoAdapter {
        /// ` whose name contains …`, or empty.
        wanted: String,
        /// Names, or `none`.
        present: String,
    },
    /// The driver refuses.
    #[error("{adapter}: the device cannot be opened: {reason}")]
    Open {
        /// The adapter.
        adapter: String,
        /// The driver's words.
        reason: String,
    },
    /// A shape that the shaders cannot run, or buffers that the device does not allow.
    #[error("the GPU cannot run this model: {0}")]
    Unsupported(String),
    /// A tensor is missing: the weights were not checked against the configuration.
    #[error("the weights have no tensor {0}")]
    Missing(String),
    /// The driver failed: out of memory, device lost.
    #[error("the GPU failed: {0}")]
    Failed(String),
}

impl From<GpuError> for clip_core::Error {
    fn from(e: GpuError) -> Self {
        clip_core::Error::Device(e.to_string())
    }
}
