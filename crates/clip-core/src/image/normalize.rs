//! Rescale and normalise: 256 × 3 possible values, so a table.

use super::{Normalize, RgbImage};
use crate::config::PreprocessConfig;

/// `table[channel][pixel]`.
pub(crate) type Table = [[f32; 256]; 3];

pub(crate) fn table(config: &PreprocessConfig, rounding: Normalize) -> Table {
    let mut table = [[0.0; 256]; 3];
    for (row, (mean, std)) in table.iter_mut().zip(config.mean.iter().zip(&config.std)) {
        // Both pipelines hold the configuration's Python floats as f32.
        let (mean, std) = (*mean as f32, *std as f32);
        for (value, cell) in row.iter_mut().enumerate() {
            *cell = match rounding {
                // numpy: uint8 -> float64 * (1/255) -> float32, then (x - mean) / std in float32.
                Normalize::Slow => (((value as f64) * (1.0 / 255.0)) as f32 - mean) / std,
                // torch: (float32(x) - mean * 255) / (std * 255).
                Normalize::Fast => (value as f32 - mean * 255.0) / (std * 255.0),
            };
        }
    }
    table
}

/// Interleaved RGB to `[3, height, width]`.
pub(crate) fn apply(table: &Table, image: &RgbImage) -> Vec<f32> {
    let mut data = Vec::with_capacity(image.data.len());
    for (channel, row) in table.iter().enumerate() {
        data.extend(image.data.chunks_exact(3).map(|px| row[usize::from(px[channel])]));
    }
    data
}
