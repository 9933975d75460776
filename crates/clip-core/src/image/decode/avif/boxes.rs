//! Boxes of ISO/IEC 14496-12 (4.2), and a cursor over their bytes.

use super::corrupt;
use crate::image::ImageError;

/// Reads big-endian fields from the front of a box's body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

/// A box without its header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'a> {
    pub kind: [u8; 4],
    pub body: &'a [u8],
    /// As its header says; more than `body` where the file was cut.
    pub length: u64,
}

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], ImageError> {
        let short = || corrupt("a box is too short for its fields");
        let (taken, rest) = self.0.split_at_checked(count).ok_or_else(short)?;
        self.0 = rest;
        Ok(taken)
    }

    /// Of 0 to 8 bytes.
    pub(super) fn number(&mut self, bytes: usize) -> Result<u64, ImageError> {
        Ok(self.take(bytes)?.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    pub(super) fn u8(&mut self) -> Result<u8, ImageError> {
        Ok(self.number(1)? as u8)
    }

    pub(super) fn u16(&mut self) -> Result<u16, ImageError> {
        Ok(self.number(2)? as u16)
    }

    pub(super) fn u32(&mut self) -> Result<u32, ImageError> {
        Ok(self.number(4)? as u32)
    }

    pub(super) fn kind(&mut self) -> Result<[u8; 4], ImageError> {
        Ok(self.u32()?.to_be_bytes())
    }

    /// Version and flags of a full box.
    pub(super) fn version(&mut self) -> Result<(u8, u32), ImageError> {
        Ok((self.u8()?, self.number(3)? as u32))
    }

    /// Version and flags of a full box that has only this version.
    pub(super) fn only_version(&mut self, only: u8) -> Result<u32, ImageError> {
        match self.version()? {
            (version, flags) if version == only => Ok(flags),
            (version, _) => Err(corrupt(format!("a box of the unknown version {version}"))),
        }
    }

    /// A string that ends with a zero.
    pub(super) fn string(&mut self) -> Result<&'a [u8], ImageError> {
        let end = self.0.iter().position(|byte| *byte == 0);
        let end = end.ok_or_else(|| corrupt("a string without an end"))?;
        Ok(self.take(end + 1)?.get(..end).unwrap_or_default())
    }

    /// The next box; `None` at the end.
    pub(super) fn part(&mut self) -> Result<Option<Part<'a>>, ImageError> {
        match self.outer_part()? {
            Some(part) if part.length != part.body.len() as u64 => {
                Err(corrupt("a box ends behind the one that holds it"))
            }
            part => Ok(part),
        }
    }

    /// The next box of the file itself, which may be cut, or of size 0: up to the end of the file.
    pub(super) fn outer_part(&mut self) -> Result<Option<Part<'a>>, ImageError> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let all = self.0.len();
        let size = self.u32()?;
        let kind = self.kind()?;
        let size = if size == 1 { self.number(8)? } else { size.into() };
        if kind == *b"uuid" {
            self.take(16)?;
        }
        let header = (all - self.0.len()) as u64;
        let length = match size {
            0 => self.0.len() as u64,
            _ => {
                size.checked_sub(header).ok_or_else(|| corrupt("a box smaller than its header"))?
            }
        };
        let here = usize::try_from(length).unwrap_or(usize::MAX).min(self.0.len());
        Ok(Some(Part { kind, body: self.take(here)?, length }))
    }

    /// All boxes up to the end.
    pub(super) fn parts(&mut self) -> impl Iterator<Item = Result<Part<'a>, ImageError>> {
        let mut failed = false;
        std::iter::from_fn(move || {
            if failed {
                return None;
            }
            let part = self.part().transpose();
            failed = matches!(part, Some(Err(_)));
            part
        })
    }
}
