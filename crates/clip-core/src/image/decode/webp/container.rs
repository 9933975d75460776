//! The chunks of a WebP file (RFC 9649, 2), read and refused as libwebp's demultiplexer does.

use super::{FORMAT, corrupt};
use crate::image::ImageError;

/// Features in the header of an extended file.
const ALPHA: u8 = 0x10;
const EXIF: u8 = 0x08;
const XMP: u8 = 0x04;
const ANIMATION: u8 = 0x02;
const KNOWN: u8 = 0x3e;

/// A picture's place on the canvas, and its data.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) left: u32,
    pub(super) top: u32,
    /// Pixels; of the bitstream.
    pub(super) size: (u32, u32),
    pub(super) alpha: Option<&'a [u8]>,
    pub(super) bitstream: Option<Bitstream<'a>>,
    /// Alpha stands behind the colours, where it may not.
    alpha_is_late: bool,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Bitstream<'a> {
    Lossy(&'a [u8]),
    Lossless(&'a [u8]),
}

/// What a file holds.
#[derive(Debug, Default)]
pub(super) struct Container<'a> {
    pub(super) canvas: (u32, u32),
    pub(super) alpha: bool,
    pub(super) animated: bool,
    pub(super) first: Frame<'a>,
    pub(super) frames: u32,
    pub(super) exif: Option<&'a [u8]>,
    pub(super) xmp: Option<&'a [u8]>,
}

impl<'a> Container<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let size = bytes.get(4..8).and_then(|b| b.first_chunk::<4>()).copied().unwrap_or_default();
        let end = (u32::from_le_bytes(size) as usize).saturating_add(8);
        // What is behind the end is not read.
        let inside = bytes.get(12..end.max(12));
        let mut rest = inside.ok_or_else(|| {
            ImageError::truncated(FORMAT, format!("{} of {end} bytes", bytes.len()))
        })?;
        match rest.get(..8).ok_or_else(short)? {
            [b'V', b'P', b'8', b'X', ..] => {
                let header = Chunk::take(&mut rest)?.body;
                Container::extended(header, rest)
            }
            [b'V', b'P', b'8', b' ' | b'L', ..] => {
                let mut first = Frame::default();
                first.fill(&mut rest)?;
                let size = first.size;
                let lossless = match first.bitstream {
                    Some(Bitstream::Lossless(data)) => data.get(4).is_some_and(|b| b & 0x10 != 0),
                    Some(Bitstream::Lossy(_)) => false,
                    None => return Err(corrupt("it holds no picture")),
                };
                let first = Frame { alpha: None, ..first };
                Ok(Container { canvas: size, alpha: lossless, first, frames: 1, ..Self::default() })
            }
            _ => Err(corrupt("it holds no picture")),
        }
    }

    fn extended(header: &[u8], mut rest: &'a [u8]) -> Result<Self, ImageError> {
        let header = header.first_chunk::<10>().ok_or_else(|| corrupt("a short header"))?;
        let flags = header[0];
        let canvas = (u24(&header[4..]) + 1, u24(&header[7..]) + 1);
        let mut found = Container {
            canvas,
            alpha: flags & ALPHA != 0,
            animated: flags & ANIMATION != 0,
            ..Container::default()
        };
        if flags & !KNOWN != 0 {
            return Err(corrupt("unknown features"));
        }
        let (mut control, mut frames) = (false, Vec::new());
        while !rest.is_empty() {
            if matches!(rest.get(..4), Some(b"ALPH" | b"VP8 " | b"VP8L")) {
                if found.animated || control || !frames.is_empty() {
                    return Err(corrupt("a picture beside frames"));
                }
                let mut frame = Frame::default();
                frame.fill(&mut rest)?;
                frames.push(if found.alpha { frame } else { Frame { alpha: None, ..frame } });
                continue;
            }
            let before = rest;
            let chunk = Chunk::take(&mut rest)?;
            match &chunk.kind {
                b"VP8X" => return Err(corrupt("two headers")),
                b"ANIM" if chunk.body.len() < 6 => return Err(corrupt("a short header")),
                b"ANIM" => control = true,
                b"ANMF" if !control => return Err(corrupt("a frame before its header")),
                b"ANMF" => {
                    let (frame, length) = Frame::animated(chunk.body)?;
                    if found.animated && (frame.bitstream.is_some() || frame.alpha.is_some()) {
                        frames.push(frame);
                    }
                    // What else is in it counts as if it stood beside it.
                    rest = before.get(8 + length..).ok_or_else(short)?;
                }
                b"EXIF" if flags & EXIF != 0 => found.exif = found.exif.or(Some(chunk.body)),
                b"XMP " if flags & XMP != 0 => found.xmp = found.xmp.or(Some(chunk.body)),
                _ => {}
            }
        }
        for Frame { left, top, size, bitstream, alpha, alpha_is_late } in &frames {
            if bitstream.is_none() || alpha.is_some() && *alpha_is_late {
                return Err(corrupt("alpha without a picture behind it"));
            }
            let outside = left + size.0 > canvas.0 || top + size.1 > canvas.1;
            if outside || !found.animated && *size != canvas {
                return Err(corrupt("its headers disagree about the size"));
            }
        }
        found.frames = frames.len() as u32;
        found.first = *frames.first().ok_or_else(|| corrupt("it holds no picture"))?;
        Ok(found)
    }
}

impl<'a> Frame<'a> {
    /// What an `ANMF` chunk holds, and how long that is.
    fn animated(body: &'a [u8]) -> Result<(Self, usize), ImageError> {
        let (header, mut rest) =
            body.split_at_checked(16).ok_or_else(|| corrupt("a short frame"))?;
        let mut frame = Frame {
            left: u24(header) * 2,
            top: u24(&header[3..]) * 2,
            size: (u24(&header[6..]) + 1, u24(&header[9..]) + 1),
            ..Frame::default()
        };
        frame.fill(&mut rest)?;
        Ok((frame, body.len() - rest.len()))
    }

    /// Takes the chunks of one picture.
    fn fill(&mut self, rest: &mut &'a [u8]) -> Result<(), ImageError> {
        loop {
            let mut after = *rest;
            match rest.get(..4) {
                Some(b"ALPH") if self.alpha.is_none() => {
                    self.alpha = Some(Chunk::take(&mut after)?.body);
                    self.alpha_is_late = self.bitstream.is_some();
                }
                Some(b"VP8L") if self.alpha.is_some() => {
                    return Err(corrupt("a lossless picture with alpha beside it"));
                }
                Some(b"VP8L") if self.bitstream.is_none() => {
                    // libwebp takes the byte that fills up an odd chunk for one of the stream.
                    let data = Chunk::take(&mut after)?.padded;
                    self.size = lossless_size(data).ok_or_else(|| corrupt("no lossless header"))?;
                    self.bitstream = Some(Bitstream::Lossless(data));
                }
                Some(b"VP8 ") if self.bitstream.is_none() => {
                    let data = Chunk::take(&mut after)?.body;
                    self.size = lossy_size(data).ok_or_else(|| corrupt("no key frame"))?;
                    self.bitstream = Some(Bitstream::Lossy(data));
                }
                _ => return Ok(()),
            }
            *rest = after;
        }
    }
}

struct Chunk<'a> {
    kind: [u8; 4],
    body: &'a [u8],
    /// With the byte behind a body of odd length.
    padded: &'a [u8],
}

impl<'a> Chunk<'a> {
    fn take(rest: &mut &'a [u8]) -> Result<Self, ImageError> {
        let (header, tail) = rest.split_first_chunk::<8>().ok_or_else(short)?;
        let [a, b, c, d, size @ ..] = *header;
        let length = u32::from_le_bytes(size) as usize;
        let (padded, after) =
            tail.split_at_checked(length.saturating_add(length % 2)).ok_or_else(short)?;
        *rest = after;
        Ok(Chunk { kind: [a, b, c, d], body: &padded[..length], padded })
    }
}

fn short() -> ImageError {
    ImageError::truncated(FORMAT, "its data stops early")
}

/// Width and height of a key frame that is shown (RFC 6386, 9.1).
fn lossy_size(data: &[u8]) -> Option<(u32, u32)> {
    let header = data.first_chunk::<10>()?;
    let tag = u24(header);
    let side = |low: u8, high: u8| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    let (width, height) = (side(header[6], header[7]), side(header[8], header[9]));
    let (inter, profile, shown) = (tag & 1 != 0, tag >> 1 & 7, tag >> 4 & 1 != 0);
    let whole = ((tag >> 5) as usize) < data.len();
    let known = !inter && profile <= 3 && shown && whole && header[3..6] == [0x9d, 1, 0x2a];
    (known && width > 0 && height > 0).then_some((width, height))
}

/// Width and height of a VP8L header (RFC 9649, 3.4).
fn lossless_size(data: &[u8]) -> Option<(u32, u32)> {
    let [0x2f, rest @ ..] = data.first_chunk::<5>()? else { return None };
    let bits = u32::from_le_bytes(*rest);
    (bits >> 29 == 0).then_some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
}

fn u24(bytes: &[u8]) -> u32 {
    bytes.iter().take(3).rev().fold(0, |n, byte| n << 8 | u32::from(*byte))
}
