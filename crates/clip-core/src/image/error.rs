//! What can be wrong with an image file, in words for people.

use super::Format;

/// The image could not be turned into pixels.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// Zero bytes.
    #[error("the file is empty (0 bytes): download or export it again")]
    Empty,
    /// A [`Limits`](super::Limits) would be exceeded; nothing of that size was allocated.
    #[error("{what} is {actual}, over the limit of {limit}; to allow it raise `{option}`")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large, with its unit.
        actual: String,
        /// The limit, with its unit.
        limit: String,
        /// The field of [`Limits`](super::Limits).
        option: &'static str,
    },
    /// The file stops before the image is complete.
    #[error("the {format} file ends before the image is complete ({detail}): fetch it again")]
    Truncated {
        /// Of the file.
        format: Format,
        /// What the decoder says.
        detail: String,
    },
    /// The file breaks the rules of its format.
    #[error("the {format} file is damaged ({detail}): fetch or export it again")]
    Corrupt {
        /// Of the file.
        format: Format,
        /// What the decoder says.
        detail: String,
    },
    /// An image (or film, or document) of a kind that the Python pipeline or this crate does
    /// not read.
    #[error("{found} is not supported: convert it to JPEG, PNG or WebP")]
    Unsupported {
        /// The kind.
        found: String,
    },
    /// Not an image at all.
    #[error(
        "this is {found}, not an image: JPEG, PNG, WebP, GIF{AVIF}{TIFF}{OTHERS} and BMP can be read"
    )]
    NotAnImage {
        /// What it looks like.
        found: &'static str,
    },
}

const AVIF: &str = if cfg!(feature = "avif") { ", AVIF" } else { "" };
const TIFF: &str = if cfg!(feature = "tiff") { ", TIFF" } else { "" };
const OTHERS: &str = if cfg!(feature = "image") { ", ICO, TGA, PNM, QOI" } else { "" };

impl ImageError {
    /// A short stable name for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            ImageError::Empty => "image.empty",
            ImageError::TooLarge { .. } => "image.too_large",
            ImageError::Truncated { .. } => "image.truncated",
            ImageError::Corrupt { .. } => "image.corrupt",
            ImageError::Unsupported { .. } => "image.unsupported",
            ImageError::NotAnImage { .. } => "image.not_an_image",
        }
    }

    pub(crate) fn truncated(format: Format, detail: impl ToString) -> Self {
        ImageError::Truncated { format, detail: detail.to_string() }
    }

    pub(crate) fn corrupt(format: Format, detail: impl ToString) -> Self {
        ImageError::Corrupt { format, detail: detail.to_string() }
    }

    pub(crate) fn unsupported(found: impl ToString) -> Self {
        ImageError::Unsupported { found: found.to_string() }
    }

    /// An I/O error of a decoder that reads from memory: only the end can be missing.
    pub(crate) fn io(format: Format, error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::UnexpectedEof => ImageError::truncated(format, error),
            _ => ImageError::corrupt(format, error),
        }
    }
}
