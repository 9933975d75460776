//! The shaders, by name.

/// Whose fused multiply-add.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fused {
    /// The device's: fast, and exact where it rounds once.
    Device,
    /// One in integers, exact on every device and a hundred times as slow: for tests.
    Integers,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kernel {
    Gather,
    Embed,
    Norm,
    Linear,
    Attention,
    Probe,
}

impl Kernel {
    pub(crate) const ALL: [Kernel; 6] = [
        Kernel::Gather,
        Kernel::Embed,
        Kernel::Norm,
        Kernel::Linear,
        Kernel::Attention,
        Kernel::Probe,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kernel::Gather => "gather",
            Kernel::Embed => "embed",
            Kernel::Norm => "norm",
            Kernel::Linear => "linear",
            Kernel::Attention => "attention",
            Kernel::Probe => "probe",
        }
    }

    /// Buffers that are read; one that is written follows.
    pub(crate) fn inputs(self) -> u32 {
        match self {
            Kernel::Gather => 1,
            Kernel::Embed | Kernel::Norm | Kernel::Attention | Kernel::Probe => 3,
            Kernel::Linear => 4,
        }
    }

    pub(crate) fn source(self, fused: Fused) -> String {
        let fused = match fused {
            Fused::Device => include_str!("../wgsl/fused_device.wgsl"),
            Fused::Integers => include_str!("../wgsl/fused_integer.wgsl"),
        };
        let tree = match self {
            Kernel::Norm | Kernel::Attention => include_str!("../wgsl/tree.wgsl"),
            _ => "",
        };
        let own = match self {
            Kernel::Gather => include_str!("../wgsl/gather.wgsl"),
            Kernel::Embed => include_str!("../wgsl/embed.wgsl"),
            Kernel::Norm => include_str!("../wgsl/norm.wgsl"),
            Kernel::Linear => include_str!("../wgsl/linear.wgsl"),
            Kernel::Attention => include_str!("../wgsl/attention.wgsl"),
            Kernel::Probe => include_str!("../wgsl/probe.wgsl"),
        };
        [fused, include_str!("../wgsl/contract.wgsl"), tree, own].concat()
    }
}
