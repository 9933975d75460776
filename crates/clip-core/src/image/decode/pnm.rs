//! Netpbm's PBM, PGM and PPM, as text and as bytes, and grey PFM, by the rules of Pillow's
//! `PpmImagePlugin`.
//!
//! Our own reader: `image` scales samples in f32 and rounds halves up where Pillow rounds them to even,
//! and refuses comments between samples.

use crate::image::{
    Format, ImageError, Limits,
    raster::{Pixels, Raster, unpack},
};

const FORMAT: Format = Format::Pnm;

/// Digits of a number, at most.
const LONGEST: usize = 10;

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 9..=13)
}

/// Whether the first bytes are those of a file that Pillow reads.
pub(in crate::image) fn is_pnm(bytes: &[u8]) -> bool {
    matches!(bytes, [b'P', b'1'..=b'6' | b'f', space, ..] if is_space(*space))
}

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raster, ImageError> {
    let kind = bytes.get(1).copied().unwrap_or_default();
    let mut rest = bytes.get(3..).unwrap_or_default();
    let (width, height) = (number(token(&mut rest)?)?, number(token(&mut rest)?)?);
    limits.check_size(width.into(), height.into())?;
    let (w, h) = (width as usize, height as usize);
    let count = if matches!(kind, b'3' | b'6') { w * h * 3 } else { w * h };
    let (mode, data) = match kind {
        b'1' => ("1", bits_of_text(rest, count)?),
        b'4' => ("1", bits(rest, w, h)?),
        b'f' => ("F", floats(rest, w, h)?),
        _ => samples(rest, kind, count)?,
    };
    Ok(Raster {
        format: FORMAT,
        width,
        height,
        mode,
        pixels: if mode == "RGB" { Pixels::Rgb(data) } else { Pixels::Grey(data) },
        orientation: 1,
        frames: Some(1),
        damaged: false,
    })
}

fn short() -> ImageError {
    ImageError::truncated(FORMAT, "its data stops early")
}

/// The next word of the header, and the byte after it. A comment may part a word.
fn token(rest: &mut &[u8]) -> Result<Vec<u8>, ImageError> {
    let mut word = Vec::new();
    while let Some((byte, tail)) = rest.split_first() {
        *rest = tail;
        match byte {
            b'#' => {
                let end = rest.iter().position(|b| matches!(b, b'\n' | b'\r'));
                *rest = end.and_then(|end| rest.get(end + 1..)).unwrap_or_default();
            }
            byte if is_space(*byte) && word.is_empty() => {}
            byte if is_space(*byte) => break,
            byte => word.push(*byte),
        }
        if word.len() > LONGEST {
            return Err(ImageError::corrupt(FORMAT, "a number of too many digits"));
        }
    }
    if word.is_empty() { Err(short()) } else { Ok(word) }
}

fn number(word: Vec<u8>) -> Result<u32, ImageError> {
    let text = String::from_utf8_lossy(&word);
    let wrong = || ImageError::corrupt(FORMAT, "something else where a number should be");
    text.parse().map_err(|_| wrong())
}

/// Bits, each row from a byte of its own; 1 is black.
fn bits(rest: &[u8], width: usize, height: usize) -> Result<Vec<u8>, ImageError> {
    let stride = width.div_ceil(8);
    let rows = rest.get(..stride * height).ok_or_else(short)?.chunks_exact(stride.max(1));
    Ok(rows.flat_map(|row| unpack(row, 1, width)).map(|bit| (1 - bit) * 255).collect())
}

fn bits_of_text(rest: &[u8], count: usize) -> Result<Vec<u8>, ImageError> {
    let text = without_comments(rest);
    let digits = text.iter().filter(|byte| !is_space(**byte)).map(|byte| match byte {
        b'0' => Ok(255),
        b'1' => Ok(0),
        _ => Err(ImageError::corrupt(FORMAT, "something else where a bit should be")),
    });
    let mut bits = digits.collect::<Result<Vec<_>, _>>()?;
    if bits.len() < count {
        return Err(short());
    }
    bits.truncate(count);
    Ok(bits)
}

/// A comment ends with its line, and both are as if they were not there.
fn without_comments(text: &[u8]) -> Vec<u8> {
    let mut inside = false;
    let kept = text.iter().filter(|byte| {
        let within = inside || **byte == b'#';
        inside = within && !matches!(byte, b'\n' | b'\r');
        !within
    });
    kept.copied().collect()
}

/// Levels of grey or colours, brought to 8 bits: grey of more is cut at 255, colours are scaled.
fn samples(mut rest: &[u8], kind: u8, count: usize) -> Result<(&'static str, Vec<u8>), ImageError> {
    let most = number(token(&mut rest)?)?;
    if !(1..65536).contains(&most) {
        return Err(ImageError::corrupt(FORMAT, format!("{most} as its greatest value")));
    }
    let grey = matches!(kind, b'2' | b'5');
    let (mode, white) = match (grey, most > 255) {
        (true, true) => ("I", 65535.0),
        (true, false) => ("L", 255.0),
        (false, _) => ("RGB", 255.0),
    };
    let scaled = |value: u32| {
        let level = f64::from(value) / f64::from(most) * white;
        level.round_ties_even().min(255.0) as u8
    };
    let data = if matches!(kind, b'2' | b'3') {
        let text = without_comments(rest);
        let words = text.split(|byte| is_space(*byte)).filter(|word| !word.is_empty());
        let values = words.take(count).map(|word| {
            let value = match word.len() {
                ..=LONGEST => number(word.to_vec())?,
                _ => u32::MAX,
            };
            let over = || ImageError::corrupt(FORMAT, "a value over the greatest");
            if value > most { Err(over()) } else { Ok(scaled(value)) }
        });
        values.collect::<Result<Vec<_>, _>>()?
    } else if most < 256 {
        rest.iter().take(count).map(|value| scaled((*value).into())).collect()
    } else {
        let pairs = rest.as_chunks().0.iter().take(count);
        pairs.map(|pair| scaled(u16::from_be_bytes(*pair).into())).collect()
    };
    if data.len() < count { Err(short()) } else { Ok((mode, data)) }
}

/// PFM: rows from the bottom, the sign of a factor tells the order of bytes; cut to 0 to 255.
fn floats(mut rest: &[u8], width: usize, height: usize) -> Result<Vec<u8>, ImageError> {
    let factor = String::from_utf8_lossy(&token(&mut rest)?).parse::<f64>();
    let factor = factor.ok().filter(|f| f.is_finite() && *f != 0.0);
    let factor = factor.ok_or_else(|| ImageError::corrupt(FORMAT, "no factor"))?;
    let values = rest.as_chunks::<4>().0.get(..width * height).ok_or_else(short)?;
    let level = |bytes: &[u8; 4]| match factor < 0.0 {
        true => f32::from_le_bytes(*bytes),
        false => f32::from_be_bytes(*bytes),
    };
    let rows = values.chunks_exact(width.max(1)).rev().flatten();
    Ok(rows.map(|bytes| level(bytes).clamp(0.0, 255.0) as u8).collect())
}
