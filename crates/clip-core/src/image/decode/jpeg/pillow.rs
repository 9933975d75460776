//! What Pillow reads of a JPEG file before libjpeg does (`JpegImageFile._open`).

use crate::image::{Format, ImageError};

/// Metadata in front of the first scan.
#[derive(Debug, Default)]
pub(super) struct Metadata<'a> {
    /// The first segment whole, what follows without its name.
    pub exif: Option<Vec<u8>>,
    /// The last packet.
    pub xmp: Option<&'a [u8]>,
}

/// Walks the segments up to the first scan.
pub(super) fn open(bytes: &[u8]) -> Result<Metadata<'_>, ImageError> {
    let truncated = || ImageError::truncated(Format::Jpeg, "its headers stop early");
    let mut metadata = Metadata::default();
    let mut rest = bytes.get(2..).unwrap_or_default();
    loop {
        let (prefix, tail) = rest.split_first().ok_or_else(truncated)?;
        if *prefix != 0xff {
            rest = tail; // Junk between segments.
            continue;
        }
        let (marker, tail) = tail.split_first().ok_or_else(truncated)?;
        rest = match marker {
            // Padding; the second byte may begin the next marker.
            0xff => &rest[1..],
            0x00 => tail,
            0x01..=0xbf => {
                let detail = format!("unknown marker {marker:#04x}");
                return Err(ImageError::corrupt(Format::Jpeg, detail));
            }
            // Without a length: JPG, RSTn, SOI, EOI, JPGn.
            0xc8 | 0xd0..=0xd9 | 0xf0..=0xfd => tail,
            _ => {
                let (length, tail) = tail.split_first_chunk::<2>().ok_or_else(truncated)?;
                let length = usize::from(u16::from_be_bytes(*length)).saturating_sub(2);
                let (body, tail) = tail.split_at_checked(length).ok_or_else(truncated)?;
                match (marker, body.strip_prefix(b"Exif\0\0")) {
                    (0xda, _) => return Ok(metadata),
                    (0xe1, Some(more)) => match &mut metadata.exif {
                        Some(exif) => exif.extend(more),
                        None => metadata.exif = Some(body.to_vec()),
                    },
                    (0xe1, None) => {
                        let packet = body.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0");
                        metadata.xmp = packet.or(metadata.xmp);
                    }
                    _ => {}
                }
                tail
            }
        };
    }
}
