//! Where the bytes come from: Pillow hands a file to libjpeg in blocks.
//!
//! libjpeg asks for more when a block is used up, and starts the marker or the unit of blocks that it
//! was reading again. Whether a file that stops early is an image depends on where it asks, so it is done
//! here as there (`jdmarker.c`, `JpegDecode.c`, `ImageFile.load`).

use crate::image::{Format, ImageError};

/// `ImageFile.MAXBLOCK`.
const BLOCK: usize = 65536;

/// Why a step did not come to its end.
#[derive(Debug)]
pub(super) enum Stop {
    /// It needs bytes beyond those that were handed over.
    Suspended,
    /// libjpeg gives up (its `ERREXIT`).
    Failed(ImageError),
}

pub(super) type Step<T> = Result<T, Stop>;

/// What libjpeg says on its way out, for people.
pub(super) fn failed<T>(what: impl ToString) -> Step<T> {
    Err(Stop::Failed(ImageError::corrupt(Format::Jpeg, what)))
}

#[derive(Debug)]
pub(super) struct Source<'a> {
    pub data: &'a [u8],
    /// The next byte. Behind `limit` while a skip is under way.
    pub at: usize,
    /// The end of the blocks handed over.
    pub limit: usize,
    /// A marker that was met and not yet acted on (`unread_marker`).
    pub marker: Option<u8>,
    /// Whether pixels were made up or lost.
    pub damaged: bool,
    /// Whether the next marker ends the data of a scan: what is passed over before it was data.
    pub in_scan: bool,
}

impl<'a> Source<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Source {
            data,
            at: 0,
            limit: BLOCK.min(data.len()),
            marker: None,
            damaged: false,
            in_scan: false,
        }
    }

    /// Hands over another block; where there is none, the file is cut off.
    pub(super) fn grow(&mut self) -> Result<(), ImageError> {
        if self.limit == self.data.len() {
            return Err(ImageError::truncated(Format::Jpeg, "its data stops early"));
        }
        self.limit = (self.limit + BLOCK).min(self.data.len());
        Ok(())
    }

    pub(super) fn available(&self) -> usize {
        self.limit.saturating_sub(self.at)
    }

    pub(super) fn byte(&mut self) -> Step<u8> {
        let byte = self.data[..self.limit].get(self.at).ok_or(Stop::Suspended)?;
        self.at += 1;
        Ok(*byte)
    }

    pub(super) fn u16(&mut self) -> Step<u16> {
        Ok(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }

    /// `next_marker`: whatever lies in between is skipped.
    pub(super) fn next_marker(&mut self) -> Step<u8> {
        loop {
            loop {
                match self.byte()? {
                    0xff => break,
                    // Zeros are padding.
                    byte => self.damaged |= self.in_scan && byte != 0,
                }
            }
            // Where the block ends within a marker, it is read again from its first byte.
            let start = self.at - 1;
            let mut code = 0xff;
            while code == 0xff {
                code = self.byte().inspect_err(|_| self.at = start)?;
            }
            if code != 0 {
                self.marker = Some(code);
                return Ok(code);
            }
        }
    }

    /// `read_restart_marker` and `jpeg_resync_to_restart`: where another marker than the expected one
    /// stands, it is guessed whether one was lost or one too many is there.
    pub(super) fn restart_marker(&mut self, expected: u8) -> Step<()> {
        let mut marker = match self.marker {
            Some(marker) => marker,
            None => self.next_marker()?,
        };
        if marker == 0xd0 + expected {
            self.marker = None;
            return Ok(());
        }
        self.damaged = true;
        loop {
            let ahead = marker.wrapping_sub(0xd0 + expected) & 7;
            match marker {
                // Not a frame's: passed over.
                ..0xc0 => {}
                // Of the frame, or one of the next two restarts: what lies before it is lost.
                ..0xd0 | 0xd8.. => return Ok(()),
                _ if matches!(ahead, 1 | 2) => return Ok(()),
                // One that is over.
                _ if matches!(ahead, 6 | 7) => {}
                _ => {
                    self.marker = None;
                    return Ok(());
                }
            }
            marker = self.next_marker()?;
        }
    }
}
