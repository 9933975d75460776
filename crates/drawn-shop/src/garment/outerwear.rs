//! Jacket and coat: a top that opens in front.

use crate::{
    paint::{
        pen::{Pen, ellipse, rounded},
        sketch::Sketch,
    },
    rng::Rng,
    style::{Cut, Length, Neck, Sleeve, Style},
};

use super::tops::Block;

const BRASS: u32 = 0xb8_8d3e;
const STEEL: u32 = 0xb9_bcc2;

pub(super) fn jacket(s: &mut Sketch, style: &Style, rng: &mut Rng) {
    let mut block = Block::new(style, rng);
    block.neck = Neck::V;
    block.neck_width = 9.5;
    block.chest += 1.5;
    block.wrist = 10.5;
    match style.cut {
        Cut::Blazer => {
            block.neck_depth = 38.0;
            block.hem_y = 44.0;
            block.waist = block.chest - 3.0;
            lapelled(s, &block, 5.0);
        }
        Cut::Trucker => {
            block.neck_depth = 9.0;
            block.hem_y = 30.0;
            block.hem = block.waist - 1.0;
            trucker(s, &block);
        }
        _ => {
            block.neck_depth = 7.0;
            block.hem_y = 30.0;
            block.waist = block.chest + 0.5;
            block.hem = block.chest - 2.0;
            bomber(s, &block);
        }
    }
}

fn bomber(s: &mut Sketch, block: &Block) {
    block.back(s);
    let cuff = block.sleeves(s, Sleeve::Long);
    block.cuffs(s, cuff, 7.0);
    s.cloth(block.body_pen().mirrored());
    let (t, y, h, n) = (block.top, block.hem_y, block.hem, block.neck_width);
    let band = Pen::at(0.0, y - 5.5).line(h + 0.2, y - 6.0).line(h - 1.5, y + 3.0).quad(
        h * 0.5,
        y + 4.0,
        0.0,
        y + 4.0,
    );
    s.ribbed(band.mirrored(), 0.78);
    let collar = Pen::at(0.3, t + 9.5)
        .cubic(6.0, t + 8.5, n, t + 4.0, n - 0.5, t - 2.0)
        .line(n + 3.0, t - 0.5)
        .cubic(n + 2.5, t + 7.0, 8.0, t + 12.0, 0.3, t + 13.0);
    s.ribbed(collar.closed(), 0.78);
    s.ribbed(collar.flipped().closed(), 0.78);
    s.shade(rounded(-1.5, t + 9.5, 1.5, y + 4.0, 0.2), 0.35);
    s.rgb(rounded(-0.6, t + 9.5, 0.6, y + 4.0, 0.2), STEEL, 0.3);
    s.rgb(rounded(-1.1, t + 13.0, 1.1, t + 18.0, 0.6), STEEL, 0.6);
    let pocket = Pen::at(9.0, 15.0).line(16.5, 4.0);
    s.crease(&pocket, 0.3);
    s.crease(&pocket.flipped(), 0.3);
}

fn trucker(s: &mut Sketch, block: &Block) {
    block.back(s);
    let cuff = block.sleeves(s, Sleeve::Long);
    s.cloth(block.body_pen().mirrored());
    let (t, y, h) = (block.top, block.hem_y, block.hem);
    let thread = 0xd9_a35a;
    if let Some([o, i]) = cuff {
        let line = Pen::at(o.0 - 1.0, o.1 - 6.0).line(i.0 - 1.2, i.1 - 6.0);
        s.stitch(&line, thread);
        s.stitch(&line.flipped(), thread);
    }
    s.cloth(rounded(-h - 0.6, y - 5.0, h + 0.6, y + 2.5, 1.0));
    let seams = [
        Pen::at(1.0, t + 21.0).line(22.0, t + 20.0),
        Pen::at(8.5, t + 31.0).line(6.5, y - 5.0),
        Pen::at(16.5, t + 31.0).line(14.5, y - 5.0),
        Pen::at(-2.0, y - 4.0).line(h, y - 4.0),
        Pen::at(3.0, t + 12.0).line(3.0, y + 2.0),
    ];
    for pen in &seams {
        for pen in [pen.clone(), pen.flipped()] {
            s.seam(&pen);
            s.stitch(&pen, thread);
        }
    }
    for side in [-1.0, 1.0] {
        let flap = Pen::at(7.0 * side, t + 21.5)
            .line(18.0 * side, t + 21.0)
            .line(18.0 * side, t + 26.0)
            .line(12.5 * side, t + 31.0)
            .line(7.0 * side, t + 26.5);
        s.cloth(flap.closed());
        s.stitch(&flap, thread);
        s.rgb(ellipse(12.5 * side, t + 28.2, 0.9, 0.9), BRASS, 0.6);
    }
    s.shade(Pen::at(0.0, t + 9.0).line(0.0, y + 2.5).stroked(0.5), 0.5);
    let mut by = t + 14.0;
    while by < y + 2.0 {
        s.rgb(ellipse(1.6, by, 1.05, 1.05), BRASS, 0.7);
        by += 9.5;
    }
    let collar = Pen::at(0.0, t + 9.5)
        .line(5.0, t + 17.5)
        .quad(12.0, t + 13.0, 14.5, t + 5.5)
        .quad(12.5, t - 3.0, 9.5, t - 4.0)
        .quad(8.0, t + 3.5, 0.0, t + 9.5);
    for pen in [collar.flipped(), collar] {
        s.cloth(pen.closed());
        s.stitch(&pen, thread);
    }
}

/// Blazer and coat front: crossing halves, lapels, buttons from where the lapels meet.
fn lapelled(s: &mut Sketch, block: &Block, overlap: f32) {
    let (t, y, n) = (block.top, block.hem_y, block.neck_width);
    let meet = t + block.neck_depth;
    block.back(s);
    // Lining and what is worn beneath the lapels.
    s.cloth_tone(
        Pen::at(0.0, meet + 3.0).line(n + 1.0, t + 1.0).line(0.0, t + 5.0).mirrored(),
        0.45,
    );
    let cuff = block.sleeves(s, Sleeve::Long);
    s.cloth(block.body_pen().mirrored());
    let edge = Pen::at(0.0, meet).line(overlap, meet + 2.0).line(overlap, y - 4.0).quad(
        overlap,
        y + 1.0,
        overlap - 4.0,
        y + 1.8,
    );
    s.crease(&edge, 0.22);
    let lapel = Pen::at(0.0, meet + 0.8)
        .quad(8.0, meet - 10.0, 15.0, t + 19.0)
        .line(11.5, t + 16.0)
        .line(14.5, t + 11.5)
        .quad(13.0, t + 2.0, 9.5, t - 3.5)
        .quad(8.5, t + 6.0, 0.0, meet + 0.8);
    for pen in [lapel.flipped(), lapel] {
        s.cloth_along(pen.closed(), (0.0, 0.0), (0.35, 1.0));
        s.seam(&pen);
    }
    if let Some([o, i]) = cuff {
        let line = Pen::at(o.0 - 0.9, o.1 - 7.0).line(i.0 - 1.1, i.1 - 6.5);
        s.seam(&line);
        s.seam(&line.flipped());
    }
    let mut by = meet + 4.0;
    while by < meet + 30.0 && by < y - 8.0 {
        s.rgb(ellipse(overlap - 2.4, by, 1.25, 1.25), 0x2a_2522, 0.7);
        if overlap > 6.0 {
            s.rgb(ellipse(-overlap + 1.0, by, 1.25, 1.25), 0x2a_2522, 0.7);
        }
        by += 9.5;
    }
}

pub(super) fn coat(s: &mut Sketch, style: &Style, rng: &mut Rng) {
    let mut block = Block::new(style, rng);
    block.top = -54.0;
    block.neck = Neck::V;
    block.neck_width = 9.0;
    block.neck_depth = rng.range(26.0, 32.0);
    block.shoulder = 22.0;
    block.chest = 21.5;
    block.waist = rng.range(19.5, 21.5);
    block.wrist = 10.0;
    block.hem_y = match style.length.unwrap_or(Length::Midi) {
        Length::Mini => 34.0,
        Length::Midi => 46.0,
        Length::Maxi => 56.0,
    };
    block.hem = rng.range(24.5, 29.0);
    let belted = rng.chance(0.4);
    lapelled(s, &block, if rng.chance(0.5) { 7.0 } else { 5.0 });
    let pocket = Pen::at(10.5, 6.0).line(19.0, 4.0).line(19.3, 8.0).line(10.8, 10.0);
    for pen in [pocket.flipped(), pocket] {
        s.cloth(pen.closed());
        s.seam(&pen);
    }
    if belted {
        let w = block.waist + 0.8;
        s.cloth(Pen::at(0.0, -9.0).line(w, -10.0).line(w, -4.5).line(0.0, -3.5).mirrored());
        s.seam(&Pen::at(-w, -10.0).line(0.0, -9.0).line(w, -10.0));
        s.seam(&Pen::at(-w, -4.5).line(0.0, -3.5).line(w, -4.5));
        s.cloth(Pen::at(-1.0, -4.0).line(4.5, -4.5).line(8.0, 13.0).line(2.5, 14.5).closed());
        s.rgb(rounded(-3.8, -10.0, 3.8, -3.0, 1.0), 0x3a_2f28, 0.8);
        s.cloth(rounded(-2.4, -8.6, 2.4, -4.4, 0.5));
    }
}
