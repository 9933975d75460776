//! Outlines of the garments. Units: the picture is about 100 wide; garments stay within ±46 by ±57.

mod accessories;
mod bags;
mod bottoms;
mod headwear;
mod outerwear;
mod tops;

use crate::{
    paint::sketch::{Sketch, Texture},
    rng::Rng,
    style::{Garment, Style},
};

/// The drawing of a style. `rng` varies proportions within what the style allows.
pub(crate) fn sketch(style: &Style, rng: &mut Rng) -> Sketch {
    let texture = match style.garment {
        Garment::Sweater | Garment::Beanie | Garment::Scarf => Texture::Knit,
        Garment::Sneakers => Texture::Smooth,
        _ => Texture::Woven,
    };
    let mut s = Sketch::new(texture);
    match style.garment {
        Garment::TShirt => tops::t_shirt(&mut s, style, rng),
        Garment::Shirt => tops::shirt(&mut s, style, rng),
        Garment::Sweater => tops::sweater(&mut s, style, rng),
        Garment::Hoodie => tops::hoodie(&mut s, style, rng),
        Garment::Dress => tops::dress(&mut s, style, rng),
        Garment::Jacket => outerwear::jacket(&mut s, style, rng),
        Garment::Coat => outerwear::coat(&mut s, style, rng),
        Garment::Skirt => bottoms::skirt(&mut s, style, rng),
        Garment::Jeans | Garment::Trousers => bottoms::trousers(&mut s, style, rng),
        Garment::Shorts => bottoms::shorts(&mut s, style, rng),
        Garment::Beanie => headwear::beanie(&mut s, style, rng),
        Garment::Hat => headwear::hat(&mut s, style, rng),
        Garment::Sneakers => accessories::sneakers(&mut s, style, rng),
        Garment::Scarf => accessories::scarf(&mut s, style, rng),
        Garment::Bag => bags::bag(&mut s, style, rng),
    }
    s
}
