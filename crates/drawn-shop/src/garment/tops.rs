//! T-shirt, shirt, sweater, hoodie, dress: a body, two sleeves, a neckline.

use crate::{
    paint::{
        pen::{Pen, ellipse, rounded},
        sketch::Sketch,
    },
    rng::Rng,
    style::{Length, Neck, Sleeve, Style},
};

/// Measures of a top's right half.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    pub(super) top: f32,
    pub(super) neck_width: f32,
    pub(super) neck_depth: f32,
    pub(super) shoulder: f32,
    pub(super) chest: f32,
    pub(super) waist: f32,
    pub(super) hem: f32,
    pub(super) hem_y: f32,
    pub(super) neck: Neck,
    /// Width of a long sleeve at the wrist; short ones end wider.
    pub(super) wrist: f32,
}

impl Block {
    pub(super) fn new(style: &Style, rng: &mut Rng) -> Self {
        let neck = style.neck.unwrap_or(Neck::Crew);
        let (neck_width, neck_depth) = match neck {
            Neck::Crew => (9.5, 6.0),
            Neck::V => (9.0, 17.0),
            Neck::Scoop => (13.0, 14.0),
            Neck::Roll => (8.0, 3.0),
        };
        let width = rng.range(0.96, 1.06);
        Block {
            top: -44.0,
            neck_width,
            neck_depth,
            shoulder: 25.0 * width,
            chest: 23.5 * width,
            waist: 22.0 * width,
            hem: 23.5 * width,
            hem_y: rng.range(38.0, 44.0),
            neck,
            wrist: 9.0,
        }
    }

    fn armpit(&self) -> (f32, f32) {
        (self.chest, self.top + 25.0)
    }

    /// The inside of the back, seen through the neckline.
    pub(super) fn back(&self, s: &mut Sketch) {
        let (w, t) = (self.neck_width + 1.0, self.top);
        let back = Pen::at(0.0, t + 3.0)
            .quad(w * 0.8, t + 2.5, w, t - 0.5)
            .line(w + 1.0, t + self.neck_depth + 4.0)
            .mirrored();
        s.cloth_tone(back, 0.62);
        s.rgb(rounded(-2.2, t + 4.2, 2.2, t + 6.2, 0.3), 0xe8_e6e0, 0.2);
    }

    pub(super) fn body_pen(&self) -> Pen {
        let (t, n) = (self.top, self.neck_width);
        let start = Pen::at(0.0, t + self.neck_depth);
        let neckline = match self.neck {
            Neck::V => start.quad(n * 0.55, t + self.neck_depth * 0.5, n, t),
            _ => start.cubic(n * 0.65, t + self.neck_depth, n, t + self.neck_depth * 0.7, n, t),
        };
        let (ax, ay) = self.armpit();
        let mid = (ay + self.hem_y) * 0.45;
        neckline
            .line(self.shoulder, t + 6.0)
            .cubic(self.shoulder - 3.0, t + 12.0, ax - 3.0, ay - 4.0, ax, ay)
            .cubic(ax - 0.5, ay + 8.0, self.waist, mid - 8.0, self.waist, mid)
            .cubic(self.waist, mid + 8.0, self.hem, self.hem_y - 12.0, self.hem, self.hem_y)
            .quad(self.hem * 0.5, self.hem_y + 1.8, 0.0, self.hem_y + 1.8)
    }

    /// Both sleeves; returns the right cuff's outer and inner corner.
    pub(super) fn sleeves(&self, s: &mut Sketch, sleeve: Sleeve) -> Option<[(f32, f32); 2]> {
        let (sx, sy) = (self.shoulder, self.top + 6.0);
        let (ax, ay) = self.armpit();
        let (outer, inner) = match sleeve {
            Sleeve::None => return None,
            Sleeve::Short => ((sx + 13.5, self.top + 27.0), (sx + 1.5, self.top + 32.5)),
            Sleeve::Long => {
                let y = self.top + 76.0;
                ((sx + 16.5, y), (sx + 16.5 - self.wrist, y + 3.0))
            }
        };
        let pen = Pen::at(sx - 6.0, sy - 1.8)
            .line(sx, sy)
            .cubic(sx + 5.0, sy + 4.0, outer.0 - 2.5, sy + (outer.1 - sy) * 0.45, outer.0, outer.1)
            .line(inner.0, inner.1)
            .cubic(inner.0 - 2.0, inner.1 - (inner.1 - ay) * 0.5, ax + 1.5, ay + 5.0, ax - 1.0, ay)
            .line(ax - 7.0, ay - 2.0);
        let along = (outer.0 - sx, outer.1 - sy);
        s.cloth_along(pen.closed(), (0.0, 0.0), along);
        s.cloth_along(pen.flipped().closed(), (0.0, 0.0), (-along.0, along.1));
        Some([outer, inner])
    }

    /// A band along the cuffs, `height` units deep.
    pub(super) fn cuffs(&self, s: &mut Sketch, cuff: Option<[(f32, f32); 2]>, height: f32) {
        let Some([o, i]) = cuff else { return };
        let lift = |p: (f32, f32), h: f32| (p.0 - h * 0.13, p.1 - h);
        let (o2, i2) = (lift(o, height), lift(i, height));
        let pen = Pen::at(o2.0 + 0.3, o2.1)
            .line(o.0 + 0.2, o.1)
            .line(i.0 - 0.2, i.1)
            .line(i2.0 - 0.3, i2.1);
        s.ribbed(pen.closed(), 0.9);
        s.ribbed(pen.flipped().closed(), 0.9);
    }

    fn neckline(&self, inset: f32) -> Pen {
        let (t, n) = (self.top, self.neck_width + inset);
        let d = self.neck_depth + inset;
        match self.neck {
            Neck::V => Pen::at(-n, t + 0.2).quad(-n * 0.55, t + d * 0.5, 0.0, t + d).quad(
                n * 0.55,
                t + d * 0.5,
                n,
                t + 0.2,
            ),
            _ => Pen::at(-n, t + 0.2).cubic(-n, t + d * 0.7, -n * 0.65, t + d, 0.0, t + d).cubic(
                n * 0.65,
                t + d,
                n,
                t + d * 0.7,
                n,
                t + 0.2,
            ),
        }
    }
}

pub(super) fn t_shirt(s: &mut Sketch, style: &Style, rng: &mut Rng) {
    let block = Block::new(style, rng);
    block.back(s);
    let sleeve = style.sleeve.unwrap_or(Sleeve::Short);
    let cuff = block.sleeves(s, sleeve);
    s.cloth(block.body_pen().mirrored());
    s.shade(block.neckline(1.0).stroked(2.2), 0.07);
    s.topstitch(&block.neckline(2.4));
    let hem = Pen::at(-block.hem + 0.6, block.hem_y - 2.5).quad(
        0.0,
        block.hem_y + 0.6,
        block.hem - 0.6,
        block.hem_y - 2.5,
    );
    s.topstitch(&hem);
    if let Some([o, i]) = cuff {
        let line = Pen::at(o.0 - 0.6, o.1 - 2.2).line(i.0 - 0.4, i.1 - 2.2);
        s.topstitch(&line);
        s.topstitch(&line.flipped());
    }
}

pub(super) fn sweater(s: &mut Sketch, style: &Style, rng: &mut Rng) {
    let mut block = Block::new(style, rng);
    block.chest += 1.5;
    block.waist = block.chest;
    block.hem = block.chest - 1.5;
    block.wrist = 10.5;
    block.back(s);
    let cuff = block.sleeves(s, Sleeve::Long);
    block.cuffs(s, cuff, 8.0);
    s.cloth(block.body_pen().mirrored());
    let (h, y) = (block.hem, block.hem_y);
    let band = Pen::at(0.0, y - 6.5).line(h - 0.2, y - 7.0).line(h - 1.5, y + 1.5).quad(
        h * 0.5,
        y + 2.8,
        0.0,
        y + 2.8,
    );
    s.ribbed(band.mirrored(), 0.9);
    if block.neck == Neck::Roll {
        let (n, t) = (block.neck_width + 1.5, block.top);
        let roll = Pen::at(0.0, t - 8.0)
            .quad(n - 1.0, t - 8.2, n - 0.3, t - 7.0)
            .line(n + 0.8, t + 2.5)
            .quad(n * 0.6, t + 6.5, 0.0, t + 6.5);
        s.ribbed(roll.mirrored(), 0.97);
        s.shade(ellipse(0.0, block.top - 7.4, n - 1.6, 1.1), 0.45);
    } else {
        s.ribbed(block.neckline(1.2).stroked(3.4), 0.9);
    }
}

pub(super) fn hoodie(s: &mut Sketch, style: &Style, rng: &mut Rng) {
    let mut block = Block::new(style, rng);
    block.top = -38.0;
    block.neck = Neck::V;
    block.neck_width = 10.0;
    block.neck_depth = 13.0;
    block.chest += 2.0;
    block.waist = block.chest;
    block.hem = block.chest - 1.5;
    block.wrist = 10.5;
    let t = block.top;
    let hood = Pen::at(0.0, t - 17.0).cubic(9.0, t - 17.0, 17.0, t - 10.0, 17.0, t + 1.0).cubic(
        17.0,
        t + 5.0,
        14.0,
        t + 9.0,
        10.0,
        t + 10.0,
    );
    s.cloth(hood.mirrored());
    let inside = Pen::at(0.0, t - 10.0).cubic(6.5, t - 10.0, 10.5, t - 5.0, 10.5, t + 3.0).quad(
        8.0,
        t + 12.0,
        0.0,
        t + 15.0,
    );
    s.cloth_tone(inside.mirrored(), 0.5);
    let cuff = block.sleeves(s, Sleeve::Long);
    block.cuffs(s, cuff, 7.0);
    s.cloth(block.body_pen().mirrored());
    let edge = Pen::at(10.5, t - 4.0).cubic(14.5, t, 14.5, t + 5.0, 1.0, t + 15.5).quad(
        8.0,
        t + 6.0,
        10.5,
        t - 4.0,
    );
    s.cloth(edge.closed());
    s.cloth(edge.flipped().closed());
    let (h, y) = (block.hem, block.hem_y);
    let band = Pen::at(0.0, y - 5.5).line(h - 0.2, y - 6.0).line(h - 1.5, y + 1.5).quad(
        h * 0.5,
        y + 2.8,
        0.0,
        y + 2.8,
    );
    s.ribbed(band.mirrored(), 0.9);
    let pocket = Pen::at(0.0, 10.0)
        .line(9.5, 10.0)
        .quad(10.5, 19.0, 16.5, 23.0)
        .line(16.5, y - 6.0)
        .line(0.0, y - 5.5);
    s.cloth(pocket.clone().mirrored());
    s.seam(&pocket);
    s.seam(&pocket.flipped());
    let cord = Pen::at(4.5, t + 10.5).quad(5.5, t + 19.0, 4.6, t + 27.0);
    for cord in [cord.flipped(), cord] {
        s.rgb(cord.stroked(1.1), 0xf2_efe8, 0.3);
    }
}

pub(super) fn shirt(s: &mut Sketch, style: &Style, rng: &mut Rng) {
    let mut block = Block::new(style, rng);
    block.neck = Neck::V;
    block.neck_width = 9.0;
    block.neck_depth = 11.0;
    block.back(s);
    let sleeve = style.sleeve.unwrap_or(Sleeve::Long);
    let cuff = block.sleeves(s, sleeve);
    if sleeve == Sleeve::Long {
        block.cuffs_plain(s, cuff);
    }
    let (t, y) = (block.top, block.hem_y);
    let (ax, ay) = block.armpit();
    let body = Pen::at(0.0, t + 11.0)
        .line(9.0, t)
        .line(block.shoulder, t + 6.0)
        .cubic(block.shoulder - 3.0, t + 12.0, ax - 3.0, ay - 4.0, ax, ay)
        .cubic(ax - 0.5, ay + 20.0, block.waist, y - 20.0, block.hem, y - 7.0)
        .cubic(block.hem - 2.0, y - 4.0, 14.0, y + 4.0, 0.0, y + 4.0);
    s.cloth(body.mirrored());
    // Placket with buttons, then the collar over it.
    s.cloth_tone(rounded(-2.4, t + 10.0, 2.4, y + 3.9, 0.2), 1.02);
    s.seam(&Pen::at(2.4, t + 11.0).line(2.4, y + 3.6));
    let mut by = t + 17.0;
    while by < y {
        s.rgb(ellipse(0.0, by, 0.95, 0.95), 0xf7_f4ec, 0.4);
        s.shade(ellipse(0.0, by, 0.3, 0.3), 0.5);
        by += 9.0;
    }
    let collar = Pen::at(0.0, t + 11.5)
        .line(4.0, t + 17.0)
        .quad(9.0, t + 12.0, 12.0, t + 4.5)
        .quad(11.0, t - 2.5, 8.5, t - 3.5)
        .quad(7.5, t + 4.0, 0.0, t + 11.5);
    s.cloth_along(collar.closed(), (0.0, 0.0), (0.7, 1.0));
    s.cloth_along(collar.flipped().closed(), (0.0, 0.0), (-0.7, 1.0));
    s.seam(&collar);
    s.seam(&collar.flipped());
    let pocket = Pen::at(7.5, t + 27.0)
        .line(17.0, t + 27.0)
        .line(17.0, t + 36.0)
        .line(12.2, t + 39.0)
        .line(7.5, t + 36.0)
        .line(7.5, t + 27.0);
    s.seam(&pocket);
}

impl Block {
    /// A buttoned cuff of the same cloth.
    fn cuffs_plain(&self, s: &mut Sketch, cuff: Option<[(f32, f32); 2]>) {
        let Some([o, i]) = cuff else { return };
        let pen = Pen::at(o.0 - 0.9, o.1 - 7.0)
            .line(o.0 + 0.2, o.1)
            .line(i.0 - 0.3, i.1)
            .line(i.0 - 1.3, i.1 - 7.0);
        s.cloth_along(pen.closed(), (0.0, 0.0), (0.2, 1.0));
        s.cloth_along(pen.flipped().closed(), (0.0, 0.0), (-0.2, 1.0));
        s.seam(&Pen::at(o.0 - 0.9, o.1 - 7.0).line(i.0 - 1.3, i.1 - 7.0));
        s.seam(&Pen::at(o.0 - 0.9, o.1 - 7.0).line(i.0 - 1.3, i.1 - 7.0).flipped());
    }
}

pub(super) fn dress(s: &mut Sketch, style: &Style, rng: &mut Rng) {
    let mut block = Block::new(style, rng);
    block.top = -55.0;
    block.shoulder = if style.sleeve == Some(Sleeve::None) { 15.5 } else { 19.0 };
    block.chest = 17.5;
    block.waist = 13.5;
    block.wrist = 7.5;
    block.neck_width -= 1.0;
    let hem_y = match style.length.unwrap_or(Length::Midi) {
        Length::Mini => 18.0,
        Length::Midi => 37.0,
        Length::Maxi => 55.0,
    };
    let hem = rng.range(26.0, 34.0) + if hem_y > 50.0 { 2.0 } else { 0.0 };
    let (t, waist_y) = (block.top, -9.0);
    block.back(s);
    block.sleeves(s, style.sleeve.unwrap_or(Sleeve::Short));
    let (ax, ay) = (block.chest, t + 22.0);
    let skirt = Pen::at(0.0, waist_y - 1.0)
        .line(block.waist, waist_y - 1.0)
        .cubic(block.waist + 4.0, waist_y + 8.0, hem - 4.0, hem_y - 18.0, hem, hem_y)
        .cubic(hem * 0.7, hem_y + 3.0, hem * 0.3, hem_y + 1.5, 0.0, hem_y + 3.2);
    s.cloth(skirt.mirrored());
    let mut x = rng.range(3.0, 5.0);
    while x < block.waist {
        let spread = x / block.waist;
        let crease = Pen::at(x * 0.8, waist_y + 1.0).quad(
            x,
            waist_y + 12.0,
            spread * (hem - 3.0),
            hem_y - 2.0,
        );
        s.crease(&crease, 0.10);
        s.crease(&crease.flipped(), 0.10);
        x += 5.0;
    }
    let neck = block.neck_width;
    let bodice = Pen::at(0.0, t + block.neck_depth);
    let bodice = match block.neck {
        Neck::V => bodice.line(neck, t),
        _ => bodice.cubic(
            neck * 0.65,
            t + block.neck_depth,
            neck,
            t + block.neck_depth * 0.7,
            neck,
            t,
        ),
    };
    let bodice = bodice
        .line(block.shoulder, t + 4.5)
        .cubic(block.shoulder - 4.0, t + 12.0, ax - 4.0, ay - 4.0, ax, ay)
        .cubic(ax - 0.5, ay + 8.0, block.waist, waist_y - 8.0, block.waist, waist_y)
        .quad(block.waist * 0.5, waist_y + 1.2, 0.0, waist_y + 1.2);
    s.cloth(bodice.mirrored());
    s.topstitch(&block.neckline(1.4));
    if rng.chance(0.5) {
        let w = block.waist + 0.5;
        s.accent(
            Pen::at(0.0, waist_y - 1.6)
                .line(w, waist_y - 2.2)
                .line(w, waist_y + 1.8)
                .quad(w * 0.5, waist_y + 2.6, 0.0, waist_y + 2.6)
                .mirrored(),
        );
        s.rgb(rounded(-2.6, waist_y - 2.2, 2.6, waist_y + 3.2, 0.8), 0xc9_a24a, 0.8);
        s.accent(rounded(-1.5, waist_y - 1.0, 1.5, waist_y + 2.0, 0.4));
    }
}
