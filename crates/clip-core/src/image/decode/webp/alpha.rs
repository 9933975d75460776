//! Alpha of lossy pictures (RFC 9649, 2.7.1.2).

use super::{corrupt, lossless};
use crate::image::ImageError;

/// The levels of an `ALPH` chunk.
pub(super) fn decode(chunk: &[u8], width: u32, height: u32) -> Result<Vec<u8>, ImageError> {
    let (header, data) = chunk.split_first().ok_or_else(|| corrupt("empty alpha"))?;
    let (method, filter, processing) = (header & 3, header >> 2 & 3, header >> 4);
    let count = width as usize * height as usize;
    let mut levels = match (method, processing) {
        (0, 0 | 1) => data.get(..count).ok_or_else(|| corrupt("its alpha stops early"))?.to_vec(),
        (1, 0 | 1) => lossless::levels(data, width, height)?,
        _ => return Err(corrupt("an unknown kind of alpha")),
    };
    let width = width as usize;
    for at in 0..if filter == 0 { 0 } else { count } {
        let (x, y) = (at % width, at / width);
        let prediction = match (filter, x, y) {
            (_, 0, 0) => 0,
            (1, 1.., _) | (_, 1.., 0) => levels[at - 1],
            (2, _, _) | (_, 0, _) => levels[at - width],
            _ => {
                let [left, top, corner] = [at - 1, at - width, at - width - 1].map(|i| levels[i]);
                (i16::from(left) + i16::from(top) - i16::from(corner)).clamp(0, 255) as u8
            }
        };
        levels[at] = levels[at].wrapping_add(prediction);
    }
    Ok(levels)
}
