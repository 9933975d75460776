//! GIF: the first frame on its canvas, as Pillow opens it.

use std::{borrow::Cow, io::Cursor, num::NonZeroU64};

use gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};

use crate::image::{
    Format, ImageError, Limits,
    raster::{Palette, Raster},
};

const FORMAT: Format = Format::Gif;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, ImageError> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.allow_unknown_blocks(true);
    if let Some(max) = NonZeroU64::new(limits.max_pixels) {
        options.set_memory_limit(MemoryLimit::Bytes(max));
    }
    let bytes = with_global_table(bytes);
    let mut decoder = options.read_info(Cursor::new(bytes.as_ref())).map_err(error)?;
    let (screen_w, screen_h) = (decoder.width(), decoder.height());
    limits.check_size(screen_w.into(), screen_h.into())?;
    let global = decoder.global_palette().map(<[u8]>::to_vec);

    let frame = decoder.next_frame_info().map_err(error)?;
    let frame = frame.ok_or_else(|| ImageError::corrupt(FORMAT, "it holds no image"))?;
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let (w, h) = (usize::from(frame.width), usize::from(frame.height));
    // Pillow grows the canvas to a frame that sticks out.
    let width = usize::from(screen_w).max(left + w);
    let height = usize::from(screen_h).max(top + h);
    limits.check_size(width as u64, height as u64)?;
    let transparent = frame.transparent;
    let local = frame.palette.clone();
    if decoder.buffer_size() != w * h {
        return Err(ImageError::corrupt(FORMAT, "impossible frame size"));
    }
    let mut indices = vec![0; w * h];
    decoder.read_into_buffer(&mut indices).map_err(error)?;

    // Around the frame: the transparent colour if there is one, else entry 0.
    let mut canvas = vec![transparent.unwrap_or(0); width * height];
    if w > 0 {
        let rows = canvas.chunks_exact_mut(width).skip(top);
        for (row, from) in rows.zip(indices.chunks_exact(w)) {
            row[left..left + w].copy_from_slice(from);
        }
    }
    // A table that says nothing is forgotten by Pillow; a local one then gives way to the global.
    let colors = [local, global].into_iter().flatten().find(|c| !is_grey_ramp(c));
    let mut palette = colors.as_deref().map_or_else(Palette::greys, Palette::new);
    if let Some(index) = transparent {
        palette.set_transparent(index);
    }
    Ok(Raster {
        format: FORMAT,
        width: width as u32,
        height: height as u32,
        mode: if colors.is_some() { "P" } else { "L" },
        pixels: palette.expand(&canvas),
        orientation: 1,
        frames: None,
        damaged: false,
    })
}

/// The file, with a table of greys where it has no global table: the standard lets a decoder
/// choose then, Pillow chooses greys, and the crate refuses.
fn with_global_table(bytes: &[u8]) -> Cow<'_, [u8]> {
    match bytes.split_at_checked(13) {
        Some((screen, rest)) if screen[10] & 0x80 == 0 => {
            let mut patched = screen.to_vec();
            patched[10] |= 0x87;
            patched.extend((0..=255u8).flat_map(|v| [v; 3]));
            patched.extend(rest);
            Cow::Owned(patched)
        }
        _ => Cow::Borrowed(bytes),
    }
}

/// Entry i is the grey i: Pillow then opens the file in mode "L".
fn is_grey_ramp(colors: &[u8]) -> bool {
    colors.chunks_exact(3).enumerate().all(|(i, c)| c.iter().all(|v| usize::from(*v) == i))
}

fn error(error: DecodingError) -> ImageError {
    match error {
        DecodingError::Io(e) => ImageError::io(FORMAT, &e),
        DecodingError::UnexpectedEof => ImageError::truncated(FORMAT, "its data stops early"),
        other => ImageError::corrupt(FORMAT, other),
    }
}
