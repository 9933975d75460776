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
                _ => return Err(unsupported("a matrix derived from rare primaries")),
            },
            0 if !subsampled => Way::Float(Matrix::Identity),
            4 => Way::Float(Matrix::Shares(0.30, 0.11)),
            7 => Way::Float(Matrix::Shares(0.212, 0.087)),
            8 if self.full_range => Way::Float(Matrix::YCgCo),
            15 => Way::Float(Matrix::Shares(0.299, 0.114)),
            16 if self.full_range && depth == 10 => Way::Float(Matrix::YCgCoRe),
            matrix => return Err(unsupported(&format!("the matrix coefficients {matrix}"))),
        })
    }
}

fn unsupported(what: &str) -> ImageError {
    ImageError::unsupported(format!("an AVIF image with {what}"))
}
