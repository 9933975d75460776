//! PNG through the `png` crate, samples brought to 8 bits by Pillow's rules.

use std::io::{Cursor, ErrorKind};

use png::{BitDepth, ColorType, DecodeOptions, DecodingError, Info, Transformations};

use crate::image::{
    Format, ImageError, Limits, orient,
    raster::{Palette, Pixels, Raster, color_key, unpack},
};

const FORMAT: Format = Format::Png;

/// Memory the `png` crate may use for rows, text and profiles, beyond the pixels.
const METADATA_BYTES: usize = 64 << 20;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, ImageError> {
    match read(bytes, limits, true) {
        // Pillow checks what stands before the pixels, and of what follows only that it is complete.
        Err(Failure::Pixels(first)) => {
            let mended = mended(bytes).ok_or_else(|| first.clone())?;
            match read(&mended, limits, false) {
                Ok(raster) => Ok(Raster { damaged: true, ..raster }),
                Err(_) => Err(first),
            }
        }
        Err(Failure::Header(error)) => Err(error),
        Ok(raster) => Ok(raster),
    }
}

/// The file as Pillow reads it: the pixels in one chunk, and what stands behind them, as far as it can
/// be followed, before them. `None` where a chunk behind them is cut short.
fn mended(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut at = SIGNATURE;
    let (mut pixels, mut behind): (Vec<u8>, Vec<u8>) = Default::default();
    // Where the pixels begin, and whether they have ended.
    let (mut first, mut ended) = (None, false);
    while let Some((length, kind)) = chunk(bytes, at) {
        let end = (at + 8).saturating_add(length);
        let data = bytes.get(at + 8..end.min(bytes.len()))?;
        ended |= first.is_some() && kind != b"IDAT";
        match kind {
            b"IDAT" if !ended => {
                first.get_or_insert(at);
                pixels.extend(data);
            }
            _ if first.is_none() => {}
            b"IEND" | b"fcTL" => break,
            _ if !kind.iter().all(|c| c.is_ascii_alphanumeric() || *c == b'_') => break,
            _ if data.len() < length => return None,
            // Those that tell of the picture's orientation; others might be refused here.
            b"eXIf" | b"iTXt" | b"tEXt" | b"zTXt" => behind.extend(bytes.get(at..end + 4)?),
            _ => {}
        }
        at = end.saturating_add(4);
    }
    let mut file = bytes.get(..first?)?.to_vec();
    file.extend(behind);
    file.extend(u32::try_from(pixels.len()).ok()?.to_be_bytes());
    file.extend(b"IDAT");
    file.extend(pixels);
    file.extend(b"\0\0\0\0\0\0\0\0IEND\xaeB`\x82");
    Some(file)
}

/// Bytes before the first chunk.
const SIGNATURE: usize = 8;

/// Length and kind of the chunk at a place.
fn chunk(bytes: &[u8], at: usize) -> Option<(usize, &[u8; 4])> {
    let header = bytes.get(at..)?.first_chunk::<8>()?;
    let [a, b, c, d, kind @ ..] = header;
    Some((u32::from_be_bytes([*a, *b, *c, *d]) as usize, kind))
}

/// What could not be read.
enum Failure {
    Header(ImageError),
    Pixels(ImageError),
}

/// `checked`: checksums of the chunks from the first pixels on must be right. That of zlib must be anyway.
fn read(bytes: &[u8], limits: &Limits, checked: bool) -> Result<Raster, Failure> {
    let mut options = DecodeOptions::default();
    options.set_ignore_crc(!checked);
    options.set_ignore_adler32(false);
    options.set_skip_ancillary_crc_failures(false);
    let mut decoder = png::Decoder::new_with_options(Cursor::new(bytes), options);
    decoder.set_limits(png::Limits { bytes: METADATA_BYTES });
    decoder.set_transformations(Transformations::IDENTITY);
    decoder.set_ignore_iccp_chunk(true);
    let header = |e| Failure::Header(error(e));
    let pixels = |e| Failure::Pixels(error(e));
    let size = decoder.read_header_info().map_err(header)?;
    let (width, height) = (size.width, size.height);
    limits.check_size(width.into(), height.into()).map_err(Failure::Header)?;
    let mut reader = decoder.read_info().map_err(header)?;

    let info = reader.info();
    let (color, depth, interlaced) = (info.color_type, info.bit_depth, info.interlaced);
    let mut samples = Samples::new(color, depth, width as usize, height as usize);
    if interlaced {
        let size = reader.output_buffer_size();
        let size = size.ok_or_else(|| Failure::Header(corrupt("impossible size")))?;
        let mut raw = vec![0; size];
        let frame = reader.next_frame(&mut raw).map_err(pixels)?;
        raw.chunks_exact(frame.line_size).take(height as usize).for_each(|r| samples.push(r));
    } else {
        for _ in 0..height {
            let missing = || Failure::Pixels(ImageError::truncated(FORMAT, "rows missing"));
            samples.push(reader.next_row().map_err(pixels)?.ok_or_else(missing)?.data());
        }
    }
    // Orientation may stand after the pixels. Pillow does not need the end marker.
    match reader.finish() {
        Err(DecodingError::IoError(e)) if e.kind() == ErrorKind::UnexpectedEof => {
            if !ends_well(bytes) {
                return Err(Failure::Pixels(ImageError::io(FORMAT, &e)));
            }
        }
        // All pixels are there; their checksum, where it is complete, must be right. (The crate tells what
        // is wrong only in words.)
        Err(e) if !checked && !e.to_string().contains("WrongChecksum") => {}
        other => other.map_err(pixels)?,
    }

    let info = reader.info();
    let xmp = info.utf8_text.iter().rev().find(|t| t.keyword == "XML:com.adobe.xmp");
    let xmp = xmp.and_then(|t| t.get_text().ok());
    let raw_exif = match &info.exif_metadata {
        Some(exif) => Some(exif.to_vec()),
        None => raw_profile(info),
    };
    Ok(Raster {
        format: FORMAT,
        width,
        height,
        mode: mode(color, depth),
        orientation: orient::orientation(raw_exif.as_deref(), xmp.as_deref().map(str::as_bytes)),
        frames: Some(info.animation_control.map_or(1, |a| a.num_frames)),
        pixels: samples.finish(info).map_err(Failure::Header)?,
        damaged: false,
    })
}

/// 8-bit samples, collected row by row.
struct Samples {
    color: ColorType,
    depth: BitDepth,
    /// Samples in a row.
    width: usize,
    data: Vec<u8>,
}

impl Samples {
    fn new(color: ColorType, depth: BitDepth, width: usize, height: usize) -> Self {
        let width = width * color.samples();
        let per_pixel = if color == ColorType::GrayscaleAlpha { 2 } else { 1 };
        Samples { color, depth, width, data: Vec::with_capacity(width * per_pixel * height) }
    }

    fn push(&mut self, row: &[u8]) {
        let (bits, scale) = match self.depth {
            BitDepth::One => (1, 255),
            BitDepth::Two => (2, 85),
            BitDepth::Four => (4, 17),
            BitDepth::Eight => return self.push_bytes(row.iter().copied()),
            BitDepth::Sixteen if self.color == ColorType::Grayscale => {
                // Pillow's "I;16" -> "RGB" clips instead of scaling.
                let clip = |p: &[u8]| if p[0] > 0 { 255 } else { p[1] };
                return self.push_bytes(row.chunks_exact(2).map(clip));
            }
            BitDepth::Sixteen => return self.push_bytes(row.chunks_exact(2).map(|p| p[0])),
        };
        let scale = if self.color == ColorType::Indexed { 1 } else { scale };
        let samples = unpack(row, bits, self.width);
        self.data.extend(samples.map(|v| v * scale));
    }

    fn push_bytes(&mut self, row: impl Iterator<Item = u8>) {
        if self.color == ColorType::GrayscaleAlpha {
            let mut row = row;
            while let (Some(grey), Some(alpha)) = (row.next(), row.next()) {
                self.data.extend([grey, grey, grey, alpha]);
            }
        } else {
            self.data.extend(row);
        }
    }

    fn finish(self, info: &Info<'_>) -> Result<Pixels, ImageError> {
        let trns = info.trns.as_deref();
        // Pillow compares low bytes. Below 16 bits the crate has already dropped the high ones.
        let key = trns.filter(|_| !matches!(self.color, ColorType::Indexed)).map(|t| match t {
            [_, r, _, g, _, b] => [*r, *g, *b],
            [r, g, b] => [*r, *g, *b],
            // Pillow reads a 1-bit key as "not zero".
            [.., low] if self.depth == BitDepth::One => [u8::from(*low != 0) * 255; 3],
            [.., low] => [*low; 3],
            [] => [0; 3],
        });
        Ok(match self.color {
            ColorType::Indexed => {
                let colors = info.palette.as_deref().ok_or_else(|| corrupt("no palette"))?;
                let mut palette = Palette::new(colors);
                palette.set_alphas(trns.unwrap_or_default());
                palette.expand(&self.data)
            }
            ColorType::Grayscale | ColorType::Rgb => {
                let pixels = match self.color {
                    ColorType::Rgb => Pixels::Rgb(self.data),
                    _ => Pixels::Grey(self.data),
                };
                match key {
                    Some(key) => color_key(pixels, key),
                    None => pixels,
                }
            }
            ColorType::GrayscaleAlpha | ColorType::Rgba => Pixels::Rgba(self.data),
        })
    }
}

fn mode(color: ColorType, depth: BitDepth) -> &'static str {
    match (color, depth) {
        (ColorType::Grayscale, BitDepth::One) => "1",
        (ColorType::Grayscale, BitDepth::Sixteen) => "I;16",
        (ColorType::Grayscale, _) => "L",
        (ColorType::Rgb, _) => "RGB",
        (ColorType::Indexed, _) => "P",
        (ColorType::GrayscaleAlpha, BitDepth::Eight) => "LA",
        // Pillow has no 16-bit LA.
        (ColorType::GrayscaleAlpha | ColorType::Rgba, _) => "RGBA",
    }
}

/// ImageMagick's "Raw profile type exif": a text of hexadecimal digits after three lines.
fn raw_profile(info: &Info<'_>) -> Option<Vec<u8>> {
    const KEY: &str = "Raw profile type exif";
    let text = match info.compressed_latin1_text.iter().find(|t| t.keyword == KEY) {
        Some(text) => text.get_text().ok()?,
        None => info.uncompressed_latin1_text.iter().find(|t| t.keyword == KEY)?.text.clone(),
    };
    let digits: Vec<u8> = text
        .split('\n')
        .skip(3)
        .flat_map(str::chars)
        .filter_map(|c| c.to_digit(16).map(|d| d as u8))
        .collect();
    Some(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// Whether the bytes stop after a whole chunk, or within the next one's 8-byte header.
fn ends_well(bytes: &[u8]) -> bool {
    let mut at = SIGNATURE;
    while let Some((length, _)) = chunk(bytes, at) {
        at = at.saturating_add(12).saturating_add(length);
        if at > bytes.len() {
            return false;
        }
    }
    true
}

fn corrupt(detail: &str) -> ImageError {
    ImageError::corrupt(FORMAT, detail)
}

fn error(error: DecodingError) -> ImageError {
    match error {
        DecodingError::IoError(e) => ImageError::io(FORMAT, &e),
        DecodingError::LimitsExceeded => corrupt("its metadata is over 64 MiB"),
        other => ImageError::corrupt(FORMAT, other),
    }
}
