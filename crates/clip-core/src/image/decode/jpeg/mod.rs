//! JPEG, by the rules of libjpeg-turbo as Pillow calls it, damaged files included.
//!
//! Our own decoder: no crate makes of a damaged file what libjpeg makes of it (where it goes on, what it
//! fills in, how its vector code overflows), and a shop's broken photographs are embedded by the endpoint
//! all the same. Safe Rust, one file per C file that it follows. 8-bit Huffman-coded DCT frames with 1, 3
//! or 4 components; the rest is refused by name.

mod bits;
mod headers;
mod huffman;
mod idct;
mod picture;
mod pillow;
mod progressive;
mod scan;
mod smooth;
mod source;
mod standard;
mod upsample;

use self::{
    headers::{Headers, Reached},
    picture::Picture,
    source::{Source, Stop},
    upsample::{Colours, Painter},
};
use crate::image::{
    Format, ImageError, Limits, orient,
    raster::{Pixels, Raster, cmyk_to_rgb},
};

const FORMAT: Format = Format::Jpeg;

/// More scans than any encoder writes; each costs a pass over the whole image.
const MAX_SCANS: usize = 500;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, ImageError> {
    let metadata = pillow::open(bytes)?;
    let (mut source, mut headers) = (Source::new(bytes), Headers::default());
    while read(&mut headers, &mut source)? == Reached::End {
        if headers.frame.is_some() {
            return Err(corrupt("it holds no picture"));
        }
        headers.restart();
    }
    let Some(frame) = &headers.frame else { return Err(corrupt("it holds no picture")) };
    let (width, height) = (frame.width, frame.height);
    let (progressive, count) = (frame.progressive, frame.components.len());
    limits.check_size(width as u64, height as u64)?;
    let mode = match count {
        1 => "L",
        3 => "RGB",
        4 => "CMYK",
        n => return Err(ImageError::unsupported(format!("a JPEG of {n} components"))),
    };
    if !progressive {
        // Motion JPEG leaves out the standard's tables.
        for (i, (dc, ac)) in standard::tables().into_iter().enumerate() {
            headers.dc[i].get_or_insert(dc);
            headers.ac[i].get_or_insert(ac);
        }
    }
    let mut picture = Picture::new(&headers).map_err(end)?;
    upsample::check(&picture).map_err(end)?;
    let mut painter = Painter::new(&picture, width, height, colours(&headers, count));
    if picture.one_pass {
        picture.scan(&headers, &mut source, &mut painter)?;
        // All rows are there: a missing end does not matter any more, another scan does.
        match headers.read(&mut source) {
            Ok(Reached::End) => {}
            Ok(Reached::Scan) => return Err(corrupt("a scan that nothing is left for")),
            Err(Stop::Suspended) => source.damaged = true,
            Err(stop) => return Err(end(stop)),
        }
    } else {
        loop {
            if headers.scans > MAX_SCANS {
                return Err(corrupt(&format!("more than {MAX_SCANS} scans")));
            }
            picture.scan(&headers, &mut source, &mut painter)?;
            if read(&mut headers, &mut source)? == Reached::End {
                break;
            }
        }
        picture.paint(headers.scans, &mut painter);
    }
    let data = painter.finish();
    let pixels = match count {
        1 => Pixels::Grey(data),
        3 => Pixels::Rgb(data),
        // Adobe's convention, which Pillow assumes for every 4-component file: inverted.
        _ => Pixels::Rgb(cmyk_to_rgb(&data.iter().map(|v| 255 - v).collect::<Vec<_>>())),
    };
    Ok(Raster {
        format: FORMAT,
        width: width as u32,
        height: height as u32,
        mode,
        pixels,
        orientation: orient::orientation(metadata.exif.as_deref(), metadata.xmp),
        frames: Some(1),
        damaged: source.damaged,
    })
}

/// Segments up to the next scan or the end, block after block.
fn read(headers: &mut Headers, source: &mut Source<'_>) -> Result<Reached, ImageError> {
    loop {
        match headers.read(source) {
            Err(Stop::Suspended) => source.grow()?,
            other => return other.map_err(end),
        }
    }
}

/// `default_decompress_parms`.
fn colours(headers: &Headers, count: usize) -> Colours {
    let ids: Vec<u8> = headers.frame.iter().flat_map(|f| f.ids()).collect();
    match (count, headers.adobe) {
        (3, Some(0)) if !headers.jfif => Colours::Plain,
        (3, None) if !headers.jfif && ids == *b"RGB" => Colours::Plain,
        (3, _) => Colours::YCbCr,
        (4, Some(transform)) if transform != 0 => Colours::YCbCr,
        _ => Colours::Plain,
    }
}

fn end(stop: Stop) -> ImageError {
    match stop {
        Stop::Suspended => ImageError::truncated(FORMAT, "its data stops early"),
        Stop::Failed(error) => error,
    }
}

fn corrupt(detail: &str) -> ImageError {
    ImageError::corrupt(FORMAT, detail)
}
