//! A TIFF file as the `tiff` crate is asked to read it.

use flate2::{Decompress, FlushDecompress, Status};

use super::{
    FORMAT,
    directory::{Directory, MOST_VALUES},
};
use crate::image::ImageError;

const SHORT: u16 = 3;
const LONG: u16 = 4;

/// Deflate, by both of its numbers.
const DEFLATE: [u32; 2] = [8, 32946];
const LZW: u32 = 5;
const PLAIN: u32 = 1;

impl Directory {
    /// The file with another directory: only what its bits need, all samples levels of grey, bits in the
    /// usual order, and Deflate undone. The crate refuses tags that do not matter here, and streams that go on
    /// behind the pixels to a wrong checksum, which libtiff does not reach.
    pub(super) fn rewritten(&self, bytes: &[u8]) -> Result<Vec<u8>, ImageError> {
        let mut file = bytes.to_vec();
        let (mut offsets, mut lengths) = (self.offsets.clone(), self.lengths.clone());
        let (across, down) = self.chunks()?;
        let samples = self.samples.unwrap_or(1).max(1) as usize;
        let needed = across * down * if self.planar { samples } else { 1 };
        if needed > MOST_VALUES {
            return Err(ImageError::unsupported(format!("a TIFF image of {needed} strips")));
        }
        offsets.truncate(needed);
        lengths.truncate(needed);
        if self.compression == PLAIN {
            // Pillow believes no length, and leaves black what has no place.
            let known = (0..needed).map(|n| number(self.chunk_bytes(n)?));
            lengths = known.collect::<Result<_, _>>()?;
        }
        for (at, length) in offsets.iter().zip(&lengths) {
            let (at, length) = (*at as usize, *length as usize);
            let chunk = file.get_mut(at..at.saturating_add(length));
            let chunk =
                chunk.ok_or_else(|| ImageError::truncated(FORMAT, "its pixels stop early"))?;
            if self.reversed {
                chunk.iter_mut().for_each(|byte| *byte = byte.reverse_bits());
            }
        }
        if self.compression == PLAIN && offsets.len() < needed {
            offsets.resize(needed, number(file.len())?);
            file.resize(file.len() + self.chunk_bytes(0)?, 0);
        }
        let deflated = DEFLATE.contains(&self.compression);
        if deflated {
            for (n, (at, length)) in offsets.iter_mut().zip(&mut lengths).enumerate() {
                let start = *at as usize;
                let data = file.get(start..start.saturating_add(*length as usize));
                let plain = inflated(data.unwrap_or_default(), self.chunk_bytes(n)?)?;
                (*at, *length) = (number(file.len())?, number(plain.len())?);
                file.extend(plain);
            }
        }
        let same = |value: Option<&u32>| vec![value.copied().unwrap_or(1); samples];
        let compression = if deflated { PLAIN } else { self.compression };
        let predicted = deflated || self.compression == LZW;
        let mut tags = vec![
            (256, LONG, vec![self.width]),
            (257, LONG, vec![self.height]),
            (258, SHORT, vec![self.bits(); samples]),
            (259, SHORT, vec![compression]),
            (262, SHORT, vec![1]),
            (277, SHORT, vec![number(samples)?]),
            (284, SHORT, vec![1 + u32::from(self.planar)]),
            (317, SHORT, vec![if predicted { self.predictor } else { 1 }]),
            (339, SHORT, same(self.sample_format.first())),
        ];
        if self.tiled {
            tags.extend([(322, LONG, vec![self.chunk.0]), (323, LONG, vec![self.chunk.1])]);
            tags.extend([(324, LONG, offsets), (325, LONG, lengths)]);
        } else {
            tags.extend([(273, LONG, offsets), (278, LONG, vec![self.chunk.1])]);
            tags.push((279, LONG, lengths));
        }
        tags.sort_by_key(|tag| tag.0);
        self.put_directory(file, &tags)
    }

    /// How many bytes a strip or a tile has.
    fn chunk_bytes(&self, n: usize) -> Result<usize, ImageError> {
        let samples = if self.planar { 1 } else { self.samples.unwrap_or(1).max(1) as usize };
        let row = (self.chunk.0 as usize * self.bits() as usize * samples).div_ceil(8);
        let (across, down) = self.chunks()?;
        let top = n / across % down * self.chunk.1 as usize;
        let rows = match self.tiled {
            true => self.chunk.1 as usize,
            false => (self.chunk.1 as usize).min(self.height as usize - top),
        };
        Ok(row * rows)
    }

    /// Appends a directory, to which the first bytes then lead.
    fn put_directory(
        &self,
        mut file: Vec<u8>,
        tags: &[(u16, u16, Vec<u32>)],
    ) -> Result<Vec<u8>, ImageError> {
        let put = |file: &mut Vec<u8>, value: u32, size: usize| match self.big_endian {
            true => file.extend(&value.to_be_bytes()[4 - size..]),
            false => file.extend(&value.to_le_bytes()[..size]),
        };
        file.resize(file.len().next_multiple_of(2), 0);
        let mut places = Vec::new();
        for (_, kind, values) in tags {
            places.push(number(file.len())?);
            values.iter().for_each(|value| put(&mut file, *value, size(*kind)));
            file.resize(file.len().next_multiple_of(2), 0);
        }
        let start = number(file.len())?;
        put(&mut file, number(tags.len())?, 2);
        for ((tag, kind, values), place) in tags.iter().zip(places) {
            put(&mut file, (*tag).into(), 2);
            put(&mut file, (*kind).into(), 2);
            put(&mut file, number(values.len())?, 4);
            let mut field = Vec::new();
            if values.len() * size(*kind) <= 4 {
                values.iter().for_each(|value| put(&mut field, *value, size(*kind)));
                field.resize(4, 0);
            } else {
                put(&mut field, place, 4);
            }
            file.extend(field);
        }
        put(&mut file, 0, 4);
        let mut head = if self.big_endian { b"MM\0*".to_vec() } else { b"II*\0".to_vec() };
        put(&mut head, start, 4);
        file[..8].copy_from_slice(&head);
        Ok(file)
    }
}

fn size(kind: u16) -> usize {
    if kind == SHORT { 2 } else { 4 }
}

fn number(value: usize) -> Result<u32, ImageError> {
    u32::try_from(value).map_err(|_| ImageError::unsupported("a TIFF image of more than 4 GiB"))
}

/// `size` bytes, or an error. The checksum counts where the stream ends with them.
fn inflated(data: &[u8], size: usize) -> Result<Vec<u8>, ImageError> {
    let mut out = Vec::with_capacity(size + 1);
    let mut stream = Decompress::new(true);
    loop {
        let before = (stream.total_in(), stream.total_out());
        let rest = data.get(stream.total_in() as usize..).unwrap_or_default();
        let status = stream.decompress_vec(rest, &mut out, FlushDecompress::None);
        let stuck = (stream.total_in(), stream.total_out()) == before;
        let ended = stuck || matches!(status, Ok(Status::StreamEnd));
        if out.len() > size || ended && status.is_ok() && out.len() == size {
            out.truncate(size);
            return Ok(out);
        }
        match status {
            Err(_) => return Err(ImageError::corrupt(FORMAT, "pixels that cannot be inflated")),
            _ if ended => return Err(ImageError::truncated(FORMAT, "its pixels stop early")),
            _ => {}
        }
    }
}
