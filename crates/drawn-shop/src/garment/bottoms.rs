//! Skirt, trousers, jeans, shorts.

use crate::{
    paint::{
        pen::{Pen, ellipse, rounded},
        sketch::Sketch,
    },
    rng::Rng,
    style::{Cut, Garment, Length, Style},
};

const THREAD: u32 = 0xd9_a35a;

pub(super) fn skirt(s: &mut Sketch, style: &Style, rng: &mut Rng) {
    let (top, waist) = (-40.0, rng.range(15.5, 17.5));
    let hem_y = match style.length.unwrap_or(Length::Midi) {
        Length::Mini => 10.0,
        Length::Midi => 32.0,
        Length::Maxi => 52.0,
    };
    let (hip, hem) = match style.cut {
        Cut::Pencil => (22.0, 19.5),
        Cut::Pleated => (26.0, rng.range(33.0, 37.0)),
        _ => (25.0, rng.range(30.0, 35.0)),
    };
    // The back hem, seen from slightly below.
    s.cloth_tone(ellipse(0.0, hem_y, hem - 0.8, 2.2), 0.55);
    let body = Pen::at(0.0, top + 4.0)
        .line(waist, top + 4.0)
        .cubic(waist + 3.0, top + 12.0, hip - 1.0, top + 16.0, hip, top + 24.0)
        .cubic(hip + 1.5, top + 34.0, hem - 0.5, hem_y - 14.0, hem, hem_y)
        .cubic(hem * 0.7, hem_y + 3.0, hem * 0.4, hem_y + 2.0, 0.0, hem_y + 3.5);
    s.cloth(body.mirrored());
    let folds: i32 = match style.cut {
        Cut::Pleated => 6,
        Cut::Pencil => 0,
        _ => 3,
    };
    for k in 1..=folds {
        let f = k as f32 / (folds as f32 + 0.6);
        let crease = Pen::at(waist * f, top + 5.0).cubic(
            hip * f,
            top + 18.0,
            hem * f,
            hem_y - 18.0,
            hem * f,
            hem_y + 1.5,
        );
        let share = if style.cut == Cut::Pleated { 0.20 } else { 0.10 };
        s.crease(&crease, share);
        s.crease(&crease.flipped(), share);
    }
    if style.cut == Cut::Pleated {
        s.crease(&Pen::at(0.0, top + 5.0).line(0.0, hem_y + 2.0), 0.20);
    } else if style.cut == Cut::Pencil {
        s.crease(&Pen::at(9.0, hem_y - 16.0).line(9.5, hem_y + 2.0), 0.35);
        s.seam(&Pen::at(7.0, top + 5.0).line(8.0, top + 16.0));
        s.seam(&Pen::at(-7.0, top + 5.0).line(-8.0, top + 16.0));
    }
    s.cloth(rounded(-waist - 0.4, top, waist + 0.4, top + 5.0, 0.8));
    s.seam(&Pen::at(-waist, top + 5.0).line(waist, top + 5.0));
    s.rgb(ellipse(waist - 3.0, top + 2.5, 1.1, 1.1), 0x3a_332d, 0.6);
}

/// Waist, hips and where a leg ends.
struct Legs {
    top: f32,
    waist: f32,
    hip: f32,
    crotch: f32,
    hem_y: f32,
    /// x of the hem, inside and outside.
    inner: f32,
    outer: f32,
    knee: f32,
}

impl Legs {
    fn draw(&self, s: &mut Sketch) {
        let Legs { top, waist, hip, crotch, hem_y, inner, outer, knee } = *self;
        s.cloth_tone(
            Pen::at(0.0, top + 1.0)
                .line(waist - 1.0, top - 1.5)
                .line(waist - 1.0, top + 4.0)
                .mirrored(),
            0.55,
        );
        let knee_y = (crotch + hem_y) * 0.5;
        let leg = Pen::at(-0.2, top + 2.0)
            .line(waist, top)
            .cubic(waist + 2.0, top + 6.0, hip, top + 14.0, hip, crotch - 4.0)
            .cubic(hip + 0.3, crotch + 8.0, knee, knee_y - 8.0, knee, knee_y)
            .cubic(knee, knee_y + 8.0, outer, hem_y - 12.0, outer, hem_y)
            .quad((outer + inner) * 0.5, hem_y + 1.6, inner, hem_y + 0.4)
            .cubic(inner - 0.5, hem_y - 18.0, 2.2, crotch + 14.0, 0.9, crotch)
            .line(-0.2, crotch - 1.0);
        s.cloth(leg.flipped().closed());
        s.cloth(leg.closed());
        s.crease(&Pen::at(2.0, crotch + 0.5).quad(8.0, crotch - 1.0, 12.0, crotch - 5.0), 0.14);
        s.crease(&Pen::at(-2.0, crotch + 0.5).quad(-8.0, crotch - 1.0, -12.0, crotch - 5.0), 0.14);
        let cuff = Pen::at(outer - 0.3, hem_y - 2.6).quad(
            (outer + inner) * 0.5,
            hem_y - 1.2,
            inner,
            hem_y - 2.4,
        );
        s.topstitch(&cuff);
        s.topstitch(&cuff.flipped());
    }

    fn waistband(&self, s: &mut Sketch, loops: bool) {
        let Legs { top, waist, .. } = *self;
        let band = Pen::at(0.0, top)
            .quad(waist * 0.6, top, waist - 0.3, top - 1.8)
            .line(waist + 0.5, top + 3.6)
            .quad(waist * 0.6, top + 5.4, 0.0, top + 5.4);
        s.cloth(band.mirrored());
        let under = Pen::at(-waist - 0.5, top + 3.6).cubic(
            -waist * 0.5,
            top + 5.9,
            waist * 0.5,
            top + 5.9,
            waist + 0.5,
            top + 3.6,
        );
        s.seam(&under);
        if loops {
            for x in [-waist * 0.72, -waist * 0.3, waist * 0.3, waist * 0.72] {
                s.cloth(rounded(x - 0.8, top - 0.3, x + 0.8, top + 6.4, 0.3));
            }
        }
    }

    fn denim_details(&self, s: &mut Sketch) {
        let Legs { top, waist, hip, crotch, .. } = *self;
        let fly = Pen::at(0.0, top + 5.5).line(0.0, crotch);
        s.crease(&fly, 0.2);
        s.stitch(
            &Pen::at(3.2, top + 6.0).line(3.2, crotch - 9.0).quad(
                3.0,
                crotch - 4.5,
                0.3,
                crotch - 3.0,
            ),
            THREAD,
        );
        let pocket =
            Pen::at(waist * 0.38, top + 6.0).quad(waist * 0.5, top + 13.5, hip - 1.2, top + 14.0);
        for pen in [pocket.flipped(), pocket] {
            s.seam(&pen);
            s.stitch(&pen, THREAD);
        }
        s.stitch(&Pen::at(-waist, top + 2.7).quad(0.0, top + 6.0, waist, top + 2.7), THREAD);
        s.rgb(ellipse(0.6, top + 2.6, 1.3, 1.3), 0xb8_8d3e, 0.8);
    }
}

pub(super) fn trousers(s: &mut Sketch, style: &Style, rng: &mut Rng) {
    let (inner, outer, knee) = match style.cut {
        Cut::Slim => (8.5, 17.0, 18.5),
        Cut::Wide => (3.5, 29.0, 26.0),
        _ => (6.0, 20.5, 21.0),
    };
    let legs = Legs {
        top: -54.0,
        waist: rng.range(16.0, 17.5),
        hip: rng.range(21.0, 22.5),
        crotch: rng.range(-22.0, -18.0),
        hem_y: rng.range(52.0, 55.0),
        inner,
        outer,
        knee,
    };
    legs.draw(s);
    if style.garment == Garment::Jeans {
        legs.waistband(s, true);
        legs.denim_details(s);
        let side = Pen::at(legs.hip - 1.5, legs.crotch).cubic(
            knee - 1.2,
            0.0,
            knee - 1.2,
            20.0,
            outer - 1.0,
            legs.hem_y - 4.0,
        );
        s.topstitch(&side);
        s.topstitch(&side.flipped());
    } else {
        legs.waistband(s, rng.chance(0.5));
        s.crease(&Pen::at(0.0, -48.0).line(0.0, legs.crotch), 0.2);
        // Ironed creases and slanted pockets.
        let middle = (inner + outer) * 0.5;
        let iron = Pen::at(10.0, -40.0).quad(middle + 1.0, 0.0, middle, legs.hem_y);
        let pocket = Pen::at(11.0, -48.5).line(legs.hip - 2.0, -36.0);
        for pen in [iron.flipped(), iron] {
            s.crease(&pen, 0.13);
        }
        for pen in [pocket.flipped(), pocket] {
            s.crease(&pen, 0.25);
        }
        s.rgb(ellipse(0.0, -51.5, 1.1, 1.1), 0x33_2e2a, 0.6);
    }
}

pub(super) fn shorts(s: &mut Sketch, style: &Style, rng: &mut Rng) {
    let hem_y = rng.range(16.0, 28.0);
    let legs = Legs {
        top: -34.0,
        waist: rng.range(20.0, 22.0),
        hip: 27.0,
        crotch: -2.0,
        hem_y,
        inner: 4.0,
        outer: rng.range(29.0, 32.0),
        knee: 29.0,
    };
    legs.draw(s);
    legs.waistband(s, style.pattern == crate::style::Pattern::Denim);
    if style.pattern == crate::style::Pattern::Denim {
        legs.denim_details(s);
        return;
    }
    s.crease(&Pen::at(0.0, -29.0).line(0.0, legs.crotch), 0.2);
    let pocket = Pen::at(14.5, -28.5).line(25.5, -15.0);
    for pen in [pocket.flipped(), pocket] {
        s.crease(&pen, 0.25);
    }
    for x in [-1.6_f32, 1.6] {
        let cord = Pen::at(x, -31.5).quad(x * 2.4, -24.0, x * 1.8, -17.0);
        s.rgb(cord.stroked(1.0), 0xf2_efe8, 0.3);
    }
}
