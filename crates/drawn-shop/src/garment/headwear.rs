//! Beanie, cap, sun hat.

use crate::{
    paint::{
        pen::{Pen, ellipse},
        sketch::Sketch,
    },
    rng::Rng,
    style::{Cut, Style},
};

pub(super) fn beanie(s: &mut Sketch, style: &Style, rng: &mut Rng) {
    let height = rng.range(38.0, 46.0);
    if style.cut == Cut::Pompom {
        s.fluffy(ellipse(0.0, 14.0 - height - 5.0, 10.5, 10.0));
    }
    let dome = Pen::at(0.0, 14.0 - height)
        .cubic(15.0, 14.0 - height, 31.0, -8.0, 32.0, 16.0)
        .quad(16.0, 20.0, 0.0, 20.0);
    s.cloth(dome.mirrored());
    for x in [6.0_f32, 17.0] {
        let crease = Pen::at(x * 0.25, 16.0 - height).quad(x, 20.0 - height, x * 1.25, 10.0);
        s.crease(&crease, 0.10);
        s.crease(&crease.flipped(), 0.10);
    }
    let cuff = Pen::at(0.0, 11.0)
        .quad(20.0, 10.5, 33.0, 7.0)
        .quad(36.0, 16.0, 34.5, 27.0)
        .quad(20.0, 31.5, 0.0, 31.5);
    s.ribbed(cuff.mirrored(), 0.93);
    s.seam(&Pen::at(-33.0, 7.0).cubic(-14.0, 12.0, 14.0, 12.0, 33.0, 7.0));
}

pub(super) fn hat(s: &mut Sketch, style: &Style, rng: &mut Rng) {
    if style.cut == Cut::Cap { cap(s) } else { sun(s, rng) }
}

/// A baseball cap, seen from the side with the visor to the right.
fn cap(s: &mut Sketch) {
    let dome = Pen::at(-32.0, 17.0)
        .cubic(-36.0, -8.0, -22.0, -25.0, -2.0, -25.0)
        .cubic(16.0, -25.0, 24.0, -6.0, 23.0, 11.0)
        .cubic(12.0, 13.5, -8.0, 20.0, -32.0, 17.0);
    s.cloth(dome.closed());
    s.seam(&Pen::at(-2.0, -25.0).cubic(-14.0, -16.0, -19.0, 2.0, -18.0, 18.0));
    s.seam(&Pen::at(-2.0, -25.0).cubic(6.0, -14.0, 8.0, 0.0, 6.5, 15.0));
    let visor = Pen::at(3.0, 16.0)
        .cubic(9.0, 9.5, 16.0, 8.0, 23.0, 9.0)
        .cubic(36.0, 8.0, 46.0, 13.0, 47.5, 20.5)
        .cubic(34.0, 20.0, 16.0, 21.5, 3.0, 16.0);
    s.accent(visor.closed());
    for k in 1..4 {
        let d = k as f32 * 1.9;
        s.topstitch(&Pen::at(7.0 + d, 15.5).cubic(
            18.0,
            12.5 + d * 0.2,
            34.0,
            11.0 + d * 0.4,
            44.0 - d,
            17.0,
        ));
    }
    s.cloth(ellipse(-2.0, -25.4, 2.6, 1.6));
    for x in [-9.0_f32, 0.5] {
        s.shade(ellipse(x, -13.0, 0.8, 0.8), 0.6);
    }
    // The strap's opening at the back.
    s.cloth_tone(
        Pen::at(-32.0, 16.5).quad(-29.0, 7.0, -22.0, 9.0).quad(-20.0, 13.0, -20.0, 18.3).closed(),
        0.45,
    );
    s.accent(Pen::at(-32.3, 14.2).quad(-26.0, 17.0, -20.0, 16.0).stroked(2.6));
}

/// A brimmed hat with a band.
fn sun(s: &mut Sketch, rng: &mut Rng) {
    let brim = rng.range(40.0, 46.0);
    s.cloth_tone(ellipse(0.0, 15.5, brim - 1.0, 12.0), 0.6);
    s.cloth(ellipse(0.0, 13.0, brim, 12.0));
    s.crease(&Pen::at(-brim + 3.0, 14.0).cubic(-20.0, 25.5, 20.0, 25.5, brim - 3.0, 14.0), 0.06);
    let crown = Pen::at(0.0, -23.5)
        .cubic(5.0, -26.5, 17.0, -26.5, 20.5, -18.0)
        .cubic(22.5, -10.0, 23.5, 2.0, 24.0, 11.0)
        .cubic(17.0, 15.8, 8.0, 16.5, 0.0, 16.5);
    s.cloth(crown.mirrored());
    s.crease(&Pen::at(-9.0, -23.0).quad(0.0, -15.0, 9.0, -23.0), 0.15);
    let band = Pen::at(0.0, 9.0)
        .cubic(8.0, 9.0, 17.0, 8.3, 23.6, 3.5)
        .line(24.0, 11.0)
        .cubic(17.0, 15.8, 8.0, 16.5, 0.0, 16.5);
    s.accent(band.mirrored());
    s.accent(Pen::at(17.0, 6.5).line(22.0, 4.5).line(23.0, 12.0).line(18.0, 14.5).closed());
}
