//! Light, shadow and grain: turns a [`Sketch`] into a picture that passes for a product photo.
//!
//! tiny-skia only computes coverage of outlines (integer arithmetic); every colour is ours, from
//! additions, multiplications, divisions and square roots, which are the same on every machine.

use tiny_skia::{FillRule, Mask, Path, Transform};

use crate::{
    Picture,
    rng::{Rng, lattice, lerp, noise},
    style::Background,
};

use super::{
    cloth::{Cloth, Rgb, mix, smooth},
    sketch::{Ink, Shape, Sketch, Texture},
};

/// Soft things (shadow, relief) are computed at a quarter of the resolution.
const COARSE: f32 = 4.0;

/// Camera and studio of one picture.
#[derive(Debug, Clone)]
pub(crate) struct Studio {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) background: Background,
    /// Garment size relative to the frame.
    pub(crate) zoom: f32,
    /// Rotation in radians; small.
    pub(crate) tilt: f32,
    /// Offset in units.
    pub(crate) shift: (f32, f32),
    pub(crate) seed: u64,
}

pub(crate) fn render(sketch: &Sketch, cloth: &Cloth, studio: &Studio) -> Picture {
    let mut canvas = Canvas::new(studio);
    canvas.backdrop();
    if studio.background == Background::Transparent {
        canvas.cut_out(sketch);
    } else {
        canvas.shadow(sketch);
    }
    for shape in &sketch.shapes {
        canvas.ink(shape, cloth);
    }
    canvas.develop()
}

struct Canvas<'a> {
    studio: &'a Studio,
    width: usize,
    height: usize,
    pixels: Vec<Rgb>,
    alpha: Option<Vec<u8>>,
    /// Units to pixels.
    camera: Transform,
    /// Pixels to units.
    inverse: Transform,
    px: f32,
    seed: u32,
}

impl<'a> Canvas<'a> {
    fn new(studio: &'a Studio) -> Self {
        let (w, h) = (studio.width as f32, studio.height as f32);
        // Narrow formats keep the garment's height inside the frame as well.
        let scale = (w / 100.0).min(h / 126.0) * studio.zoom;
        // Sine and cosine of a small angle without libm.
        let sin = studio.tilt - studio.tilt * studio.tilt * studio.tilt / 6.0;
        let cos = (1.0 - sin * sin).sqrt();
        let tx = w / 2.0 + studio.shift.0 * scale;
        let ty = h / 2.0 + studio.shift.1 * scale;
        let camera =
            Transform::from_row(cos * scale, sin * scale, -sin * scale, cos * scale, tx, ty);
        let inverse = Transform::from_row(
            cos / scale,
            -sin / scale,
            sin / scale,
            cos / scale,
            -(cos * tx + sin * ty) / scale,
            (sin * tx - cos * ty) / scale,
        );
        let (width, height) = (studio.width as usize, studio.height as usize);
        let seed = Rng::new(studio.seed).next_u64() as u32;
        let pixels = vec![[0.0; 3]; width * height];
        Canvas {
            studio,
            width,
            height,
            pixels,
            alpha: None,
            camera,
            inverse,
            px: 1.0 / scale,
            seed,
        }
    }

    fn backdrop(&mut self) {
        let mut rng = Rng::new(self.studio.seed).fork(1);
        let warm = rng.range(-0.02, 0.02);
        let (wall, floor) = LIFESTYLE[rng.index(LIFESTYLE.len())];
        let horizon = rng.range(0.72, 0.86);
        let (w, h) = (self.width as f32, self.height as f32);
        let seed = self.seed;
        for (i, pixel) in self.pixels.iter_mut().enumerate() {
            let (x, y) = ((i % self.width) as f32 / w, (i / self.width) as f32 / h);
            let corner = (x - 0.5) * (x - 0.5) + (y - 0.45) * (y - 0.45);
            *pixel = match self.studio.background {
                Background::White => [1.0 - 0.03 * corner; 3],
                Background::Transparent => [1.0; 3],
                Background::Grey => {
                    let g = 0.92 - 0.22 * corner - 0.05 * y;
                    [g + warm, g, g - warm]
                }
                Background::Lifestyle => {
                    let blotch = noise(x * 5.0, y * 6.0, seed) * 0.6
                        + noise(x * 11.0, y * 13.0, seed.wrapping_add(1)) * 0.4;
                    let light = 0.86 + 0.22 * blotch - 0.35 * corner;
                    let grain = noise(x * 7.0, y * 90.0, seed.wrapping_add(2));
                    let plank = floor.map(|c| c * (0.92 + 0.14 * grain));
                    let ground = smooth((y - horizon) * 60.0);
                    mix(wall, plank, ground).map(|c| c * light)
                }
            };
        }
    }

    /// Alpha is the garment's outline; the colour under transparent pixels stays white.
    fn cut_out(&mut self, sketch: &Sketch) {
        let mut mask = new_mask(self.width, self.height);
        for shape in &sketch.shapes {
            mask.fill_path(&shape.path, FillRule::Winding, true, self.camera);
        }
        self.alpha = Some(mask.data().to_vec());
    }

    /// A contact shadow close to the outline and a wide soft one below.
    fn shadow(&mut self, sketch: &Sketch) {
        let coarse = Transform::from_scale(1.0 / COARSE, 1.0 / COARSE);
        let (w, h) = (self.width.div_ceil(4), self.height.div_ceil(4));
        let mut mask = new_mask(w, h);
        for shape in sketch.shapes.iter().filter(|s| s.relief > 0.0) {
            let transform = self.camera.post_concat(coarse);
            mask.fill_path(&shape.path, FillRule::Winding, true, transform);
        }
        let unit = 1.0 / (self.px * COARSE);
        let near = Field::blurred(mask.data(), w, h, 1.2 * unit);
        let far = Field::blurred(mask.data(), w, h, 4.0 * unit);
        let (dx, dy) = (1.6 / self.px, 2.6 / self.px);
        let bright = Field::of(w, h, |x, y| {
            let near = near.or_zero(x - dx * 0.4, y - dy * 0.4);
            1.0 - 0.16 * near - 0.20 * far.or_zero(x - dx, y - dy)
        });
        for (i, pixel) in self.pixels.iter_mut().enumerate() {
            let bright = bright.at((i % self.width) as f32, (i / self.width) as f32);
            *pixel = pixel.map(|c| c * bright);
        }
    }

    fn ink(&mut self, shape: &Shape, cloth: &Cloth) {
        let Some((mask, left, top)) = self.coverage(&shape.path) else { return };
        let (w, h) = (mask.width() as usize, mask.height() as usize);
        let field = (shape.relief > 0.0).then(|| self.light(&mask, left, top, shape));
        let data = mask.data();
        for y in 0..h {
            for x in 0..w {
                let cover = f32::from(data[y * w + x]) / 255.0;
                if cover == 0.0 {
                    continue;
                }
                let (cx, cy) = ((left + x) as f32 + 0.5, (top + y) as f32 + 0.5);
                let pixel = &mut self.pixels[(top + y) * self.width + left + x];
                let (u, v) = apply(&self.inverse, cx, cy);
                let dye = match shape.ink {
                    Ink::Shade(share) => {
                        *pixel = pixel.map(|c| c * (1.0 - share * cover));
                        continue;
                    }
                    Ink::Rgb(rgb) => rgb,
                    Ink::Accent { tone } => cloth.accent.map(|c| c * tone),
                    Ink::Cloth { tone } => {
                        let (s, t) = along(shape.grain, u, v);
                        cloth.dye(s, t, self.px).map(|c| c * tone)
                    }
                };
                let (s, t) = along(shape.grain, u, v);
                let mut light = cloth.weave(shape.texture, s, t, self.px);
                if let Some(field) = &field {
                    light *= field.at(x as f32, y as f32);
                }
                *pixel = mix(*pixel, dye.map(|c| c * light), cover);
            }
        }
    }

    /// Coverage of `path` within its bounding box, and where the box lies; `None` off the picture.
    fn coverage(&self, path: &Path) -> Option<(Mask, usize, usize)> {
        let bounds = path.clone().transform(self.camera)?.bounds();
        let clamp = |v: f32, max: usize| (v.max(0.0) as usize).min(max);
        let left = clamp(bounds.left().floor() - 1.0, self.width);
        let top = clamp(bounds.top().floor() - 1.0, self.height);
        let right = clamp(bounds.right().ceil() + 1.0, self.width);
        let bottom = clamp(bounds.bottom().ceil() + 1.0, self.height);
        if right <= left || bottom <= top {
            return None;
        }
        let mut mask = new_mask(right - left, bottom - top);
        let camera = self.camera.post_translate(-(left as f32), -(top as f32));
        mask.fill_path(path, FillRule::Winding, true, camera);
        Some((mask, left, top))
    }

    /// Brightness over a shape's bounding box at (`left`, `top`): rounded by its relief (darker
    /// towards the edges, lit from the upper left) and creased like cloth.
    fn light(&self, mask: &Mask, left: usize, top: usize, shape: &Shape) -> Field {
        let (w, h) = (mask.width() as usize, mask.height() as usize);
        // Every fourth pixel is enough for something this soft.
        let (cw, ch) = (w.div_ceil(4), h.div_ceil(4));
        let small: Vec<u8> = (0..cw * ch)
            .map(|i| mask.data()[(i / cw * 4).min(h - 1) * w + (i % cw * 4).min(w - 1)])
            .collect();
        let unit = 1.0 / (self.px * COARSE);
        let soft = Field::blurred(&small, cw, ch, 1.5 * unit);
        let reach = 1.6 / self.px;
        Field::of(cw, ch, |x, y| {
            let body = smooth((soft.or_zero(x, y) - 0.35) / 0.6);
            let slope = soft.or_zero(x + reach, y + reach) - soft.or_zero(x - reach, y - reach);
            let relief = (0.80 + 0.22 * body) * (1.0 + 0.20 * slope);
            let relief = lerp(1.0, relief, shape.relief.min(1.0));
            if shape.texture == Texture::Smooth {
                return relief;
            }
            let (u, v) = apply(&self.inverse, left as f32 + x, top as f32 + y);
            relief * folds(u, v, self.seed)
        })
    }

    /// Sensor grain, then 8 bits with a dither.
    fn develop(self) -> Picture {
        let mut rgba = Vec::with_capacity(self.pixels.len() * 4);
        for (i, pixel) in self.pixels.iter().enumerate() {
            let (x, y) = ((i % self.width) as i32, (i / self.width) as i32);
            let grain = (lattice(x, y, self.seed) - 0.5) * 0.012;
            let alpha = self.alpha.as_ref().map_or(255, |a| a[i]);
            let grain = if alpha == 255 && self.alpha.is_some() { 0.0 } else { grain };
            rgba.extend(pixel.map(|c| ((c + grain).clamp(0.0, 1.0) * 255.0 + 0.5) as u8));
            rgba.push(alpha);
        }
        Picture { width: self.studio.width, height: self.studio.height, rgba }
    }
}

/// Wall and floor colours of lifestyle shots.
const LIFESTYLE: [(Rgb, Rgb); 4] = [
    ([0.88, 0.84, 0.79], [0.66, 0.50, 0.36]),
    ([0.79, 0.84, 0.84], [0.72, 0.66, 0.58]),
    ([0.86, 0.79, 0.76], [0.50, 0.40, 0.33]),
    ([0.83, 0.85, 0.78], [0.74, 0.70, 0.64]),
];

/// Long soft creases that fall with the cloth.
fn folds(u: f32, v: f32, seed: u32) -> f32 {
    let bend = noise(u * 0.05, v * 0.05, seed) * 14.0;
    let fold = noise((u + bend) * 0.16, v * 0.035, seed.wrapping_add(9));
    let broad = noise(u * 0.05, v * 0.04, seed.wrapping_add(11));
    1.0 + 0.16 * (fold - 0.5) + 0.10 * (broad - 0.5)
}

fn along((gx, gy): (f32, f32), u: f32, v: f32) -> (f32, f32) {
    (u * gy - v * gx, u * gx + v * gy)
}

fn apply(t: &Transform, x: f32, y: f32) -> (f32, f32) {
    (t.sx * x + t.kx * y + t.tx, t.ky * x + t.sy * y + t.ty)
}

fn new_mask(width: usize, height: usize) -> Mask {
    // Sizes are those of a picture that `ImageSpec` has already limited, never 0.
    Mask::new(width.max(1) as u32, height.max(1) as u32).expect("a mask of a picture's size")
}

/// A smooth quantity known at every fourth pixel in both directions.
struct Field {
    data: Vec<f32>,
    width: usize,
    height: usize,
}

impl Field {
    /// `value` at each grid point, which gets full-resolution coordinates.
    fn of(width: usize, height: usize, value: impl Fn(f32, f32) -> f32) -> Self {
        let at = |i: usize| value((i % width) as f32 * COARSE, (i / width) as f32 * COARSE);
        Field { data: (0..width * height).map(at).collect(), width, height }
    }

    /// A coarse mask, blurred by about `radius` of its cells.
    fn blurred(mask: &[u8], width: usize, height: usize, radius: f32) -> Self {
        let mut data: Vec<f32> = mask.iter().map(|&v| f32::from(v) / 255.0).collect();
        let radius = (radius as usize).max(1);
        let mut line = Vec::new();
        // Three box blurs come close to a Gaussian.
        for _ in 0..3 {
            for row in data.chunks_exact_mut(width) {
                box_blur(row, 1, width, radius, &mut line);
            }
            for x in 0..width {
                box_blur(&mut data[x..], width, height, radius, &mut line);
            }
        }
        Field { data, width, height }
    }

    /// Bilinear value at a full-resolution position; the border goes on outside.
    fn at(&self, x: f32, y: f32) -> f32 {
        let (x, y) = ((x / COARSE).max(0.0), (y / COARSE).max(0.0));
        let (ix, iy) = (x as usize, y as usize);
        let (tx, ty) = (x - ix as f32, y - iy as f32);
        let (x0, x1) = (ix.min(self.width - 1), (ix + 1).min(self.width - 1));
        let (y0, y1) = (iy.min(self.height - 1), (iy + 1).min(self.height - 1));
        let get = |x: usize, y: usize| self.data[y * self.width + x];
        let top = lerp(get(x0, y0), get(x1, y0), tx);
        lerp(top, lerp(get(x0, y1), get(x1, y1), tx), ty)
    }

    /// Like [`Field::at`], but 0 outside.
    fn or_zero(&self, x: f32, y: f32) -> f32 {
        let (right, bottom) = (self.width as f32 * COARSE, self.height as f32 * COARSE);
        if x < 0.0 || y < 0.0 || x >= right || y >= bottom { 0.0 } else { self.at(x, y) }
    }
}

/// A running mean over `2 * radius + 1` of `n` values that lie `stride` apart; 0 outside.
fn box_blur(data: &mut [f32], stride: usize, n: usize, radius: usize, line: &mut Vec<f32>) {
    line.clear();
    line.extend((0..n).map(|i| data[i * stride]));
    let mut sum: f32 = line.iter().take(radius).sum();
    let scale = 1.0 / (2 * radius + 1) as f32;
    for i in 0..n {
        sum += line.get(i + radius).copied().unwrap_or(0.0);
        if i > radius {
            sum -= line[i - radius - 1];
        }
        data[i * stride] = sum * scale;
    }
}
