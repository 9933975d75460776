//! The camera's orientation, read where Pillow's `getexif` reads it, applied as its
//! `exif_transpose` does.

use super::RgbImage;
#[cfg(any(feature = "image", feature = "tiff"))]
use super::raster::Pixels;

/// EXIF tag 0x0112 (EXIF 2.32, 4.6.4 A): 1 is upright; 2–8 need turning or mirroring.
const ORIENTATION: u16 = 0x0112;

/// Orientation from EXIF, or from XMP when EXIF does not have the tag; 1 when neither does.
pub(crate) fn orientation(exif: Option<&[u8]>, xmp: Option<&[u8]>) -> u8 {
    let value = exif.and_then(from_exif).or_else(|| xmp.and_then(from_xmp)).unwrap_or(1);
    u8::try_from(value).unwrap_or(1)
}

/// The tag in IFD0 of a TIFF block (with or without `Exif\0\0` in front).
///
/// A block that is not TIFF is read as "no tag"; Pillow raises there.
fn from_exif(mut data: &[u8]) -> Option<u32> {
    while let Some(rest) = data.strip_prefix(b"Exif\0\0") {
        data = rest;
    }
    let big = match data.get(..4)? {
        b"MM\0*" | b"MM*\0" => true,
        b"II*\0" | b"II\0*" => false,
        _ => return None,
    };
    let u16_at = |at: usize| -> Option<u16> {
        let bytes = data.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    };
    let u32_at = |at: usize| -> Option<u32> {
        let bytes = data.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    let ifd = u32_at(4)? as usize;
    let mut found = None;
    for entry in 0..usize::from(u16_at(ifd)?) {
        let at = ifd.checked_add(2 + entry * 12)?;
        let Some(tag) = u16_at(at) else { break };
        if tag != ORIENTATION {
            continue;
        }
        let (kind, count) = (u16_at(at + 2)?, u32_at(at + 4)?);
        let unit = match kind {
            3 | 8 => 2,
            4 | 9 => 4,
            _ => continue,
        };
        let inline = count <= 4 / unit;
        let value = if inline { at + 8 } else { u32_at(at + 8)? as usize };
        // The last entry wins, as in Pillow's dictionary.
        found = match unit {
            2 => u16_at(value).map(u32::from),
            _ => u32_at(value),
        };
    }
    found
}

/// `tiff:Orientation="6"` or `<tiff:Orientation>6</…`.
fn from_xmp(data: &[u8]) -> Option<u32> {
    const KEY: &[u8] = b"tiff:Orientation";
    data.windows(KEY.len()).enumerate().filter(|(_, window)| *window == KEY).find_map(|(at, _)| {
        let rest = data.get(at + KEY.len()..)?;
        let rest = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"))?;
        rest.first().filter(|c| c.is_ascii_digit()).map(|c| u32::from(c - b'0'))
    })
}

/// Turns the image upright. Values outside 2–8 leave it as it is.
pub(crate) fn apply(image: RgbImage, orientation: u8) -> RgbImage {
    let (w, h) = (image.width as usize, image.height as usize);
    let data = apply_channels(w, h, 3, image.data, orientation);
    match orientation {
        5..=8 if !data.is_empty() => RgbImage { width: image.height, height: image.width, data },
        _ => RgbImage { data, ..image },
    }
}

/// The same before the conversion to RGB.
#[cfg(any(feature = "image", feature = "tiff"))]
pub(crate) fn apply_pixels(w: usize, h: usize, pixels: Pixels, orientation: u8) -> Pixels {
    match pixels {
        Pixels::Grey(data) => Pixels::Grey(apply_channels(w, h, 1, data, orientation)),
        Pixels::Rgb(data) => Pixels::Rgb(apply_channels(w, h, 3, data, orientation)),
        Pixels::Rgba(data) => Pixels::Rgba(apply_channels(w, h, 4, data, orientation)),
    }
}

/// The same for pixels of `channels` bytes.
fn apply_channels(
    w: usize,
    h: usize,
    channels: usize,
    mut data: Vec<u8>,
    orientation: u8,
) -> Vec<u8> {
    if !(2..=8).contains(&orientation) || data.is_empty() {
        return data;
    }
    if matches!(orientation, 2..=4) {
        if matches!(orientation, 2 | 3) {
            for row in data.chunks_exact_mut(w * channels) {
                reverse_pixels(row, channels);
            }
        }
        if matches!(orientation, 3 | 4) {
            let (top, bottom) = data.split_at_mut(h / 2 * w * channels);
            let bottom_rows = bottom.chunks_exact_mut(w * channels).rev();
            for (a, b) in top.chunks_exact_mut(w * channels).zip(bottom_rows) {
                a.swap_with_slice(b);
            }
        }
        return data;
    }
    // Output row y is input column y (5, 6) or w-1-y (7, 8); 6 and 7 read it bottom to top.
    let mut out = vec![0; data.len()];
    for (y, row) in out.chunks_exact_mut(h * channels).enumerate() {
        let column = if matches!(orientation, 5 | 6) { y } else { w - 1 - y };
        let at = column * channels..(column + 1) * channels;
        let pixels = data.chunks_exact(w * channels).filter_map(|r| r.get(at.clone()));
        let places = row.chunks_exact_mut(channels);
        if matches!(orientation, 5 | 8) {
            places.zip(pixels).for_each(|(to, from)| to.copy_from_slice(from));
        } else {
            places.zip(pixels.rev()).for_each(|(to, from)| to.copy_from_slice(from));
        }
    }
    out
}

fn reverse_pixels(row: &mut [u8], channels: usize) {
    row.reverse();
    for px in row.chunks_exact_mut(channels) {
        px.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiff(big: bool, kind: u16, value: u8) -> Vec<u8> {
        let mut data = if big { b"MM\0*\0\0\0\x08".to_vec() } else { b"II*\0\x08\0\0\0".to_vec() };
        let mut push16 = |v: u16| data.extend(if big { v.to_be_bytes() } else { v.to_le_bytes() });
        push16(1);
        push16(ORIENTATION);
        push16(kind);
        for half in if big { [0, 1] } else { [1, 0] } {
            push16(half);
        }
        let value = u16::from(value);
        match (big, kind) {
            (true, 4) => [0, value].into_iter().for_each(push16),
            _ => [value, 0].into_iter().for_each(push16),
        }
        data
    }

    #[test]
    fn reads_both_byte_orders_and_xmp() {
        for big in [false, true] {
            for kind in [3, 4] {
                assert_eq!(orientation(Some(&tiff(big, kind, 6)), None), 6);
            }
        }
        let xmp = br#"<rdf tiff:Orientation="8"/>"#;
        assert_eq!(orientation(None, Some(xmp)), 8);
        assert_eq!(orientation(Some(&tiff(true, 3, 3)), Some(xmp)), 3);
        assert_eq!(orientation(Some(b"Exif\0\0II*\0\xff\xff\xff\xff"), None), 1);
        assert_eq!(orientation(Some(b""), Some(b"tiff:Orientation>5")), 5);
    }

    #[test]
    fn transposes_as_defined() {
        // 2 x 3 pixels numbered in reading order.
        let image = RgbImage { width: 2, height: 3, data: (0..6).flat_map(|v| [v; 3]).collect() };
        let order = |o| {
            let turned = apply(image.clone(), o);
            (turned.width, turned.data.chunks_exact(3).map(|p| p[0]).collect::<Vec<_>>())
        };
        assert_eq!(order(1), (2, vec![0, 1, 2, 3, 4, 5]));
        assert_eq!(order(2), (2, vec![1, 0, 3, 2, 5, 4]));
        assert_eq!(order(3), (2, vec![5, 4, 3, 2, 1, 0]));
        assert_eq!(order(4), (2, vec![4, 5, 2, 3, 0, 1]));
        assert_eq!(order(5), (3, vec![0, 2, 4, 1, 3, 5]));
        assert_eq!(order(6), (3, vec![4, 2, 0, 5, 3, 1]));
        assert_eq!(order(7), (3, vec![5, 3, 1, 4, 2, 0]));
        assert_eq!(order(8), (3, vec![1, 3, 5, 0, 2, 4]));
        assert_eq!(order(9), order(1));
    }
}
