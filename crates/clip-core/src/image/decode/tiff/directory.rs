//! The tags of a TIFF file's first page (TIFF 6.0, section 2; BigTIFF).

use std::cell::Cell;

use super::FORMAT;
use crate::image::ImageError;

/// Compression 7: JPEG as TIFF's Technical Note 2 has it.
pub(super) const JPEG: u32 = 7;

/// Values of all tags, at most: strips of a large image. Tags may repeat, and share their values.
pub(super) const MOST_VALUES: usize = 1 << 20;

/// Tags whose values are whole numbers, without which Pillow does not open a file.
const NUMBERS: [u64; 7] = [256, 257, 258, 259, 262, 277, 278];

/// What is needed of the first page.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) big_endian: bool,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) compression: u32,
    pub(super) photometric: u32,
    pub(super) orientation: u8,
    pub(super) planar: bool,
    pub(super) bits_per_sample: Vec<u32>,
    pub(super) samples: Option<u32>,
    pub(super) extra: Vec<u32>,
    pub(super) sample_format: Vec<u32>,
    pub(super) color_map: Vec<u32>,
    /// Strips or tiles: where, how long, how wide, how high.
    pub(super) offsets: Vec<u32>,
    pub(super) lengths: Vec<u32>,
    pub(super) chunk: (u32, u32),
    /// Where the tables of JPEG are.
    pub(super) jpeg_tables: Option<(usize, usize)>,
    /// Bits of each byte from the right.
    pub(super) reversed: bool,
    pub(super) predictor: u32,
    pub(super) tiled: bool,
}

struct Reader<'a> {
    bytes: &'a [u8],
    big_endian: bool,
}

impl Reader<'_> {
    fn number(&self, at: usize, size: usize) -> Result<u64, ImageError> {
        let end = at.checked_add(size);
        let bytes = end.and_then(|end| self.bytes.get(at..end)).ok_or_else(truncated)?;
        let add = |n: u64, byte: &u8| n << 8 | u64::from(*byte);
        Ok(match self.big_endian {
            true => bytes.iter().fold(0, add),
            false => bytes.iter().rev().fold(0, add),
        })
    }

    fn place(&self, at: usize, size: usize) -> Result<usize, ImageError> {
        usize::try_from(self.number(at, size)?).map_err(|_| truncated())
    }
}

fn truncated() -> ImageError {
    ImageError::truncated(FORMAT, "a tag lies beyond its end")
}

impl Directory {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, ImageError> {
        let big_endian = bytes.starts_with(b"MM");
        let reader = Reader { bytes, big_endian };
        // BigTIFF has numbers of 8 bytes where TIFF has 4.
        let big = reader.number(2, 2)? == 43;
        let (wide, count_size, entry) = if big { (8, 8, 20) } else { (4, 2, 12) };
        let start = reader.place(if big { 8 } else { 4 }, wide)?;
        let mut found = Directory {
            big_endian,
            compression: 1,
            orientation: 1,
            predictor: 1,
            bits_per_sample: vec![1],
            sample_format: vec![1],
            ..Directory::default()
        };
        let (mut rows, mut tile) = (None, (None, None));
        let left = Cell::new(MOST_VALUES);
        for n in 0..reader.place(start, count_size)? {
            let at = n.checked_mul(entry).and_then(|n| n.checked_add(start + count_size));
            let at = at.ok_or_else(truncated)?;
            let (tag, kind) = (reader.number(at, 2)?, reader.number(at + 2, 2)?);
            let count = reader.place(at + 4, wide)?;
            let size = match kind {
                1 | 2 | 6 | 7 => 1,
                3 | 8 => 2,
                4 | 9 | 13 => 4,
                16..=18 => 8,
                5 | 10..=12 if NUMBERS.contains(&tag) => {
                    return Err(ImageError::corrupt(
                        FORMAT,
                        format!("tag {tag} is no whole number"),
                    ));
                }
                _ => continue,
            };
            let field = at + 4 + wide;
            let inline = count.checked_mul(size).is_some_and(|bytes| bytes <= wide);
            let place = if inline { field } else { reader.place(field, wide)? };
            let values = || -> Result<Vec<u32>, ImageError> {
                let rest = left.get().checked_sub(count).ok_or_else(|| {
                    ImageError::corrupt(FORMAT, format!("more than {MOST_VALUES} values of tags"))
                })?;
                left.set(rest);
                let value = |i| {
                    let value = reader.number(place.saturating_add(i * size), size)?;
                    u32::try_from(value).map_err(|_| truncated())
                };
                (0..count).map(value).collect()
            };
            let one = || match count {
                0 => Ok(0),
                _ => u32::try_from(reader.number(place, size)?).map_err(|_| truncated()),
            };
            match tag {
                256 => found.width = one()?,
                257 => found.height = one()?,
                258 => found.bits_per_sample = values()?,
                259 => found.compression = one()?,
                262 => found.photometric = one()?,
                266 => found.reversed = one()? == 2,
                273 => found.offsets = values()?,
                324 => (found.offsets, found.tiled) = (values()?, true),
                274 => found.orientation = u8::try_from(one()?).unwrap_or(1),
                277 => found.samples = Some(one()?),
                278 => rows = Some(one()?),
                279 | 325 => found.lengths = values()?,
                284 => found.planar = one()? == 2,
                317 => found.predictor = one()?,
                320 => found.color_map = values()?,
                322 => tile.0 = Some(one()?),
                323 => tile.1 = Some(one()?),
                338 => found.extra = values()?,
                339 => found.sample_format = values()?,
                347 => found.jpeg_tables = Some((place, count)),
                _ => {}
            }
        }
        if found.offsets.is_empty() {
            return Err(ImageError::corrupt(FORMAT, "it does not say where its pixels are"));
        }
        found.chunk = match tile {
            (Some(width), Some(height)) if found.tiled => (width, height),
            _ if found.tiled => return Err(ImageError::corrupt(FORMAT, "tiles without a size")),
            _ => (found.width, rows.unwrap_or(found.height).min(found.height)),
        };
        Ok(found)
    }

    /// How many strips or tiles lie beside and below each other.
    pub(super) fn chunks(&self) -> Result<(usize, usize), ImageError> {
        match self.chunk {
            (0, _) | (_, 0) => Err(ImageError::corrupt(FORMAT, "empty strips")),
            (width, height) => {
                Ok((self.width.div_ceil(width) as usize, self.height.div_ceil(height) as usize))
            }
        }
    }

    /// Left and top pixel of one.
    pub(super) fn place(&self, across: usize, down: usize) -> (usize, usize) {
        (across * self.chunk.0 as usize, down * self.chunk.1 as usize)
    }

    /// Bits of the first sample.
    pub(super) fn bits(&self) -> u32 {
        self.bits_per_sample.first().copied().unwrap_or(1)
    }
}
