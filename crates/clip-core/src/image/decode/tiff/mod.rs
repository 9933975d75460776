//! TIFF 6.0 and BigTIFF, by the rules of Pillow's `TiffImagePlugin`: the first page, upright.
//!
//! The `tiff` crate reads strips and tiles, their compression and their predictors; what the samples
//! mean is decided here, as in Pillow's table `OPEN_INFO`. The crate knows fewer meanings, so it is
//! given a directory of ours, by which all files hold levels of grey, and gives their samples as they are. JPEG inside of TIFF is
//! decoded by [`jpeg`](super::jpeg), because the crate's own decoder has other bits than libjpeg.

mod directory;
mod layout;
mod rewritten;
mod strips;

use std::io::Cursor;

use tiff::{
    TiffError, TiffUnsupportedError,
    decoder::{Decoder, Limits as TiffLimits},
};

use self::{directory::Directory, layout::Layout};
use crate::image::{Format, ImageError, Limits, orient, raster::Raster};

const FORMAT: Format = Format::Tiff;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, ImageError> {
    let directory = Directory::read(bytes)?;
    let (width, height) = (directory.width, directory.height);
    limits.check_size(width.into(), height.into())?;
    if width == 0 || height == 0 {
        return Err(ImageError::corrupt(FORMAT, "the image has no pixels"));
    }
    let layout = Layout::of(&directory)?;
    // Tiles may reach beyond the image.
    let (across, down) = directory.chunks()?;
    let side = |count: usize, size: u32| (count as u64).saturating_mul(size.into());
    limits.check_size(side(across, directory.chunk.0), side(down, directory.chunk.1))?;
    let pixels = match directory.compression {
        directory::JPEG => strips::jpeg(bytes, &directory, &layout, limits)?,
        _ => layout.pixels(&samples(bytes, &directory)?, width as usize, height as usize)?,
    };
    let raster = Raster {
        format: FORMAT,
        width,
        height,
        mode: layout.mode,
        pixels,
        orientation: 1,
        frames: None,
        damaged: false,
    };
    Ok(upright(raster, directory.orientation))
}

/// The samples as they are: of one pixel together, in the machine's byte order, rows filled up to whole
/// bytes.
fn samples(bytes: &[u8], directory: &Directory) -> Result<Vec<u8>, ImageError> {
    let file = directory.rewritten(bytes)?;
    let mut most = TiffLimits::default();
    most.decoding_buffer_size = usize::MAX; // the number of pixels is checked
    most.intermediate_buffer_size = usize::MAX;
    let mut decoder = Decoder::new(Cursor::new(file)).map_err(error)?.with_limits(most);
    let all = directory.samples.unwrap_or(1).max(1) as usize;
    let (planes, per_pixel) = if directory.planar { (all, 1) } else { (1, all) };
    // Bits of a pixel in one plane.
    let pixel = directory.bits() as usize * per_pixel;
    let row_bytes = (directory.width as usize * pixel).div_ceil(8);
    let plane_bytes = row_bytes * directory.height as usize;
    let (across, down) = directory.chunks()?;
    let mut out = vec![0; plane_bytes * planes];
    for (plane, out) in out.chunks_exact_mut(plane_bytes).enumerate() {
        for at in 0..across * down {
            let (left, top) = directory.place(at % across, at / across);
            if !(left * pixel).is_multiple_of(8) {
                return Err(ImageError::unsupported("a TIFF image with tiles that part a byte"));
            }
            let n = u32::try_from(plane * across * down + at).unwrap_or(u32::MAX);
            let (width, _) = decoder.chunk_data_dimensions(n);
            let mut part = decoder.read_chunk(n).map_err(error)?;
            let part = part.as_buffer(0);
            let part_bytes = (width as usize * pixel).div_ceil(8);
            let rows = part.as_bytes().chunks_exact(part_bytes.max(1));
            put(out, row_bytes, rows, left * pixel / 8, top);
        }
    }
    if planes == 1 {
        return Ok(out);
    }
    // Samples of one pixel are put together.
    let size = (directory.bits().div_ceil(8) as usize).max(1);
    let mut together = Vec::with_capacity(out.len());
    for at in (0..plane_bytes).step_by(size) {
        for plane in out.chunks_exact(plane_bytes) {
            together.extend(plane.get(at..at + size).unwrap_or_default());
        }
    }
    Ok(together)
}

/// Puts the rows of a strip or a tile into its plane, whose rows have `row_bytes`.
fn put<'a>(
    plane: &mut [u8],
    row_bytes: usize,
    rows: impl Iterator<Item = &'a [u8]>,
    left: usize,
    top: usize,
) {
    for (to, from) in plane.chunks_exact_mut(row_bytes.max(1)).skip(top).zip(rows) {
        if let Some(place) = to.get_mut(left..left + from.len()) {
            place.copy_from_slice(from);
        }
    }
}

/// Pillow turns a TIFF upright whenever it is loaded, whatever the profile says of EXIF.
fn upright(raster: Raster, orientation: u8) -> Raster {
    if !(2..=8).contains(&orientation) {
        return raster;
    }
    let Raster { width, height, pixels, .. } = raster;
    let pixels = orient::apply_pixels(width as usize, height as usize, pixels, orientation);
    let (width, height) = if orientation >= 5 { (height, width) } else { (width, height) };
    Raster { width, height, pixels, ..raster }
}

fn error(error: TiffError) -> ImageError {
    match error {
        TiffError::IoError(e) => ImageError::io(FORMAT, &e),
        TiffError::UnsupportedError(TiffUnsupportedError::UnsupportedCompressionMethod(method)) => {
            ImageError::unsupported(format!("a TIFF image with {method:?} compression"))
        }
        TiffError::UnsupportedError(e) => ImageError::unsupported(format!("this TIFF image ({e})")),
        other => ImageError::corrupt(FORMAT, other),
    }
}
