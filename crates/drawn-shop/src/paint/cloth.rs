//! Colour of cloth at a point: pattern, weave, print.

use crate::{
    rng::{lattice, lerp, noise},
    style::{Pattern, Style},
};

use super::sketch::Texture;

pub(crate) type Rgb = [f32; 3];

/// Pattern and dye of one product.
#[derive(Debug, Clone)]
pub(crate) struct Cloth {
    pub(crate) base: Rgb,
    pub(crate) accent: Rgb,
    pattern: Pattern,
    /// Width of a stripe, distance of dots, side of a check: units.
    period: f32,
    seed: u32,
}

impl Cloth {
    pub(crate) fn new(style: &Style, period: f32, seed: u32) -> Self {
        let base = style.color.rgb();
        // Indigo on cotton is duller than the dye.
        let grey = luma(base);
        let indigo = [grey * 0.95, grey, grey * 1.12];
        let base = if style.pattern == Pattern::Denim { mix(base, indigo, 0.4) } else { base };
        Cloth { base, accent: style.accent.rgb(), pattern: style.pattern, period, seed }
    }

    /// Dye at (u, v) units; `px` is the size of a pixel in units, for soft edges.
    pub(crate) fn dye(&self, u: f32, v: f32, px: f32) -> Rgb {
        let p = self.period;
        match self.pattern {
            Pattern::Plain => self.base,
            Pattern::Striped => {
                mix(self.base, self.accent, band(v / (2.0 * p), 0.42, px / (2.0 * p)))
            }
            Pattern::Dotted => {
                let row = (v / p).floor();
                let shift = if row as i32 & 1 == 0 { 0.0 } else { 0.5 };
                let (du, dv) = (fract(u / p + shift) - 0.5, v / p - row - 0.5);
                let r = (du * du + dv * dv).sqrt() * p;
                mix(self.base, self.accent, edge(0.27 * p - r, px))
            }
            Pattern::Checked => {
                let s = 2.4 * p;
                let warp = band(u / s, 0.5, px / s);
                let weft = band(v / s, 0.5, px / s);
                let line =
                    band(u / s + 0.2, 0.07, px / s).max(band(v / s + 0.2, 0.07, px / s)) * 0.5;
                mix(self.base, self.accent, ((warp + weft) * 0.42).max(line))
            }
            Pattern::Floral => self.flowers(u, v, px),
            Pattern::Ombre => mix(self.base, self.accent, smooth((v + 38.0) / 80.0)),
            Pattern::Denim => self.denim(u, v),
        }
    }

    /// One five-petalled flower or leaf pair per cell, jittered; neighbours may reach over.
    fn flowers(&self, u: f32, v: f32, px: f32) -> Rgb {
        let cell = self.period * 2.1;
        let (cu, cv) = ((u / cell).floor(), (v / cell).floor());
        let mut color = self.base;
        for (i, j) in [(-1, -1), (0, -1), (1, -1), (-1, 0), (0, 0), (1, 0), (-1, 1), (0, 1), (1, 1)]
        {
            let (x, y) = (cu as i32 + i, cv as i32 + j);
            let at = |k: u32| lattice(x, y, self.seed.wrapping_add(k));
            let du = u - (x as f32 + 0.2 + 0.6 * at(1)) * cell;
            let dv = v - (y as f32 + 0.2 + 0.6 * at(2)) * cell;
            let r = (du * du + dv * dv).sqrt();
            if r > 0.75 * cell {
                continue;
            }
            let (c, s) = if r > 1e-4 { (du / r, dv / r) } else { (1.0, 0.0) };
            // cos 5t from cos t (Chebyshev), turned per flower by mixing in sin 5t.
            let cos5 = c * (16.0 * c * c * c * c - 20.0 * c * c + 5.0);
            let sin5 = s * (16.0 * s * s * s * s - 20.0 * s * s + 5.0);
            let petal = 0.5 + 0.5 * if at(3) < 0.5 { cos5 } else { sin5 };
            let size = cell * (0.24 + 0.16 * at(4));
            let leaf = (du * (at(5) - 0.5) + dv * (at(6) - 0.5)).abs() * 3.0 + r * 0.35;
            color = mix(color, [0.25, 0.42, 0.24], 0.8 * edge(0.16 * cell - leaf, px));
            color = mix(color, self.accent, edge(size * (0.55 + 0.45 * petal) - r, px));
            let heart =
                if luma(self.accent) > 0.55 { [0.85, 0.55, 0.12] } else { [0.98, 0.86, 0.5] };
            color = mix(color, heart, edge(size * 0.26 - r, px));
        }
        color
    }

    /// Faded twill: worn lighter along the middle of the leg, darker at the edges.
    fn denim(&self, u: f32, v: f32) -> Rgb {
        let faded =
            smooth(1.0 - ((u.abs() - 10.0).abs() / 9.0)) * 0.28 * noise(u * 0.2, v * 0.05, 3);
        let slub = noise(u * 9.0, v * 0.6, self.seed) - 0.5;
        let twill = fract((u + v) * 0.9) - 0.5;
        let shade = 1.0 + 0.10 * slub + 0.05 * twill;
        mix(self.base, [0.82, 0.87, 0.93], faded).map(|c| c * shade)
    }

    /// Brightness of the surface structure, around 1.
    pub(crate) fn weave(&self, texture: Texture, u: f32, v: f32, px: f32) -> f32 {
        // Structure finer than two pixels would alias into moiré: fade it out.
        let visible = |size: f32| (size / px - 1.5).clamp(0.0, 1.0);
        match texture {
            Texture::Woven => {
                let grain = noise(u * 3.0, v * 3.0, self.seed) - 0.5;
                let threads = lattice((u * 4.0) as i32, (v * 4.0) as i32, 5) - 0.5;
                1.0 + 0.035 * grain + 0.03 * threads * visible(0.5)
            }
            Texture::Knit => {
                let rib = fract(u / 1.5);
                let rib = 4.0 * rib * (1.0 - rib);
                let row = fract(v / 0.9 + 0.5 * (2.0 * fract(u / 1.5) - 1.0).abs());
                1.0 + 0.17 * (rib - 0.6) * visible(1.5) + 0.06 * (row - 0.5) * visible(0.9)
            }
            Texture::Fluffy => 0.85 + 0.4 * noise(u * 1.6, v * 1.6, self.seed),
            Texture::Smooth => 1.0 + 0.02 * (noise(u * 2.0, v * 2.0, self.seed) - 0.5),
        }
    }
}

pub(crate) fn mix(a: Rgb, b: Rgb, t: f32) -> Rgb {
    [lerp(a[0], b[0], t), lerp(a[1], b[1], t), lerp(a[2], b[2], t)]
}

pub(crate) fn luma(c: Rgb) -> f32 {
    0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]
}

/// 0 to 1 over one pixel around distance 0.
fn edge(distance: f32, px: f32) -> f32 {
    (distance / px + 0.5).clamp(0.0, 1.0)
}

/// 1 in the first `share` of each unit period, with soft edges of width `px`.
fn band(x: f32, share: f32, px: f32) -> f32 {
    let x = fract(x);
    let inside = x.min(share - x).max(x - 1.0);
    edge(inside, px)
}

pub(crate) fn smooth(t: f32) -> f32 {
    let t = t.clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

fn fract(x: f32) -> f32 {
    x - x.floor()
}
