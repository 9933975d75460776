//! The sequence header in front of AV1 data (AV1 specification, 5.5), and how many frames follow it.
//!
//! The decoder knows it too, but it is looked at before the decoder runs: for the colour, as libavif does,
//! and because a small file may hold thousands of hidden frames that cost a decoder minutes.

use super::{corrupt, properties::Color};
use crate::image::ImageError;

/// A picture is one frame, or one for each of at most 4 layers; a sequence may begin with some hidden ones.
const MOST_FRAMES: usize = 16;

const SEQUENCE_HEADER: u8 = 1;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;

/// The colour of the data, after a look at its frames.
pub(super) fn inspect(data: &[u8]) -> Result<Color, ImageError> {
    let mut color = None;
    let mut frames = 0;
    let mut rest = data;
    while let [header, after @ ..] = rest {
        rest = if header & 4 == 0 { after } else { after.get(1..).unwrap_or_default() };
        let size = match header & 2 {
            0 => rest.len(),
            _ => leb128(&mut rest).ok_or_else(short)?,
        };
        let (body, after) = rest.split_at_checked(size).ok_or_else(short)?;
        rest = after;
        match header >> 3 & 15 {
            SEQUENCE_HEADER if color.is_none() => color = Some(sequence(body).ok_or_else(short)?),
            FRAME_HEADER | FRAME => frames += 1,
            _ => {}
        }
        if frames > MOST_FRAMES {
            return Err(ImageError::unsupported(format!(
                "an AVIF image of more than {MOST_FRAMES} hidden frames"
            )));
        }
    }
    color.ok_or_else(|| corrupt("its AV1 data has no sequence header"))
}

fn short() -> ImageError {
    corrupt("its AV1 data ends early")
}

fn leb128(rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0u64;
    for i in 0..8 {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return usize::try_from(value).ok();
        }
    }
    None
}

fn sequence(body: &[u8]) -> Option<Color> {
    let mut bits = Bits { body, at: 0 };
    let profile = bits.take(3)?;
    bits.take(1)?; // a still picture
    let reduced = bits.flag()?;
    if reduced {
        bits.take(5)?; // level
    } else {
        operating_points(&mut bits)?;
    }
    let sides = [bits.take(4)? + 1, bits.take(4)? + 1];
    for side in sides {
        bits.take(side)?;
    }
    if !reduced && bits.flag()? {
        bits.take(4 + 3)?; // lengths of frame ids
    }
    bits.take(3)?; // tools of blocks and edges
    if !reduced {
        bits.take(4)?; // tools between frames
        let order = bits.flag()?;
        if order {
            bits.take(2)?;
        }
        let screen = if bits.flag()? { 2 } else { bits.take(1)? };
        if screen > 0 && !bits.flag()? {
            bits.take(1)?; // whole vectors
        }
        if order {
            bits.take(3)?;
        }
    }
    bits.take(3)?; // filters
    color(&mut bits, profile)
}

fn operating_points(bits: &mut Bits<'_>) -> Option<()> {
    let mut delay = None;
    if bits.flag()? {
        bits.take(32)?;
        bits.take(32)?;
        if bits.flag()? {
            bits.skip_uvlc()?;
        }
        if bits.flag()? {
            delay = Some(bits.take(5)? + 1);
            bits.take(32)?;
            bits.take(10)?;
        }
    }
    let display = bits.flag()?;
    for _ in 0..=bits.take(5)? {
        bits.take(12)?;
        if bits.take(5)? > 7 {
            bits.take(1)?; // tier
        }
        if let Some(delay) = delay
            && bits.flag()?
        {
            bits.take(delay)?;
            bits.take(delay)?;
            bits.take(1)?;
        }
        if display && bits.flag()? {
            bits.take(4)?;
        }
    }
    Some(())
}

fn color(bits: &mut Bits<'_>, profile: u32) -> Option<Color> {
    let high = bits.flag()?;
    if profile == 2 && high {
        bits.take(1)?; // twelve bits
    }
    let grey = profile != 1 && bits.flag()?;
    let mut points = [2; 3]; // unspecified
    if bits.flag()? {
        for point in &mut points {
            *point = bits.take(8)? as u16;
        }
    }
    // sRGB as it is has the full range without saying so.
    let full_range = !grey && points == [1, 13, 0] || bits.flag()?;
    let [primaries, _, matrix] = points;
    Some(Color { primaries, matrix, full_range })
}

struct Bits<'a> {
    body: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// At most 32.
    fn take(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0u32, |value, _| {
            let byte = self.body.get(self.at / 8)?;
            let bit = byte >> (7 - self.at % 8) & 1;
            self.at += 1;
            Some(value << 1 | u32::from(bit))
        })
    }

    fn flag(&mut self) -> Option<bool> {
        Some(self.take(1)? == 1)
    }

    fn skip_uvlc(&mut self) -> Option<()> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
        }
        if zeros < 32 {
            self.take(zeros)?;
        }
        Some(())
    }
}
