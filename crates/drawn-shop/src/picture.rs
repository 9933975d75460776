//! Pixels.

/// Pixels, row by row, four bytes each: red, green, blue, alpha (not premultiplied), sRGB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// `width * height * 4` bytes.
    pub rgba: Vec<u8>,
}
