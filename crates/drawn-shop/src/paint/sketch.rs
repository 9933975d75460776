//! A garment as a stack of inked outlines, back to front, still without pixels.

use tiny_skia::Path;

use super::pen::Pen;

/// How an outline is filled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Ink {
    /// The product's cloth: colour and pattern, times `tone`.
    Cloth { tone: f32 },
    /// The second colour, times `tone`.
    Accent { tone: f32 },
    /// A fixed colour (soles, metal).
    Rgb([f32; 3]),
    /// Darkens what is beneath by this share: seams, creases.
    Shade(f32),
}

/// Surface structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Texture {
    Woven,
    Knit,
    Smooth,
    Fluffy,
}

#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub(crate) path: Path,
    pub(crate) ink: Ink,
    pub(crate) texture: Texture,
    /// How rounded the shape looks: 0 flat (lines) to 1.
    pub(crate) relief: f32,
    /// Unit vector of the cloth's vertical thread; sleeves turn the pattern with them.
    pub(crate) grain: (f32, f32),
}

#[derive(Debug, Clone)]
pub(crate) struct Sketch {
    pub(crate) shapes: Vec<Shape>,
    texture: Texture,
}

impl Sketch {
    pub(crate) fn new(texture: Texture) -> Self {
        Sketch { shapes: Vec::new(), texture }
    }

    fn add(&mut self, path: Path, ink: Ink, texture: Texture, relief: f32) {
        self.shapes.push(Shape { path, ink, texture, relief, grain: (0.0, 1.0) });
    }

    pub(crate) fn cloth(&mut self, path: Path) {
        self.add(path, Ink::Cloth { tone: 1.0 }, self.texture, 1.0);
    }

    /// Cloth of the inside or in the shade.
    pub(crate) fn cloth_tone(&mut self, path: Path, tone: f32) {
        self.add(path, Ink::Cloth { tone }, self.texture, 0.6);
    }

    /// Cloth whose vertical thread runs from `from` to `to`.
    pub(crate) fn cloth_along(&mut self, path: Path, from: (f32, f32), to: (f32, f32)) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let norm = (dx * dx + dy * dy).sqrt().max(1e-3);
        let (ink, texture) = (Ink::Cloth { tone: 1.0 }, self.texture);
        let grain = (dx / norm, dy / norm);
        self.shapes.push(Shape { path, ink, texture, relief: 1.0, grain });
    }

    pub(crate) fn ribbed(&mut self, path: Path, tone: f32) {
        self.add(path, Ink::Cloth { tone }, Texture::Knit, 0.8);
    }

    pub(crate) fn accent(&mut self, path: Path) {
        self.add(path, Ink::Accent { tone: 1.0 }, self.texture, 0.7);
    }

    pub(crate) fn fluffy(&mut self, path: Path) {
        self.add(path, Ink::Accent { tone: 1.0 }, Texture::Fluffy, 1.2);
    }

    pub(crate) fn rgb(&mut self, path: Path, hex: u32, relief: f32) {
        let [_, r, g, b] = hex.to_be_bytes();
        let rgb = [r, g, b].map(|v| f32::from(v) / 255.0);
        self.add(path, Ink::Rgb(rgb), Texture::Smooth, relief);
    }

    pub(crate) fn shade(&mut self, path: Path, share: f32) {
        self.add(path, Ink::Shade(share), Texture::Smooth, 0.0);
    }

    /// A sewn seam.
    pub(crate) fn seam(&mut self, pen: &Pen) {
        self.add(pen.stroked(0.45), Ink::Shade(0.28), Texture::Smooth, 0.0);
    }

    /// A soft crease in the cloth.
    pub(crate) fn crease(&mut self, pen: &Pen, share: f32) {
        self.add(pen.stroked(1.6), Ink::Shade(share * 0.5), Texture::Smooth, 0.0);
        self.add(pen.stroked(0.6), Ink::Shade(share), Texture::Smooth, 0.0);
    }

    pub(crate) fn stitch(&mut self, pen: &Pen, hex: u32) {
        let [_, r, g, b] = hex.to_be_bytes();
        let rgb = [r, g, b].map(|v| f32::from(v) / 255.0);
        self.add(pen.stitched(0.4), Ink::Rgb(rgb), Texture::Smooth, 0.0);
    }

    /// Fine topstitching in the cloth's own shade.
    pub(crate) fn topstitch(&mut self, pen: &Pen) {
        self.add(pen.stitched(0.35), Ink::Shade(0.25), Texture::Smooth, 0.0);
    }
}
