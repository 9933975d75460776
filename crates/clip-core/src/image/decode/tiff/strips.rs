//! TIFF whose strips or tiles are JPEG files without their tables.

use super::{FORMAT, directory::Directory, layout::Layout, put};
use crate::image::{
    ImageError, Limits,
    decode::jpeg,
    raster::{Pixels, Raster},
};

pub(super) fn jpeg(
    bytes: &[u8],
    directory: &Directory,
    layout: &Layout,
    limits: &Limits,
) -> Result<Pixels, ImageError> {
    if directory.planar || !layout.is_of_jpeg() {
        return Err(ImageError::unsupported("a TIFF image with a JPEG of unusual colours"));
    }
    let (width, height) = (directory.width as usize, directory.height as usize);
    let (chunk_width, chunk_height) = (directory.chunk.0 as usize, directory.chunk.1 as usize);
    let (across, down) = directory.chunks()?;
    let needed = across * down;
    if directory.offsets.len() < needed || directory.lengths.len() < needed {
        return Err(ImageError::truncated(FORMAT, "strips are missing"));
    }
    let mut out: Option<(usize, Vec<u8>)> = None;
    for n in 0..needed {
        let raster = jpeg::decode(&chunk(bytes, directory, layout, n)?, limits)?;
        let (channels, data) = match raster {
            Raster { pixels: Pixels::Grey(data), .. } => (1, data),
            Raster { pixels: Pixels::Rgb(data), .. } => (3, data),
            _ => {
                return Err(ImageError::unsupported("a TIFF image with a JPEG of unusual colours"));
            }
        };
        let (known, image) =
            out.get_or_insert_with(|| (channels, vec![0; width * height * channels]));
        let (left, top) = directory.place(n % across, n / across);
        let columns = chunk_width.min(width - left);
        let rows = chunk_height.min(height - top);
        let stride = raster.width as usize * channels;
        if *known != channels
            || (raster.width as usize) < columns
            || (raster.height as usize) < rows
        {
            return Err(ImageError::corrupt(FORMAT, "a strip of another size"));
        }
        // Padding on the right and below stays out.
        let rows = data.chunks_exact(stride).take(rows);
        let rows = rows.filter_map(|row| row.get(..columns * channels));
        put(image, width * channels, rows, left * channels, top);
    }
    match out {
        Some((1, data)) => Ok(Pixels::Grey(data)),
        Some((_, data)) => Ok(Pixels::Rgb(data)),
        None => Err(ImageError::corrupt(FORMAT, "no strips")),
    }
}

/// One strip as a whole JPEG file: with the tables that all of them share, and with Adobe's marker,
/// which says whether its colours are YCbCr. In TIFF the photometric interpretation says it.
fn chunk(
    bytes: &[u8],
    directory: &Directory,
    layout: &Layout,
    n: usize,
) -> Result<Vec<u8>, ImageError> {
    let missing = || ImageError::truncated(FORMAT, "a strip lies beyond its end");
    let part = |at: usize, length: usize| {
        at.checked_add(length).and_then(|end| bytes.get(at..end)).ok_or_else(missing)
    };
    let at = *directory.offsets.get(n).ok_or_else(missing)? as usize;
    let own = part(at, *directory.lengths.get(n).ok_or_else(missing)? as usize)?;
    let tables = match directory.jpeg_tables {
        Some((at, length)) => part(at, length)?,
        None => b"\xff\xd8\xff\xd9",
    };
    let start = b"\xff\xd8";
    let tables = tables.strip_prefix(start).unwrap_or(tables);
    let tables = tables.strip_suffix(b"\xff\xd9").unwrap_or(tables);
    let own = own.strip_prefix(start).unwrap_or(own);
    let adobe = *b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0";
    let transform = [u8::from(layout.is_ycbcr())];
    let marker: &[&[u8]] = if layout.is_grey() { &[] } else { &[&adobe, &transform] };
    Ok([&[start.as_slice()], marker, &[tables, own]].concat().concat())
}
