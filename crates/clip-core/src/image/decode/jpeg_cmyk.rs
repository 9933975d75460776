//! Four-component JPEG with subsampled components.
//!
//! Here libjpeg-turbo-rs interpolates beyond the last real sample (off by up to 2 levels at the
//! right and lower edges), so only its planes are taken and libjpeg's upsampling is done here
//! (`jdsample.c`: "fancy" triangle filters for factors of 2, repetition otherwise).

use libjpeg_turbo_rs::{ColorSpace, Decoder, JpegError};

/// Whether the components differ in sampling.
pub(super) fn applies(decoder: &Decoder<'_>) -> bool {
    let components = &decoder.header().components;
    let mut factors = components.iter().map(|c| (c.horizontal_sampling, c.vertical_sampling));
    let first = factors.next();
    components.len() == 4 && factors.any(|f| Some(f) != first)
}

/// Interleaved CMYK as libjpeg's `JCS_CMYK` output gives it.
pub(super) fn decode(decoder: Decoder<'_>) -> Result<Vec<u8>, JpegError> {
    let ycck = decoder.jpeg_color_space() == ColorSpace::Ycck;
    let frame = decoder.header();
    let (width, height) = (frame.width(), frame.height());
    let factors: Vec<(usize, usize)> = frame
        .components
        .iter()
        .map(|c| (usize::from(c.horizontal_sampling), usize::from(c.vertical_sampling)))
        .collect();
    let h_max = factors.iter().map(|f| f.0).max().unwrap_or(1);
    let v_max = factors.iter().map(|f| f.1).max().unwrap_or(1);
    let raw = decoder.decode_raw()?;

    let mut out = vec![0; width * height * 4];
    for (channel, (h, v)) in factors.into_iter().enumerate() {
        let impossible = || JpegError::Unsupported("fractional sampling".into());
        if h == 0 || v == 0 || h_max % h != 0 || v_max % v != 0 {
            return Err(impossible());
        }
        let samples = raw.planes.get(channel).ok_or_else(impossible)?;
        let plane = Plane {
            samples,
            stride: *raw.plane_widths.get(channel).ok_or_else(impossible)?,
            width: (width * h).div_ceil(h_max),
            height: (height * v).div_ceil(v_max),
        };
        if plane.stride < plane.width || samples.len() < plane.stride * plane.height {
            return Err(impossible());
        }
        for (y, row) in out.chunks_exact_mut(width * 4).enumerate() {
            let line = plane.line(y, h_max / h, v_max / v);
            for (px, value) in row.chunks_exact_mut(4).zip(line) {
                px[channel] = value;
            }
        }
    }
    if ycck {
        out.chunks_exact_mut(4).for_each(ycc_to_cmy);
    }
    Ok(out)
}

struct Plane<'a> {
    samples: &'a [u8],
    stride: usize,
    /// Real samples, without the padding to whole blocks.
    width: usize,
    height: usize,
}

impl Plane<'_> {
    fn row(&self, y: usize) -> impl Iterator<Item = i32> + '_ {
        let start = y.min(self.height - 1) * self.stride;
        self.samples[start..start + self.width].iter().map(|v| i32::from(*v))
    }

    /// Row `y` of the full-size plane, at least as long as the image is wide.
    fn line(&self, y: usize, across: usize, down: usize) -> Vec<u8> {
        let near = y / down;
        // The row above or below that the triangle filter mixes in.
        let far = if y.is_multiple_of(down) { near.saturating_sub(1) } else { near + 1 };
        let mixed = || self.row(near).zip(self.row(far)).map(|(near, far)| near * 3 + far);
        match (across, down) {
            (2, 1) if self.width > 2 => triangle(self.row(near).collect(), 0, 1, 2, 2),
            (1, 2) => {
                let bias = if y.is_multiple_of(2) { 1 } else { 2 };
                mixed().map(|sum| ((sum + bias) >> 2) as u8).collect()
            }
            (2, 2) if self.width > 2 => triangle(mixed().collect(), 2, 8, 7, 4),
            _ => self.row(near).flat_map(|v| std::iter::repeat_n(v as u8, across)).collect(),
        }
    }
}

/// Doubles a row: each output is 3/4 the nearer and 1/4 the farther sample; at the ends the
/// sample itself. `edge` is log2 of the weight that the row already carries.
fn triangle(row: Vec<i32>, edge: u32, left: i32, right: i32, shift: u32) -> Vec<u8> {
    let mut out = Vec::with_capacity(row.len() * 2);
    let last = row.len() - 1;
    for (i, this) in row.iter().enumerate() {
        // The one-dimensional filter copies its end samples, without rounding.
        let end = |bias| if edge == 0 { *this } else { (this * 4 + bias) >> shift };
        out.push(if i == 0 { end(left) } else { (this * 3 + row[i - 1] + left) >> shift } as u8);
        let second = if i == last { end(right) } else { (this * 3 + row[i + 1] + right) >> shift };
        out.push(second as u8);
    }
    out
}

/// YCC to inverted RGB in libjpeg's 16-bit fixed point (`jdcolor.c`); K stays.
fn ycc_to_cmy(px: &mut [u8]) {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(px[0]), i32::from(px[1]) - 128, i32::from(px[2]) - 128);
    let r = y + ((91881 * cr + HALF) >> 16);
    let g = y + ((-22554 * cb - 46802 * cr + HALF) >> 16);
    let b = y + ((116130 * cb + HALF) >> 16);
    for (out, v) in px.iter_mut().zip([r, g, b]) {
        *out = 255 - v.clamp(0, 255) as u8;
    }
}
