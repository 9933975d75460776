//! Upper bounds, checked against the file's header before memory of that size is asked for.

use super::ImageError;

/// Refused before anything is allocated.
///
/// There is no limit on frames because only the first frame is ever decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Size of the file, bytes.
    pub max_bytes: usize,
    /// Width × height, pixels; of the source and of the resized image before the crop.
    pub max_pixels: u64,
}

impl Default for Limits {
    /// 64 MiB and 100 megapixels (a decoded image takes 3 to 8 bytes a pixel).
    fn default() -> Self {
        Limits { max_bytes: 64 << 20, max_pixels: 100_000_000 }
    }
}

impl Limits {
    pub(crate) fn check_bytes(&self, bytes: usize) -> Result<(), ImageError> {
        if bytes <= self.max_bytes {
            return Ok(());
        }
        Err(ImageError::TooLarge {
            what: "the file",
            actual: format!("{bytes} bytes"),
            limit: format!("{} bytes", self.max_bytes),
            option: "max_bytes",
        })
    }

    /// The source's declared size.
    pub(crate) fn check_size(&self, width: u64, height: u64) -> Result<(), ImageError> {
        self.check_pixels("the image", width, height)
    }

    /// The resized image: a strip 1 pixel wide would become gigabytes in Pillow.
    pub(crate) fn check_resized(&self, width: u64, height: u64) -> Result<(), ImageError> {
        self.check_pixels("the image is too narrow: resized for the model it", width, height)
    }

    fn check_pixels(&self, what: &'static str, w: u64, h: u64) -> Result<(), ImageError> {
        // On 32-bit targets an image of 8 bytes a pixel must also fit the address space.
        let most = self.max_pixels.min(isize::MAX as u64 / 8);
        match w.checked_mul(h) {
            Some(pixels) if pixels <= most => Ok(()),
            _ => Err(ImageError::TooLarge {
                what,
                actual: format!("{w}x{h} pixels"),
                limit: format!("{most} pixels"),
                option: "max_pixels",
            }),
        }
    }
}
