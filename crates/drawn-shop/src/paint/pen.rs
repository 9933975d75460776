//! Outlines in garment units (x right, y down, the picture is 100 units wide, origin in its centre).

use tiny_skia::{Path, PathBuilder, Stroke, StrokeDash, Transform};

type Point = (f32, f32);

/// A cubic segment; lines and quadratics are raised to cubics.
#[derive(Debug, Clone, Copy)]
struct Segment {
    control: [Point; 2],
    end: Point,
}

/// Draws one outline.
#[derive(Debug, Clone)]
pub(crate) struct Pen {
    start: Point,
    segments: Vec<Segment>,
}

impl Pen {
    pub(crate) fn at(x: f32, y: f32) -> Self {
        Pen { start: (x, y), segments: Vec::new() }
    }

    fn here(&self) -> Point {
        self.segments.last().map_or(self.start, |s| s.end)
    }

    pub(crate) fn line(self, x: f32, y: f32) -> Self {
        let (x0, y0) = self.here();
        let third = |a: f32, b: f32| a + (b - a) / 3.0;
        self.cubic(third(x0, x), third(y0, y), third(x, x0), third(y, y0), x, y)
    }

    pub(crate) fn quad(self, cx: f32, cy: f32, x: f32, y: f32) -> Self {
        let (x0, y0) = self.here();
        let raise = |a: f32, c: f32| a + (c - a) * 2.0 / 3.0;
        self.cubic(raise(x0, cx), raise(y0, cy), raise(x, cx), raise(y, cy), x, y)
    }

    pub(crate) fn cubic(mut self, ax: f32, ay: f32, bx: f32, by: f32, x: f32, y: f32) -> Self {
        self.segments.push(Segment { control: [(ax, ay), (bx, by)], end: (x, y) });
        self
    }

    /// The same outline on the other side of the garment.
    pub(crate) fn flipped(&self) -> Self {
        let flip = |(x, y): Point| (-x, y);
        Pen {
            start: flip(self.start),
            segments: self
                .segments
                .iter()
                .map(|s| Segment { control: s.control.map(flip), end: flip(s.end) })
                .collect(),
        }
    }

    /// This right half and its mirror image as one closed outline.
    pub(crate) fn mirrored(self) -> Path {
        let mut ends: Vec<Point> = vec![self.start];
        ends.extend(self.segments.iter().map(|s| s.end));
        let mut whole = self.clone();
        let (x, y) = self.here();
        if x != 0.0 {
            whole = whole.line(-x, y);
        }
        for (segment, &(x, y)) in self.segments.iter().zip(&ends).rev() {
            let [a, b] = segment.control;
            whole = whole.cubic(-b.0, b.1, -a.0, a.1, -x, y);
        }
        whole.closed()
    }

    pub(crate) fn closed(&self) -> Path {
        self.build(true)
    }

    /// A line of `width` units along this outline.
    pub(crate) fn stroked(&self, width: f32) -> Path {
        let path = self.build(false);
        path.stroke(&stroke(width), 8.0).unwrap_or(path)
    }

    /// A dashed line: visible stitching.
    pub(crate) fn stitched(&self, width: f32) -> Path {
        let path = self.build(false);
        StrokeDash::new(vec![1.0, 0.7], 0.0)
            .and_then(|dash| path.dash(&dash, 8.0))
            .and_then(|dashed| dashed.stroke(&stroke(width), 8.0))
            .unwrap_or(path)
    }

    fn build(&self, close: bool) -> Path {
        let mut builder = PathBuilder::new();
        builder.move_to(self.start.0, self.start.1);
        for Segment { control: [a, b], end } in &self.segments {
            builder.cubic_to(a.0, a.1, b.0, b.1, end.0, end.1);
        }
        if close {
            builder.close();
        }
        // Empty only for an outline without extent, which no garment has; a dot is harmless.
        builder.finish().unwrap_or_else(|| ellipse(self.start.0, self.start.1, 0.1, 0.1))
    }
}

fn stroke(width: f32) -> Stroke {
    Stroke {
        width,
        line_cap: tiny_skia::LineCap::Round,
        line_join: tiny_skia::LineJoin::Round,
        ..Stroke::default()
    }
}

/// A circle's quarter as a cubic: control points at this share of the radius.
const KAPPA: f32 = 0.552_284_8;

pub(crate) fn ellipse(cx: f32, cy: f32, rx: f32, ry: f32) -> Path {
    let (kx, ky) = (rx * KAPPA, ry * KAPPA);
    let mut b = PathBuilder::new();
    b.move_to(cx, cy - ry);
    b.cubic_to(cx + kx, cy - ry, cx + rx, cy - ky, cx + rx, cy);
    b.cubic_to(cx + rx, cy + ky, cx + kx, cy + ry, cx, cy + ry);
    b.cubic_to(cx - kx, cy + ry, cx - rx, cy + ky, cx - rx, cy);
    b.cubic_to(cx - rx, cy - ky, cx - kx, cy - ry, cx, cy - ry);
    b.close();
    // Radii are positive constants of the drawings, so the outline is never empty.
    b.finish().expect("an ellipse has extent")
}

/// A rectangle with rounded corners, from its left, top, right and bottom.
pub(crate) fn rounded(l: f32, t: f32, r: f32, b: f32, radius: f32) -> Path {
    Pen::at(l + radius, t)
        .line(r - radius, t)
        .quad(r, t, r, t + radius)
        .line(r, b - radius)
        .quad(r, b, r - radius, b)
        .line(l + radius, b)
        .quad(l, b, l, b - radius)
        .line(l, t + radius)
        .quad(l, t, l + radius, t)
        .closed()
}

/// Moves a finished path.
pub(crate) fn shifted(path: &Path, dx: f32, dy: f32) -> Path {
    path.clone().transform(Transform::from_translate(dx, dy)).unwrap_or_else(|| path.clone())
}
