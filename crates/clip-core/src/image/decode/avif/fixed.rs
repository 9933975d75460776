//! The integers of libyuv: chroma is scaled up first, then each pixel is computed with 6 bits of fraction.
//!
//! Which function libavif takes depends on depth and alpha: colours of 10 and 12 bits without alpha are cut
//! to 8 bits before anything else, with alpha 10 bits stay, and 12 bits in 4:2:0 with alpha are not smoothed.

use super::{
    color::Fixed,
    frame::{Layout, Plane},
};

/// How the samples of an image get to 8 bits.
#[derive(Debug, Clone, Copy)]
struct Steps {
    /// Bits cut off all planes before chroma is scaled up.
    before: u8,
    /// Bits more than 8 that are left then.
    more: u8,
    smooth: bool,
}

impl Steps {
    fn of(depth: u8, layout: Layout, alpha: bool) -> Steps {
        let more = depth - 8;
        match (depth, layout, alpha) {
            (10, Layout::Yuv420 | Layout::Yuv422 | Layout::Yuv444, true) => {
                Steps { before: 0, more, smooth: true }
            }
            (12, Layout::Yuv420, true) => Steps { before: 0, more, smooth: false },
            _ => Steps { before: more, more: 0, smooth: true },
        }
    }
}

/// Writes red, green and blue of each pixel, `step` bytes apart; with alpha `step` is 4.
pub(super) fn convert(
    planes: &[Plane],
    height: usize,
    depth: u8,
    layout: Layout,
    fixed: Fixed,
    out: &mut [u8],
    step: usize,
) {
    let Some(luma) = planes.first() else { return };
    let width = luma.width;
    let steps = Steps::of(depth, layout, step == 4);
    let mut y = Vec::new();
    let mut chroma = [Chroma::default(), Chroma::default()];
    for (at, out) in out.chunks_exact_mut((width * step).max(1)).enumerate().take(height) {
        luma.row(at, steps.before, &mut y);
        for (chroma, plane) in chroma.iter_mut().zip(planes.iter().skip(1)) {
            chroma.row(plane, at, width, height, layout, steps);
        }
        let [u, v] = &chroma;
        let pixels = out.chunks_exact_mut(step).zip(&y);
        if layout == Layout::Grey {
            for (out, y) in pixels {
                out[..3].fill(level(luma_level(*y, steps.more, fixed)));
            }
            continue;
        }
        for ((out, y), (u, v)) in pixels.zip(u.out.iter().zip(&v.out)) {
            let y = luma_level(*y, steps.more, fixed);
            let [u, v] = [u, v].map(|c| i32::from((c >> steps.more).min(255)) - 128);
            out[0] = level(y + v * fixed.v_to_r);
            out[1] = level(y - (u * fixed.u_to_g + v * fixed.v_to_g));
            out[2] = level(y + u * fixed.u_to_b);
        }
    }
}

fn luma_level(y: u16, more: u8, fixed: Fixed) -> i32 {
    // As 16 bits: the bits are repeated.
    let y = u32::from(y);
    let wide = y << (8 - more) | y >> (2 * more);
    ((wide * fixed.y) >> 16) as i32 + fixed.bias
}

fn level(value: i32) -> u8 {
    (value >> 6).clamp(0, 255) as u8
}

/// One row of a chroma plane, as wide as luma.
#[derive(Debug, Default)]
struct Chroma {
    near: Vec<u16>,
    far: Vec<u16>,
    out: Vec<u16>,
}

impl Chroma {
    fn row(
        &mut self,
        plane: &Plane,
        y: usize,
        width: usize,
        height: usize,
        layout: Layout,
        steps: Steps,
    ) {
        match layout {
            Layout::Grey => {}
            Layout::Yuv444 => plane.row(y, steps.before, &mut self.out),
            Layout::Yuv422 => {
                plane.row(y, steps.before, &mut self.near);
                self.widen(width, 0);
            }
            Layout::Yuv420 if !steps.smooth => {
                plane.row(y / 2, steps.before, &mut self.near);
                self.out.clear();
                self.out.extend(self.near.iter().flat_map(|v| [*v, *v]).take(width));
            }
            Layout::Yuv420 => {
                plane.row(y / 2, steps.before, &mut self.near);
                // The outermost rows have no neighbour.
                if y == 0 || y == height - 1 && y % 2 == 1 {
                    return self.widen(width, 0);
                }
                let far = if y % 2 == 1 { y / 2 + 1 } else { y / 2 - 1 };
                plane.row(far, steps.before, &mut self.far);
                self.near.iter_mut().zip(&self.far).for_each(|(near, far)| *near = 3 * *near + far);
                self.widen(width, 2);
            }
        }
    }

    /// Doubles the width of `near`, whose values are multiplied by `1 << bits`, by three quarters of the
    /// nearer and one of the further; the outermost pixels have only a nearer one.
    fn widen(&mut self, width: usize, bits: u32) {
        let one = |v: u16| (v + ((1 << bits) >> 1)) >> bits;
        let two = |near: u16, far: u16| (3 * near + far + (2 << bits)) >> (bits + 2);
        self.out.clear();
        self.out.extend(self.near.first().map(|v| one(*v)));
        for pair in self.near.windows(2) {
            self.out.extend([two(pair[0], pair[1]), two(pair[1], pair[0])]);
        }
        self.out.truncate(width - 1);
        self.out.extend(self.near.last().map(|v| one(*v)));
        self.out.truncate(width);
    }
}

/// libyuv's `ARGBUnattenuate`: what was multiplied by alpha is divided again.
pub(super) fn unmultiply(rgba: &mut [u8]) {
    for pixel in rgba.chunks_exact_mut(4) {
        let inverse = match pixel[3] {
            0 => 0,
            1 => 0xffff,
            255 => 0x100,
            alpha => 0x10000 / u32::from(alpha),
        };
        for value in &mut pixel[..3] {
            // Saturated as signed words: what is over their half is 0.
            let product = (u32::from(*value) * 257 * inverse) >> 16;
            *value = if product < 0x8000 { product.min(255) as u8 } else { 0 };
        }
    }
}
