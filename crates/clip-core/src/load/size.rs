//! How much memory a model will take.

use clip_kernels::Kernels;

use crate::{
    config::ClipConfig,
    model::kernels_of,
    tensors::Role,
    towers::{Tower, Towers},
};

/// Bytes that packed weights will take in memory at least (if they are f16 where this CPU's path
/// keeps that), besides the token embedding.
pub fn packed_bytes(config: &ClipConfig, towers: Towers) -> u64 {
    let kernels = Kernels::fastest().ok();
    let needed = config.tensors().into_iter();
    let needed = needed.filter(|spec| spec.id.is_of(towers) && spec.id.role() != Role::Table);
    needed
        .map(|spec| {
            // The logit scale is of neither tower.
            let tower = spec.id.tower().unwrap_or(Tower::Vision);
            let narrow = kernels.is_some_and(|kernels| kernels_of(kernels, tower).keeps_f16());
            let size = if narrow { 2 } else { 4 };
            size * spec.shape.iter().map(|n| *n as u64).product::<u64>()
        })
        .sum()
}
