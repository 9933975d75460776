//! The format of a file by its first bytes, never by its name.

use std::fmt;

use super::ImageError;
#[cfg(feature = "image")]
use super::decode::{pnm, tga};

/// The formats that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Baseline and progressive, 8 bits; JFIF and Exif.
    Jpeg,
    /// All of PNG; of animations the first frame.
    Png,
    /// Lossy and lossless; of animations the first frame.
    WebP,
    /// The first frame.
    Gif,
    /// Windows and OS/2 bitmaps.
    Bmp,
    /// TIFF 6.0 and BigTIFF; of several pages the first. Needs the feature `tiff`.
    Tiff,
    /// Stills, and of sequences the first frame. Needs the feature `avif`.
    Avif,
    /// Icons and cursors; of several pictures the largest. Needs the feature `image`.
    Ico,
    /// Truevision TGA. Needs the feature `image`.
    Tga,
    /// PBM, PGM, PPM and grey PFM. Needs the feature `image`.
    Pnm,
    /// The Quite OK Image Format. Needs the feature `image`.
    Qoi,
}

impl Format {
    /// The format of a file by its first bytes; `None` for what cannot be read.
    pub fn of(bytes: &[u8]) -> Option<Format> {
        sniff(bytes).ok()
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::WebP => "WebP",
            Format::Gif => "GIF",
            Format::Bmp => "BMP",
            Format::Tiff => "TIFF",
            Format::Avif => "AVIF",
            Format::Ico => "ICO",
            Format::Tga => "TGA",
            Format::Pnm => "PNM",
            Format::Qoi => "QOI",
        })
    }
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Names the format, or says what the bytes are instead.
pub(crate) fn sniff(bytes: &[u8]) -> Result<Format, ImageError> {
    let starts = |magic: &[u8]| bytes.starts_with(magic);
    let at = |offset: usize, magic: &[u8]| {
        bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic))
    };
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    if starts(b"\xff\xd8\xff") {
        return Ok(Format::Jpeg);
    }
    if starts(PNG) {
        return Ok(Format::Png);
    }
    if starts(b"GIF87a") || starts(b"GIF89a") {
        return Ok(Format::Gif);
    }
    if starts(b"RIFF") && at(8, b"WEBP") {
        return Ok(Format::WebP);
    }
    // Two letters are too few: the header's length tells a bitmap from a text about BMW.
    if starts(b"BM") && [12, 40, 52, 56, 64, 108, 124].iter().any(|n| at(14, &[*n, 0, 0, 0])) {
        return Ok(Format::Bmp);
    }
    // Not BigTIFF with its high bytes first, which Pillow does not know.
    if cfg!(feature = "tiff") && [b"II*\0", b"MM\0*", b"II+\0"].iter().any(|m| starts(*m)) {
        return Ok(Format::Tiff);
    }
    if cfg!(feature = "avif") && is_avif(bytes) {
        return Ok(Format::Avif);
    }
    #[cfg(feature = "image")]
    if let Some(format) = less_common(bytes) {
        return Ok(format);
    }
    for (format, magic) in [(Format::Jpeg, &b"\xff\xd8\xff"[..]), (Format::Png, PNG)] {
        if magic.starts_with(bytes) {
            return Err(ImageError::truncated(format, format!("{} bytes", bytes.len())));
        }
    }
    if let Some(found) = other_media(bytes) {
        return Err(ImageError::unsupported(found));
    }
    Err(ImageError::NotAnImage { found: document(bytes) })
}

/// Formats behind the feature `image`, in the order in which Pillow tries them.
#[cfg(feature = "image")]
fn less_common(bytes: &[u8]) -> Option<Format> {
    // The first bytes of a cursor are also those of a TGA without a colour map.
    let icon = bytes.starts_with(b"\0\0\x01\0");
    let cursor = bytes.starts_with(b"\0\0\x02\0")
        && matches!(bytes.get(4..6), Some([a, b]) if (*a, *b) != (0, 0)
            && bytes.len() >= 6 + 16 * usize::from(u16::from_le_bytes([*a, *b])));
    match bytes {
        _ if icon || cursor => Some(Format::Ico),
        [b'q', b'o', b'i', b'f', ..] => Some(Format::Qoi),
        _ if pnm::is_pnm(bytes) => Some(Format::Pnm),
        _ if tga::is_tga(bytes) => Some(Format::Tga),
        _ => None,
    }
}

/// By the brands that Pillow looks at, and of which libavif wants one.
fn is_avif(bytes: &[u8]) -> bool {
    let Some(major) = bytes.get(8..12).filter(|_| bytes.get(4..8) == Some(b"ftyp")) else {
        return false;
    };
    let opens = [b"avif", b"avis", b"mif1", b"msf1"].iter().any(|brand| *brand == major);
    opens && brands(bytes).any(|brand| [b"avif", b"avis"].iter().any(|known| *known == brand))
}

/// The major brand, its version, and the compatible ones (ISO/IEC 14496-12, 4.3).
fn brands(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let length = bytes.first_chunk::<4>().map_or(0, |n| u32::from_be_bytes(*n) as usize);
    let end = length.clamp(16, 256).min(bytes.len());
    bytes.get(8..end).unwrap_or_default().chunks_exact(4)
}

/// Images and films that a shop may serve but CLIP's pipeline here does not read.
fn other_media(bytes: &[u8]) -> Option<&'static str> {
    if bytes.get(4..8) == Some(b"ftyp") {
        // "mif1" says that it is an image, the compatible brands of which kind (ISO/IEC 23008-12).
        let any = |known: &[&[u8]]| brands(bytes).any(|brand| known.contains(&brand));
        let is_image =
            any(&[b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"hevc", b"mif1", b"msf1"]);
        return Some(match is_image {
            true if any(&[b"avif", b"avis"]) => "an AVIF image",
            true => "a HEIC image",
            false => "an MP4 or QuickTime video",
        });
    }
    let magics: [(&[u8], &'static str); 18] = [
        (b"\x1a\x45\xdf\xa3", "a WebM or Matroska video"),
        (b"II*\0", "a TIFF image"),
        (b"MM\0*", "a TIFF image"),
        (b"II+\0", "a TIFF image"),
        (b"MM\0+", "a TIFF image"),
        (b"%PDF", "a PDF document"),
        (b"8BPS", "a Photoshop document"),
        (b"\0\0\x01\0", "an ICO icon"),
        (b"DDS ", "a DDS texture"),
        (b"P7\n", "a PAM image"),
        (b"qoif", "a QOI image"),
        (b"\x0a\x05\x01", "a PCX image"),
        (b"\x0a\x03\x01", "a PCX image"),
        (b"\xff\x0a", "a JPEG XL image"),
        (b"\0\0\0\x0cJXL ", "a JPEG XL image"),
        (b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
        (b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
        (b"RIFF", "a RIFF file (AVI or WAV)"),
    ];
    if let Some((_, name)) = magics.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Some(name);
    }
    is_svg(bytes).then_some("an SVG drawing")
}

fn head(bytes: &[u8]) -> String {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let start = bytes.get(..1024).unwrap_or(bytes);
    String::from_utf8_lossy(start).trim_start().to_ascii_lowercase()
}

fn is_svg(bytes: &[u8]) -> bool {
    let head = head(bytes);
    head.starts_with("<svg")
        || (head.contains("<svg") && (head.starts_with("<?xml") || head.starts_with("<!")))
            && !head.contains("<html")
}

/// What a web server sends in place of an image.
fn document(bytes: &[u8]) -> &'static str {
    let head = head(bytes);
    if bytes.starts_with(b"PK\x03\x04") {
        return "a ZIP archive";
    }
    if bytes.starts_with(b"\x1f\x8b") {
        return "gzip-compressed data";
    }
    if ["<!doctype html", "<html", "<head", "<body"].iter().any(|tag| head.starts_with(tag)) {
        return "an HTML page";
    }
    if head.starts_with("<?xml") || head.starts_with('<') {
        return "an XML or HTML document";
    }
    let text = head.chars().all(|c| !c.is_control() || c.is_whitespace() || c == '\u{fffd}')
        && head.matches('\u{fffd}').count() * 16 <= head.chars().count();
    match (text, head.starts_with('{') || head.starts_with('[')) {
        (true, true) => "a JSON document",
        (true, false) => "plain text",
        (false, _) => "data of an unknown kind",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_servers_send() {
        for (bytes, expected) in [
            (&b""[..], "empty"),
            (b"\xff\xd8", "JPEG file ends"),
            (b"\0\0\0\x18ftypMA1B\0\0\0\0avifmiaf", "an AVIF image"),
            (b"\0\0\0\x18ftypheic", "HEIC"),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heicmiaf", "HEIC"),
            (b"\0\0\0\x18ftypmp42", "video"),
            (b"\x1a\x45\xdf\xa3\x9f", "WebM"),
            (b"MM\0+\0\x08\0\0", "TIFF"),
            (b"<?xml version='1.0'?>\n<svg xmlns=", "SVG"),
            (b"\xef\xbb\xbf  <SVG width=", "SVG"),
            (b"<!DOCTYPE html><html><body><svg>", "HTML"),
            (b"{\"error\": \"not found\"}", "JSON"),
            (b"BMW makes cars, not pictures", "plain text"),
            (b"\x01\x02\x03\x04\x05", "unknown kind"),
            (b"%PDF-1.7", "PDF"),
        ] {
            let message = sniff(bytes).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn knows_its_formats() {
        assert_eq!(sniff(b"\xff\xd8\xff\xe0"), Ok(Format::Jpeg));
        assert_eq!(sniff(b"RIFF\0\0\0\0WEBPVP8 "), Ok(Format::WebP));
        assert_eq!(sniff(b"GIF89a"), Ok(Format::Gif));
        for avif in [&b"\0\0\0\x14ftypavif\0\0\0\0miaf"[..], b"\0\0\0\x14ftypmif1\0\0\0\0avif"] {
            match cfg!(feature = "avif") {
                true => assert_eq!(sniff(avif), Ok(Format::Avif)),
                false => assert!(sniff(avif).unwrap_err().to_string().contains("AVIF")),
            }
        }
    }
}
