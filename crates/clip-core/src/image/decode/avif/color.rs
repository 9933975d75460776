//! YUV to RGB: which of libavif's ways an image takes there.
//!
//! Pillow's libavif is built with libyuv, so most images are converted in integers with 6 bits of fraction
//! ([`super::fixed`]); only what libyuv has no constants for is computed in floats ([`super::float`]).

use super::properties::Color;
use crate::image::ImageError;

/// libyuv's constants of a matrix: factors × 64, that of luma × 64 × 65536 / 65792.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fixed {
    pub y: u32,
    pub bias: i32,
    pub u_to_b: i32,
    pub u_to_g: i32,
    pub v_to_g: i32,
    pub v_to_r: i32,
}

/// How luma and two differences become red, green and blue (H.273, 8.3).
#[derive(Debug, Clone, Copy)]
pub(super) enum Matrix {
    /// By the shares of red and of blue in luma.
    Shares(f32, f32),
    /// The planes are green, blue and red.
    Identity,
    YCgCo,
    /// Without loss: two bits more than RGB.
    YCgCoRe,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Fixed(Fixed),
    Float(Matrix),
}

impl Color {
    /// `subsampled`: 4:2:0 or 4:2:2.
    pub(super) fn way(self, depth: u8, grey: bool, subsampled: bool) -> Result<Way, ImageError> {
        let fixed = |full: [i32; 6], limited: [i32; 6]| {
            let [y, bias, u_to_b, u_to_g, v_to_g, v_to_r] =
                if self.full_range { full } else { limited };
            Way::Fixed(Fixed { y: y.unsigned_abs(), bias, u_to_b, u_to_g, v_to_g, v_to_r })
        };
        let bt709 = || fixed([16320, 32, 119, 12, 30, 101], [18997, -1160, 128, 14, 34, 115]);
        let bt601 = || fixed([16320, 32, 113, 22, 46, 90], [18997, -1160, 128, 25, 52, 102]);
        let bt2020 = || fixed([16320, 32, 120, 11, 37, 94], [19003, -1160, 128, 12, 42, 107]);
        Ok(match self.matrix {
            1 => bt709(),
            2 | 5 | 6 => bt601(),
            0 if grey => bt601(),
            9 => bt2020(),
            12 => match self.primaries {
                1 | 2 => bt709(),
                5 | 6 => bt601(),
                9 => bt2020(),
                primaries => Way::Float(derived(primaries)),
            },
            0 if !subsampled => Way::Float(Matrix::Identity),
            4 => Way::Float(Matrix::Shares(0.30, 0.11)),
            7 => Way::Float(Matrix::Shares(0.212, 0.087)),
            8 if self.full_range => Way::Float(Matrix::YCgCo),
            15 => Way::Float(Matrix::Shares(0.299, 0.114)),
            16 if self.full_range && depth == 10 => Way::Float(Matrix::YCgCoRe),
            matrix => {
                let found = format!("an AVIF image with the matrix coefficients {matrix}");
                return Err(ImageError::unsupported(found));
            }
        })
    }
}

/// The shares of red and blue in luma that follow from the chromaticities of primaries (H.273, 8.3, equations
/// 32 to 37); in the order of libavif's operations.
fn derived(primaries: u16) -> Matrix {
    // x and y of red, green, blue and white.
    let values: [f32; 8] = match primaries {
        4 => [0.67, 0.33, 0.21, 0.71, 0.14, 0.08, 0.310, 0.316],
        7 => [0.630, 0.340, 0.310, 0.595, 0.155, 0.070, 0.3127, 0.3290],
        8 => [0.681, 0.319, 0.243, 0.692, 0.145, 0.049, 0.310, 0.316],
        10 => [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.3333, 0.3333],
        11 => [0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351],
        12 => [0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290],
        22 => [0.630, 0.340, 0.295, 0.605, 0.155, 0.077, 0.3127, 0.3290],
        _ => [0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329],
    };
    let [rx, ry, gx, gy, bx, by, wx, wy] = values;
    let [rz, gz, bz, wz] = [(rx, ry), (gx, gy), (bx, by), (wx, wy)].map(|(x, y)| 1.0 - (x + y));
    let whole =
        wy * (rx * (gy * bz - by * gz) + gx * (by * rz - ry * bz) + bx * (ry * gz - gy * rz));
    let red = ry * (wx * (gy * bz - by * gz) + wy * (bx * gz - gx * bz) + wz * (gx * by - bx * gy));
    let blue =
        by * (wx * (ry * gz - gy * rz) + wy * (gx * rz - rx * gz) + wz * (rx * gy - gx * ry));
    Matrix::Shares(red / whole, blue / whole)
}
