//! One picture of a product: how it is taken, and its pixels.

use serde::Serialize;

use crate::{
    Error, encode,
    encode::Format,
    garment,
    paint::{
        cloth::Cloth,
        render::{Studio, render},
    },
    picture::Picture,
    rng::Rng,
    style::{Background, Style},
};

/// Largest side [`ImageSpec::with_size`] accepts, in pixels.
const MAX_SIDE: u32 = 8192;

/// Everything that decides a picture and its file.
#[derive(Debug, Clone, Serialize)]
pub struct ImageSpec {
    /// Pixels.
    pub width: u32,
    pub height: u32,
    pub format: Format,
    pub background: Background,
    #[serde(skip)]
    pub(crate) style: Style,
    /// Of proportions and cloth: shared by the pictures of a product.
    #[serde(skip)]
    pub(crate) garment_seed: u64,
    /// Of camera and studio: one per picture.
    #[serde(skip)]
    pub(crate) shot_seed: u64,
}

impl ImageSpec {
    /// The same shot at another size (pixels, limited to 1..=8192).
    pub fn with_size(mut self, width: u32, height: u32) -> Self {
        self.width = width.clamp(1, MAX_SIDE);
        self.height = height.clamp(1, MAX_SIDE);
        self
    }

    /// The same shot in another file format; JPEG has no transparency and gets a white studio.
    pub fn with_format(mut self, format: Format) -> Self {
        self.format = format;
        if matches!(format, Format::Jpeg(_)) && self.background == Background::Transparent {
            self.background = Background::White;
        }
        self
    }

    /// Draws the picture.
    pub fn render(&self) -> Picture {
        let mut proportions = Rng::new(self.garment_seed);
        let sketch = garment::sketch(&self.style, &mut proportions);
        let mut cloth = proportions.fork(2);
        let cloth = Cloth::new(&self.style, cloth.range(2.6, 4.4), cloth.next_u64() as u32);
        let mut shot = Rng::new(self.shot_seed);
        let studio = Studio {
            width: self.width,
            height: self.height,
            background: self.background,
            zoom: shot.range(0.93, 1.03),
            tilt: shot.range(-0.05, 0.05),
            shift: (shot.range(-2.5, 2.5), shot.range(-2.0, 2.0)),
            seed: shot.next_u64(),
        };
        render(&sketch, &cloth, &studio)
    }

    /// The bytes of the image file.
    pub fn file(&self) -> Result<Vec<u8>, Error> {
        encode::encode(&self.render(), self.format)
    }
}
