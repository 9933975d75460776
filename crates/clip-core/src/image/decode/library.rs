//! What the decoders of the crate `image` have in common.

use ::image::{ImageDecoder, ImageError as LibraryError};

use crate::image::{Format, ImageError};

/// All samples. The caller has checked the size.
pub(super) fn samples(format: Format, decoder: impl ImageDecoder) -> Result<Vec<u8>, ImageError> {
    let size = usize::try_from(decoder.total_bytes());
    let size = size.map_err(|_| ImageError::corrupt(format, "impossible size"))?;
    let mut data = vec![0; size];
    decoder.read_image(&mut data).map_err(|e| error(format, e))?;
    Ok(data)
}

pub(super) fn error(format: Format, error: LibraryError) -> ImageError {
    match error {
        LibraryError::IoError(e) => ImageError::io(format, &e),
        other => ImageError::corrupt(format, other),
    }
}
