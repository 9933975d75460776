//! Headers that Pillow or libjpeg refuse and `libjpeg-turbo-rs` reads.

use crate::image::{Format, ImageError};

/// Walks the segments up to the first scan as Pillow's `JpegImageFile._open` does.
pub(super) fn check(bytes: &[u8]) -> Result<(), ImageError> {
    let truncated = || ImageError::truncated(Format::Jpeg, "its headers stop early");
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
                return Err(ImageError::corrupt(
                    Format::Jpeg,
                    format!("unknown marker {marker:#04x}"),
                ));
            }
            // Without a length: JPG, RSTn, SOI, EOI, JPGn.
            0xc8 | 0xd0..=0xd9 | 0xf0..=0xfd => tail,
            _ => {
                let (length, tail) = tail.split_first_chunk::<2>().ok_or_else(truncated)?;
                let length = usize::from(u16::from_be_bytes(*length)).saturating_sub(2);
                let (body, tail) = tail.split_at_checked(length).ok_or_else(truncated)?;
                if *marker == 0xc4 {
                    check_huffman(body)?;
                }
                if *marker == 0xda {
                    return Ok(());
                }
                tail
            }
        };
    }
}

/// DC symbols are bit counts up to 15 (T.81 F.1.2.1; `jpeg_make_d_derived_tbl`).
fn check_huffman(mut body: &[u8]) -> Result<(), ImageError> {
    while let Some((head, tail)) = body.split_first_chunk::<17>() {
        let count = head[1..].iter().map(|n| usize::from(*n)).sum();
        let Some((symbols, tail)) = tail.split_at_checked(count) else { break };
        if head[0] < 0x10 && symbols.iter().any(|s| *s > 15) {
            return Err(ImageError::corrupt(Format::Jpeg, "an impossible Huffman table"));
        }
        body = tail;
    }
    Ok(())
}
