//! Properties of items (ISO/IEC 23008-12, 6.5) and of samples, as far as they decide pixels.

use super::{
    boxes::{Cursor, Part},
    corrupt,
};
use crate::image::ImageError;

/// An index of a property has 15 bits.
const MOST: usize = 1 << 15;

/// How a codec is configured; tiles of a grid must agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Config {
    bits: [u8; 2],
}

impl Config {
    pub(super) fn depth(self) -> u8 {
        match (self.bits[1] & 0x20, self.bits[1] & 0x40) {
            (0, 0) => 8,
            (0, _) => 10,
            _ => 12,
        }
    }

    pub(super) fn monochrome(self) -> bool {
        self.bits[1] & 0x10 != 0
    }
}

/// Code points of ITU-T H.273.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Color {
    pub primaries: u16,
    pub matrix: u16,
    pub full_range: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Property {
    Size {
        width: u32,
        height: u32,
    },
    /// The kind of an auxiliary image: is it alpha?
    Auxiliary {
        alpha: bool,
    },
    Color(Color),
    Config(Config),
    Crop([u32; 8]),
    /// Quarters, against the clock.
    Rotation(u8),
    /// 0: top and bottom change places, 1: left and right.
    Mirror(u8),
    Depth(u8),
    OperatingPoint(u8),
    Layer(u16),
    Layers,
    /// Known to libavif, without a meaning for pixels.
    Harmless,
    Unknown,
}

impl Property {
    /// Whether an association must, or must not, be marked as essential.
    pub(super) fn fits(self, essential: bool) -> bool {
        use Property::{Crop, Layer, Layers, Mirror, OperatingPoint, Rotation};
        match self {
            Layers => !essential,
            OperatingPoint(_) | Layer(_) | Crop(_) | Rotation(_) | Mirror(_) => essential,
            _ => true,
        }
    }

    fn read(part: Part<'_>, track: bool) -> Result<Property, ImageError> {
        let mut body = Cursor(part.body);
        Ok(match &part.kind {
            b"ispe" => {
                body.only_version(0)?;
                Property::Size { width: body.u32()?, height: body.u32()? }
            }
            b"auxC" if !track => auxiliary(body)?,
            b"auxi" if track => auxiliary(body)?,
            b"colr" => color(body)?,
            b"av1C" => {
                let [first, bits @ ..] = [body.u8()?, body.u8()?, body.u8()?];
                body.u8()?;
                if first != 0x81 {
                    return Err(corrupt("a codec configuration of an unknown version"));
                }
                Property::Config(Config { bits })
            }
            b"clap" => {
                let mut values = [0; 8];
                for value in &mut values {
                    *value = body.u32()?;
                }
                Property::Crop(values)
            }
            b"irot" => match body.u8()? {
                angle @ ..4 => Property::Rotation(angle),
                _ => return Err(corrupt("an unknown rotation")),
            },
            b"imir" => match body.u8()? {
                axis @ ..2 => Property::Mirror(axis),
                _ => return Err(corrupt("an unknown mirroring")),
            },
            b"pixi" => depth(body)?,
            b"a1op" => match body.u8()? {
                point @ ..32 => Property::OperatingPoint(point),
                _ => return Err(corrupt("an unknown operating point")),
            },
            b"lsel" => Property::Layer(body.u16()?),
            b"a1lx" => Property::Layers,
            b"pasp" => {
                body.take(8)?;
                Property::Harmless
            }
            b"clli" => {
                body.take(4)?;
                Property::Harmless
            }
            _ => Property::Unknown,
        })
    }
}

/// The properties in the body of an `ipco`, or behind the fields of a sample's description.
pub(super) fn read_all(body: &[u8], track: bool) -> Result<Vec<Property>, ImageError> {
    let mut properties = Vec::new();
    for part in Cursor(body).parts() {
        if properties.len() == MOST {
            return Err(corrupt("more properties than can be named"));
        }
        properties.push(Property::read(part?, track)?);
    }
    Ok(properties)
}

fn auxiliary(mut body: Cursor<'_>) -> Result<Property, ImageError> {
    body.only_version(0)?;
    let kind = body.string()?;
    let alpha = kind == b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"
        || kind == b"urn:mpeg:hevc:2015:auxid:1";
    Ok(Property::Auxiliary { alpha })
}

fn color(mut body: Cursor<'_>) -> Result<Property, ImageError> {
    let kind = body.kind()?;
    if kind != *b"nclx" {
        let profile = [*b"rICC", *b"prof"].contains(&kind);
        if profile && body.0.is_empty() {
            return Err(corrupt("an empty colour profile"));
        }
        return Ok(Property::Harmless);
    }
    let primaries = body.u16()?;
    body.u16()?; // transfer characteristics
    let matrix = body.u16()?;
    match body.u8()? {
        range @ (0 | 0x80) => {
            Ok(Property::Color(Color { primaries, matrix, full_range: range != 0 }))
        }
        _ => Err(corrupt("reserved bits of its colour are in use")),
    }
}

fn depth(mut body: Cursor<'_>) -> Result<Property, ImageError> {
    body.only_version(0)?;
    let channels = body.u8()?;
    let depths = body.take(channels.into())?;
    match depths.first() {
        Some(depth @ 1..=16) if channels <= 4 && depths.iter().all(|d| d == depth) => {
            Ok(Property::Depth(*depth))
        }
        _ => Err(ImageError::unsupported("an AVIF image with channels of different depths")),
    }
}
