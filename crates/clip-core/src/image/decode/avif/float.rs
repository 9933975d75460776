//! libavif's own conversion in floats, for what libyuv does not know, and for pictures in grey.
//!
//! The order of the operations is that of libavif's `avifImageYUVAnyToRGBAnySlow`; each is rounded once.

use super::{
    color::Matrix,
    frame::{Layout, Plane},
};

/// What the values of samples mean.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    depth: u8,
    full: bool,
    /// Chroma around zero; else its values are those of luma.
    signed: bool,
}

impl Range {
    pub(super) fn new(depth: u8, full: bool, matrix: Matrix) -> Range {
        Range { depth, full, signed: !matches!(matrix, Matrix::Identity) }
    }

    fn most(self) -> f32 {
        ((1u32 << self.depth) - 1) as f32
    }

    fn luma(self) -> Vec<f32> {
        let shift = self.depth - 8;
        let (bias, range) = match self.full {
            true => (0.0, self.most()),
            false => ((16u32 << shift) as f32, (219u32 << shift) as f32),
        };
        self.table(bias, range)
    }

    fn chroma(self) -> Vec<f32> {
        let range = match self.full {
            true => self.most(),
            false => (224u32 << (self.depth - 8)) as f32,
        };
        match self.signed {
            true => self.table((1u32 << (self.depth - 1)) as f32, range),
            false => self.luma(),
        }
    }

    fn table(self, bias: f32, range: f32) -> Vec<f32> {
        (0..1u32 << self.depth).map(|value| (value as f32 - bias) / range).collect()
    }
}

/// Levels of a picture in grey.
pub(super) fn grey(plane: &Plane, height: usize, range: Range) -> Vec<u8> {
    let table: Vec<u8> = range.luma().into_iter().map(level).collect();
    let mut out = Vec::with_capacity(plane.width * height);
    let mut row = Vec::new();
    for y in 0..height {
        plane.row(y, 0, &mut row);
        out.extend(row.iter().map(|v| table.get(usize::from(*v)).copied().unwrap_or(255)));
    }
    out
}

/// Writes red, green and blue of each pixel, `step` bytes apart. `alpha`: by which the colours were
/// multiplied, and are divided.
pub(super) fn convert(
    planes: &[Plane],
    height: usize,
    layout: Layout,
    (range, matrix): (Range, Matrix),
    alpha: Option<&Plane>,
    out: &mut [u8],
    step: usize,
) {
    let Some(luma) = planes.first() else { return };
    let width = luma.width;
    let tables = [range.luma(), range.chroma()];
    let (mut y_row, mut a_row) = (Vec::new(), Vec::new());
    let mut chroma = [Chroma::default(), Chroma::default()];
    for (y, out) in out.chunks_exact_mut((width * step).max(1)).enumerate().take(height) {
        luma.row(y, 0, &mut y_row);
        if let Some(alpha) = alpha {
            alpha.row(y, 0, &mut a_row);
        }
        for (chroma, plane) in chroma.iter_mut().zip(planes.iter().skip(1)) {
            chroma.load(plane, y, height, layout);
        }
        for (x, out) in out.chunks_exact_mut(step).enumerate() {
            let value = *y_row.get(x).unwrap_or(&0);
            let luma = at(&tables[0], value);
            let [cb, cr] = match layout {
                Layout::Grey => [0.0; 2],
                Layout::Yuv444 => chroma.each_ref().map(|c| at(&tables[1], c.sample(x))),
                _ => chroma.each_ref().map(|c| c.smooth(x, width, &tables[1])),
            };
            let mut rgb = match layout {
                Layout::Grey => [luma; 3],
                _ => colors(matrix, value, [luma, cb, cr], range.most()),
            };
            rgb = rgb.map(|v| v.clamp(0.0, 1.0));
            if alpha.is_some() {
                let a = f32::from(*a_row.get(x).unwrap_or(&0)) / range.most();
                rgb = rgb.map(|v| divided(v, a));
            }
            out[..3].copy_from_slice(&rgb.map(level));
        }
    }
}

fn colors(matrix: Matrix, y: u16, [luma, cb, cr]: [f32; 3], most: f32) -> [f32; 3] {
    match matrix {
        Matrix::Identity => [cr, luma, cb],
        Matrix::YCgCo => {
            let t = luma - cb;
            [t + cr, luma + cb, t - cr]
        }
        Matrix::YCgCoRe => {
            let [cg, co] = [cb, cr].map(|c| (c * most + 0.5).floor() as i32);
            let t = i32::from(y) - (cg >> 1);
            let green = (t + cg).clamp(0, 255);
            let blue = (t - (co >> 1)).clamp(0, 255);
            let red = (blue + co).clamp(0, 255);
            [red, green, blue].map(|v| v as f32 / 255.0)
        }
        Matrix::Shares(kr, kb) => {
            let kg = 1.0 - kr - kb;
            let red = luma + (2.0 * (1.0 - kr)) * cr;
            let blue = luma + (2.0 * (1.0 - kb)) * cb;
            let green = luma - (2.0 * ((kr * (1.0 - kr) * cr) + (kb * (1.0 - kb) * cb))) / kg;
            [red, green, blue]
        }
    }
}

fn divided(value: f32, alpha: f32) -> f32 {
    match alpha {
        0.0 => 0.0,
        a if a < 1.0 => (value / a).min(1.0),
        _ => value,
    }
}

fn level(value: f32) -> u8 {
    (0.5 + value.clamp(0.0, 1.0) * 255.0) as u8
}

fn at(table: &[f32], value: u16) -> f32 {
    table.get(usize::from(value)).or(table.last()).copied().unwrap_or(0.0)
}

/// The two rows of a chroma plane that are nearest to one of luma.
#[derive(Debug, Default)]
struct Chroma {
    near: Vec<u16>,
    far: Vec<u16>,
}

impl Chroma {
    fn load(&mut self, plane: &Plane, y: usize, height: usize, layout: Layout) {
        if layout != Layout::Yuv420 {
            plane.row(y, 0, &mut self.near);
            return self.far.clone_from(&self.near);
        }
        plane.row(y / 2, 0, &mut self.near);
        match y % 2 {
            0 if y == 0 => self.far.clone_from(&self.near),
            1 if y == height - 1 => self.far.clone_from(&self.near),
            0 => plane.row(y / 2 - 1, 0, &mut self.far),
            _ => plane.row(y / 2 + 1, 0, &mut self.far),
        }
    }

    fn sample(&self, x: usize) -> u16 {
        self.near.get(x).copied().unwrap_or(0)
    }

    fn smooth(&self, x: usize, width: usize, table: &[f32]) -> f32 {
        let near = x / 2;
        let far = match x % 2 {
            0 if x == 0 => near,
            1 if x == width - 1 => near,
            0 => near - 1,
            _ => near + 1,
        };
        let value = |row: &[u16], x: usize| at(table, row.get(x).copied().unwrap_or(0));
        value(&self.near, near) * (9.0 / 16.0)
            + value(&self.near, far) * (3.0 / 16.0)
            + value(&self.far, near) * (3.0 / 16.0)
            + value(&self.far, far) * (1.0 / 16.0)
    }
}
