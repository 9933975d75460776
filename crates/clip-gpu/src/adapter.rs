//! Which devices there are.

use std::fmt;

use wgpu::{Backends, DeviceType, Instance, InstanceDescriptor};

/// What kind of device it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A card of its own.
    Discrete,
    /// Part of the processor.
    Integrated,
    /// Of a virtual machine, or unknown.
    Other,
    /// The CPU, posing as a GPU: for tests.
    Software,
}

/// A device as its driver names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// Of the device.
    pub name: String,
    /// `vulkan`, `metal` or `dx12`.
    pub backend: String,
    /// The driver's name and version, as far as it tells them.
    pub driver: String,
    /// What it is.
    pub kind: Kind,
}

impl Adapter {
    pub(crate) fn of(info: &wgpu::AdapterInfo) -> Self {
        let driver = [info.driver.trim(), info.driver_info.trim()];
        Adapter {
            name: info.name.clone(),
            backend: info.backend.to_string(),
            driver: driver
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(" "),
            kind: match info.device_type {
                DeviceType::DiscreteGpu => Kind::Discrete,
                DeviceType::IntegratedGpu => Kind::Integrated,
                DeviceType::Cpu => Kind::Software,
                DeviceType::VirtualGpu | DeviceType::Other => Kind::Other,
            },
        }
    }
}

impl fmt::Display for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.name, self.backend)?;
        if !self.driver.is_empty() {
            write!(f, ", {}", self.driver)?;
        }
        f.write_str(if self.kind == Kind::Software { ", in software)" } else { ")" })
    }
}

/// Every device, the likely fastest first.
pub fn adapters() -> Vec<Adapter> {
    found().iter().map(|adapter| Adapter::of(&adapter.get_info())).collect()
}

pub(crate) fn found() -> Vec<wgpu::Adapter> {
    let backends = Backends::VULKAN | Backends::METAL | Backends::DX12;
    let descriptor =
        InstanceDescriptor { backends, ..InstanceDescriptor::new_without_display_handle() };
    let instance = Instance::new(descriptor);
    let mut all = pollster::block_on(instance.enumerate_adapters(backends));
    all.sort_by_key(|adapter| Adapter::of(&adapter.get_info()).kind);
    all
}
