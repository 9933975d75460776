//! AVIF as Pillow opens it, with libavif 1.4: the primary item or the first frame of a sequence, its tiles
//! put together, with alpha, and in RGB by the integers of libyuv.
//!
//! The container is read here, because which pictures count, and what is refused, are libavif's rules, and
//! the crates for it have neither grids nor properties such as `irot`. Neither `clap` nor a colour profile
//! changes a pixel in Pillow; `irot` and `imir` become an EXIF orientation, which the profile may ignore.

mod av1;
mod boxes;
mod color;
mod fixed;
mod float;
mod frame;
mod items;
mod movie;
mod obu;
mod properties;
mod still;

use self::{
    color::{Matrix, Way},
    frame::{Frame, Layout, Plane},
    properties::Color,
    still::{Picture, Still},
};
use crate::image::{
    Format, ImageError, Limits,
    raster::{Pixels, Raster},
};

/// MIAF, 7.3.11.4.2; libavif refuses smaller ones.
const SMALLEST_TILE: usize = 64;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, ImageError> {
    let still = Still::find(bytes)?;
    let (width, height) = (still.color.width, still.color.height);
    let colors = Planes::decode(&still.color, limits, true)?;
    let alpha = still.alpha.as_ref().map(|alpha| {
        let mut planes = Planes::decode(alpha, limits, false)?;
        if (alpha.width, alpha.height, planes.depth) != (width, height, colors.depth) {
            return Err(corrupt("its alpha has another size or depth than its colours"));
        }
        if !planes.color.full_range {
            let shift = planes.depth - 8;
            planes.planes[0].map(|value| full_range(value, shift));
        }
        Ok(planes.planes.remove(0))
    });
    if still.color.config.monochrome() != (colors.layout == Layout::Grey) {
        return Err(corrupt("its headers disagree about its channels"));
    }
    let mode = match (still.color.config.monochrome(), &alpha) {
        (_, Some(_)) => "RGBA",
        (true, None) => "L",
        (false, None) => "RGB",
    };
    let color = still.color.facts.color.unwrap_or(colors.color);
    let pixels = colors.into_pixels(color, alpha.transpose()?.as_ref(), still.premultiplied)?;
    let (orientation, frames) = (still.orientation, Some(still.frames));
    Ok(Raster {
        format: Format::Avif,
        width,
        height,
        mode,
        pixels,
        orientation,
        frames,
        damaged: false,
    })
}

/// A decoded picture.
#[derive(Debug)]
struct Planes {
    planes: Vec<Plane>,
    height: usize,
    depth: u8,
    layout: Layout,
    color: Color,
}

impl Planes {
    /// `colored`: with its chroma, which alpha has no use for.
    fn decode(picture: &Picture<'_>, limits: &Limits, colored: bool) -> Result<Planes, ImageError> {
        limits.check_size(picture.width.into(), picture.height.into())?;
        let mut planes: Option<Planes> = None;
        let mut first = (0, 0);
        let columns = picture.grid.map_or(1, |grid| grid.0 as usize);
        // A tile may be larger than what is left of it in the grid.
        for (width, height) in picture.tiles.iter().filter_map(|tile| tile.size) {
            limits.check_size(width.into(), height.into())?;
        }
        for (at, tile) in picture.tiles.iter().enumerate() {
            let color = obu::inspect(&tile.data)?;
            let frame = Frame::decode(tile, limits)?;
            let size = (frame.width, frame.height);
            if tile.size.is_some_and(|(w, h)| (w as usize, h as usize) != size) {
                return Err(ImageError::unsupported("an AVIF image that is scaled to its size"));
            }
            let kind = (frame.depth, frame.layout, color);
            let planes = match &mut planes {
                None => {
                    check_tiles(picture, &frame)?;
                    first = size;
                    planes.insert(Planes::new(picture, kind, colored))
                }
                Some(planes) => planes,
            };
            if size != first || kind != (planes.depth, planes.layout, planes.color) {
                return Err(corrupt("the tiles of its grid differ"));
            }
            let (left, top) = (at % columns * size.0, at / columns * size.1);
            frame.put(&mut planes.planes, left, top);
        }
        planes.ok_or_else(|| corrupt("it has no picture"))
    }

    fn new(picture: &Picture<'_>, kind: (u8, Layout, Color), colored: bool) -> Planes {
        let (depth, layout, color) = kind;
        let (width, height) = (picture.width as usize, picture.height as usize);
        let mut planes = vec![Plane::new(width, height, depth)];
        if colored && layout != Layout::Grey {
            let (width, height) = layout.chroma(width, height);
            planes.extend([(); 2].map(|()| Plane::new(width, height, depth)));
        }
        Planes { planes, height, depth, layout, color }
    }

    fn into_pixels(
        self,
        color: Color,
        alpha: Option<&Plane>,
        premultiplied: bool,
    ) -> Result<Pixels, ImageError> {
        let Planes { planes, height, depth, layout, .. } = self;
        let subsampled = matches!(layout, Layout::Yuv420 | Layout::Yuv422);
        let way = color.way(depth, layout == Layout::Grey, subsampled)?;
        let range = |matrix| float::Range::new(depth, color.full_range, matrix);
        let (Some(luma), step) = (planes.first(), if alpha.is_some() { 4 } else { 3 }) else {
            return Err(corrupt("it has no picture"));
        };
        if layout == Layout::Grey && alpha.is_none() {
            let levels = float::grey(luma, height, range(Matrix::Shares(0.0, 0.0)));
            return Ok(Pixels::Grey(levels));
        }
        let mut out = vec![0; luma.width * height * step];
        // libavif divides by alpha in floats where it has no quicker way for the colours.
        let mut divide = alpha.filter(|_| premultiplied);
        match way {
            Way::Fixed(way) => fixed::convert(&planes, height, depth, layout, way, &mut out, step),
            Way::Float(matrix) => {
                let quick = !subsampled
                    && match matrix {
                        Matrix::Shares(..) => true,
                        Matrix::Identity => depth == 8 && color.full_range,
                        Matrix::YCgCo | Matrix::YCgCoRe => false,
                    };
                let here = divide.take_if(|_| !quick);
                let range = (range(matrix), matrix);
                float::convert(&planes, height, layout, range, here, &mut out, step);
            }
        }
        let Some(alpha) = alpha else { return Ok(Pixels::Rgb(out)) };
        let cut = matches!(way, Way::Fixed(_)) && layout != Layout::Grey;
        put_alpha(alpha, depth, cut && (depth, layout) != (12, Layout::Yuv420), &mut out);
        if divide.is_some() {
            fixed::unmultiply(&mut out);
        }
        Ok(Pixels::Rgba(out))
    }
}

/// A grid's tiles cover it, and none lies outside.
fn check_tiles(picture: &Picture<'_>, frame: &Frame) -> Result<(), ImageError> {
    let (width, height) = (picture.width as usize, picture.height as usize);
    let fits = match picture.grid {
        None => (frame.width, frame.height) == (width, height),
        Some((columns, rows)) => {
            let covers = |tile: usize, count: u32, whole: usize| {
                let count = count as usize;
                tile >= SMALLEST_TILE && tile * count >= whole && tile * (count - 1) < whole
            };
            let even = |sides: [usize; 2]| sides.iter().all(|side| side % 2 == 0);
            let (across, down) = ([width, frame.width], [height, frame.height]);
            covers(frame.width, columns, width)
                && covers(frame.height, rows, height)
                && match frame.layout {
                    Layout::Yuv420 => even(across) && even(down),
                    Layout::Yuv422 => even(across),
                    Layout::Grey | Layout::Yuv444 => true,
                }
        }
    };
    if fits { Ok(()) } else { Err(corrupt("its tiles do not fit its size")) }
}

/// Alpha of 8 bits; `cut`: as libyuv does, else rounded as libavif does.
fn put_alpha(alpha: &Plane, depth: u8, cut: bool, out: &mut [u8]) {
    let most = ((1u32 << depth) - 1) as f32;
    let mut row = Vec::new();
    for (y, out) in out.chunks_exact_mut((alpha.width * 4).max(1)).enumerate() {
        alpha.row(y, 0, &mut row);
        for (out, value) in out.chunks_exact_mut(4).zip(&row) {
            out[3] = match depth {
                8 => *value as u8,
                _ if cut => (value >> (depth - 8)).min(255) as u8,
                _ => (0.5 + f32::from(*value) / most * 255.0) as u8,
            };
        }
    }
}

/// Alpha of old files may have the limited range of luma.
fn full_range(value: u16, shift: u8) -> u16 {
    let (low, high, most) = (16 << shift, 235 << shift, (256 << shift) - 1);
    let range: i32 = high - low;
    (((i32::from(value) - low) * most + range / 2) / range).clamp(0, most) as u16
}

fn corrupt(detail: impl ToString) -> ImageError {
    ImageError::corrupt(Format::Avif, detail)
}
