//! Sneakers and scarf.

use crate::{
    paint::{
        pen::{Pen, shifted},
        sketch::Sketch,
    },
    rng::Rng,
    style::{Cut, Style},
};

pub(super) fn sneakers(s: &mut Sketch, style: &Style, rng: &mut Rng) {
    let ankle = if style.cut == Cut::High { -34.0 } else { -17.0 };
    // The pair's other shoe stands behind.
    shoe(s, ankle);
    for shape in &mut s.shapes {
        shape.path = shifted(&shape.path, -5.0, -13.0);
    }
    let behind = s.shapes.len();
    shoe(s, ankle);
    let apart = rng.range(7.0, 10.0);
    for shape in s.shapes.iter_mut().skip(behind) {
        shape.path = shifted(&shape.path, 1.0, apart);
    }
}

fn shoe(s: &mut Sketch, ankle: f32) {
    let high = ankle < -20.0;
    // Inside of the collar.
    s.cloth_tone(
        Pen::at(-37.0, ankle + 2.0)
            .quad(-26.0, ankle - 3.0, -12.0, ankle - 1.0)
            .line(-10.0, ankle + 9.0)
            .quad(-26.0, ankle + 11.0, -36.0, ankle + 9.0)
            .closed(),
        0.45,
    );
    // Tongue.
    s.cloth_tone(
        Pen::at(-15.0, ankle + 3.0)
            .line(-11.0, ankle - 5.0)
            .quad(-6.0, ankle - 5.0, -3.0, ankle + 1.0)
            .line(6.0, -4.0)
            .line(-2.0, 4.0)
            .closed(),
        0.85,
    );
    let upper = Pen::at(-39.0, 14.0)
        .cubic(-40.0, 0.0, -36.0, ankle + 18.0, -37.5, ankle + 1.0)
        .quad(-28.0, ankle + 9.0, -13.5, ankle + 1.5)
        .cubic(-9.0, ankle + 6.0, 0.0, if high { -14.0 } else { -6.0 }, 12.0, -3.0)
        .cubic(28.0, -1.0, 40.0, 2.0, 41.5, 14.0)
        .line(-39.0, 14.0);
    s.cloth(upper.closed());
    // Toe cap, heel counter, side stripes.
    s.rgb(
        Pen::at(27.0, 14.0)
            .cubic(25.0, 6.0, 28.0, 1.5, 32.0, 1.6)
            .cubic(38.0, 3.0, 41.5, 7.0, 41.5, 14.0)
            .closed(),
        0xf2_f0ea,
        0.8,
    );
    s.accent(
        Pen::at(-39.0, 14.0)
            .cubic(-39.8, 4.0, -38.0, -4.0, -37.4, -8.0)
            .quad(-30.0, -4.0, -27.0, 14.0)
            .closed(),
    );
    for k in 0..2 {
        let x = -13.0 + 8.0 * k as f32;
        s.accent(
            Pen::at(x, 14.0)
                .line(x + 4.2, 14.0)
                .line(x + 13.0, -1.0 + k as f32)
                .line(x + 9.0, -2.0 + k as f32)
                .closed(),
        );
    }
    s.topstitch(&Pen::at(-27.0, 13.0).quad(-29.0, -3.0, -36.5, -7.0));
    s.topstitch(&Pen::at(26.0, 13.0).quad(24.5, 5.0, 31.0, 1.0));
    // Laces follow the instep.
    let rows: i32 = if high { 6 } else { 4 };
    let (x0, y0, x1, y1) = (-11.5, ankle + 4.0, 10.0, -3.2);
    for k in 0..rows {
        let f = k as f32 / (rows - 1) as f32;
        let bend = if high { 5.0 * f * (1.0 - f) } else { 3.0 * f * (1.0 - f) };
        let (x, y) = (x0 + (x1 - x0) * f - bend, y0 + (y1 - y0) * f + bend);
        s.rgb(Pen::at(x - 1.6, y + 4.2).line(x + 2.8, y - 1.8).stroked(1.9), 0xf6_f4ee, 0.5);
    }
    // Sole.
    let sole = Pen::at(-41.0, 11.5)
        .quad(0.0, 14.5, 42.5, 11.0)
        .quad(46.0, 15.0, 43.0, 19.5)
        .quad(41.0, 22.0, 36.0, 22.0)
        .line(-36.0, 22.0)
        .quad(-41.5, 22.0, -41.0, 11.5)
        .closed();
    s.rgb(sole, 0xf5_f3ee, 0.9);
    s.shade(Pen::at(-40.0, 17.0).quad(0.0, 19.0, 43.5, 16.5).stroked(0.6), 0.25);
    s.rgb(Pen::at(-37.0, 21.4).line(37.0, 21.4).stroked(1.4), 0x8a_7f72, 0.2);
}

pub(super) fn scarf(s: &mut Sketch, _style: &Style, rng: &mut Rng) {
    let (left, right) = (rng.range(38.0, 50.0), rng.range(28.0, 44.0));
    // Behind the neck.
    s.cloth_tone(
        Pen::at(0.0, -50.0)
            .cubic(15.0, -50.0, 24.0, -47.0, 24.0, -38.0)
            .quad(11.0, -28.0, 0.0, -28.0)
            .mirrored(),
        0.6,
    );
    for (x, lean, end) in [(-14.0_f32, -3.0_f32, left), (3.0, 3.0, right)] {
        let tail = Pen::at(x + 1.0, -26.0)
            .cubic(x - 1.0 + lean * 0.4, 0.0, x + lean, end - 25.0, x + lean, end)
            .line(x + lean + 15.0, end + 0.8)
            .cubic(x + lean + 15.5, end - 25.0, x + 13.0, 0.0, x + 12.0, -26.0)
            .closed();
        let mut f = 0.6;
        while f < 15.0 {
            let fringe = Pen::at(x + lean + f, end - 0.5).quad(
                x + lean + f + 0.5,
                end + 3.0,
                x + lean + f - 0.2,
                end + 6.2,
            );
            s.ribbed(fringe.stroked(0.95), 0.95);
            f += 1.7;
        }
        s.cloth_along(tail, (0.0, 0.0), (lean * 0.02, 1.0));
        s.crease(
            &Pen::at(x + 6.0, -20.0).quad(x + 5.0 + lean * 0.5, 0.0, x + lean + 7.0, end - 12.0),
            0.12,
        );
    }
    // The loop in front: two wraps.
    let wrap = Pen::at(-24.0, -40.0)
        .cubic(-27.0, -28.0, -14.0, -17.0, 0.0, -16.0)
        .cubic(14.0, -17.0, 27.0, -28.0, 24.0, -40.0)
        .cubic(21.0, -33.0, 12.0, -28.5, 0.0, -28.5)
        .cubic(-12.0, -28.5, -21.0, -33.0, -24.0, -40.0);
    s.cloth_along(wrap.closed(), (0.0, 0.0), (1.0, 0.05));
    let upper = Pen::at(-22.5, -44.0)
        .cubic(-26.0, -36.0, -12.0, -25.5, 0.0, -25.0)
        .cubic(12.0, -25.5, 26.0, -36.0, 22.5, -44.0)
        .cubic(18.0, -38.0, 11.0, -35.5, 0.0, -35.5)
        .cubic(-11.0, -35.5, -18.0, -38.0, -22.5, -44.0);
    s.cloth_along(upper.closed(), (0.0, 0.0), (1.0, -0.05));
    s.crease(&Pen::at(-20.0, -36.0).quad(-8.0, -27.5, 6.0, -29.0), 0.14);
}
