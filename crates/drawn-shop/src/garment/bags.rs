//! Tote, handbag, backpack.

use crate::{
    paint::{
        pen::{Pen, ellipse, rounded},
        sketch::Sketch,
    },
    rng::Rng,
    style::{Cut, Style},
};

const GOLD: u32 = 0xc9_a24a;

pub(super) fn bag(s: &mut Sketch, style: &Style, rng: &mut Rng) {
    match style.cut {
        Cut::Tote => tote(s, rng),
        Cut::Backpack => backpack(s),
        _ => handbag(s, rng),
    }
}

fn tote(s: &mut Sketch, rng: &mut Rng) {
    let w = rng.range(27.0, 31.0);
    let handle = |dy: f32| {
        Pen::at(-12.5, -6.0 + dy).cubic(-13.0, -52.0 + dy, 13.0, -52.0 + dy, 12.5, -6.0 + dy)
    };
    s.cloth_tone(handle(-3.0).stroked(3.4), 0.6);
    s.cloth_tone(
        Pen::at(0.0, -13.0).line(w - 1.0, -13.5).line(w, -8.0).line(0.0, -6.0).mirrored(),
        0.5,
    );
    let body = Pen::at(0.0, -10.5)
        .quad(w * 0.6, -10.5, w, -11.5)
        .line(w + 2.5, 40.0)
        .quad(w + 2.0, 44.0, w - 4.0, 44.5)
        .line(0.0, 45.2);
    s.cloth(body.mirrored());
    s.accent(handle(2.0).stroked(3.6));
    for side in [-12.5_f32, 12.5] {
        s.accent(rounded(side - 1.8, -8.0, side + 1.8, 4.0, 0.4));
        s.topstitch(&Pen::at(side - 1.2, -4.0).line(side + 1.2, 3.0));
        s.topstitch(&Pen::at(side + 1.2, -4.0).line(side - 1.2, 3.0));
    }
    s.topstitch(&Pen::at(-w, -8.0).quad(0.0, -6.8, w, -8.0));
    s.crease(&Pen::at(-w + 4.0, 42.0).quad(-w + 6.0, 25.0, -w + 2.0, 10.0), 0.10);
}

fn handbag(s: &mut Sketch, rng: &mut Rng) {
    let w = rng.range(31.0, 35.0);
    let arch = Pen::at(-17.0, -10.0).cubic(-17.0, -46.0, 17.0, -46.0, 17.0, -10.0);
    s.cloth(arch.stroked(3.6));
    s.topstitch(&arch);
    let body = Pen::at(0.0, -14.0)
        .line(w - 5.0, -14.0)
        .quad(w - 1.5, -13.5, w - 1.0, -9.0)
        .line(w + 2.0, 30.0)
        .quad(w + 2.0, 35.0, w - 3.0, 35.0)
        .line(0.0, 35.5);
    s.cloth(body.mirrored());
    let flap = Pen::at(0.0, -14.5)
        .line(w - 4.5, -14.5)
        .quad(w - 0.6, -14.0, w - 0.5, -9.0)
        .quad(w, 6.0, w * 0.6, 11.0)
        .quad(w * 0.3, 14.0, 0.0, 14.0);
    s.cloth(flap.clone().mirrored());
    s.crease(&Pen::at(-w * 0.95, 3.0).cubic(-w * 0.7, 14.5, w * 0.7, 14.5, w * 0.95, 3.0), 0.16);
    s.topstitch(&Pen::at(-w + 3.0, 31.8).line(w - 3.0, 31.8));
    for side in [-17.0_f32, 17.0] {
        s.rgb(ellipse(side, -10.0, 3.2, 3.2), GOLD, 0.9);
        s.cloth(ellipse(side, -10.0, 1.6, 1.6));
    }
    s.rgb(rounded(-4.5, 8.0, 4.5, 17.0, 1.2), GOLD, 0.9);
    s.rgb(rounded(-1.2, 10.0, 1.2, 15.0, 0.8), 0x7d_6226, 0.4);
}

fn backpack(s: &mut Sketch) {
    let strap = Pen::at(22.0, -26.0).cubic(36.0, -20.0, 37.0, 22.0, 27.0, 36.0);
    for pen in [strap.flipped(), strap] {
        s.cloth_tone(pen.stroked(5.0), 0.6);
    }
    s.accent(Pen::at(-7.0, -42.0).cubic(-7.0, -53.0, 7.0, -53.0, 7.0, -42.0).stroked(2.6));
    let body = Pen::at(0.0, -46.0)
        .cubic(17.0, -46.0, 27.0, -39.0, 28.0, -22.0)
        .line(29.5, 36.0)
        .quad(29.5, 44.5, 21.0, 44.5)
        .line(0.0, 45.0);
    s.cloth(body.mirrored());
    let zip = Pen::at(-24.5, -8.0).cubic(-25.0, -50.0, 25.0, -50.0, 24.5, -8.0);
    s.shade(zip.stroked(1.8), 0.45);
    s.rgb(zip.stroked(0.5), 0xa9_acb2, 0.1);
    s.rgb(rounded(23.2, -9.0, 25.8, -2.0, 0.9), GOLD, 0.7);
    s.cloth(rounded(-21.0, 6.0, 21.0, 39.0, 5.0));
    s.topstitch(
        &Pen::at(-19.5, 10.0)
            .line(-19.5, 34.0)
            .quad(-19.0, 37.5, -15.0, 37.5)
            .line(15.0, 37.5)
            .quad(19.0, 37.5, 19.5, 34.0)
            .line(19.5, 10.0),
    );
    let zip = Pen::at(-18.0, 12.5).quad(0.0, 11.0, 18.0, 12.5);
    s.shade(zip.stroked(1.8), 0.45);
    s.rgb(zip.stroked(0.5), 0xa9_acb2, 0.1);
    s.accent(rounded(-6.0, -24.0, 6.0, -15.0, 1.0));
    s.topstitch(
        &Pen::at(-5.0, -23.0).line(5.0, -23.0).line(5.0, -16.0).line(-5.0, -16.0).line(-5.0, -23.0),
    );
}
