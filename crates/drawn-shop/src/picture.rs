//! Pixels.

/// Pixels, row by row, four bytes each: red, green, blue, alpha (not premultiplied), sRGB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pub rgba: Vec<u8>,
}
