//! AV1 data to planes. The bits of AV1 are normative, so any decoder gives the same.

use super::{
    av1::{self, Picture},
    corrupt,
    still::Tile,
};
use crate::image::{ImageError, Limits};

/// How chroma is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    Grey,
    /// Half of both sides.
    Yuv420,
    /// Half the width.
    Yuv422,
    Yuv444,
}

impl Layout {
    pub(super) fn chroma(self, width: usize, height: usize) -> (usize, usize) {
        match self {
            Layout::Grey => (0, 0),
            Layout::Yuv420 => (width.div_ceil(2), height.div_ceil(2)),
            Layout::Yuv422 => (width.div_ceil(2), height),
            Layout::Yuv444 => (width, height),
        }
    }
}

/// Samples of one channel, rows without padding.
#[derive(Debug, Default)]
pub(super) struct Plane {
    pub width: usize,
    samples: Samples,
}

#[derive(Debug)]
enum Samples {
    Narrow(Vec<u8>),
    /// 10 or 12 bits.
    Wide(Vec<u16>),
}

impl Default for Samples {
    fn default() -> Self {
        Samples::Narrow(Vec::new())
    }
}

impl Plane {
    pub(super) fn new(width: usize, height: usize, depth: u8) -> Plane {
        let samples = match depth {
            8 => Samples::Narrow(vec![0; width * height]),
            _ => Samples::Wide(vec![0; width * height]),
        };
        Plane { width, samples }
    }

    /// A row, without its lowest `shift` bits.
    pub(super) fn row(&self, y: usize, shift: u8, out: &mut Vec<u16>) {
        let range = y * self.width..(y + 1) * self.width;
        out.clear();
        match &self.samples {
            Samples::Narrow(data) => {
                out.extend(data.get(range).unwrap_or_default().iter().map(|v| u16::from(*v)));
            }
            Samples::Wide(data) => {
                out.extend(data.get(range).unwrap_or_default().iter().map(|v| v >> shift));
            }
        }
        out.resize(self.width, 0);
    }

    /// Changes every sample.
    pub(super) fn map(&mut self, change: impl Fn(u16) -> u16) {
        match &mut self.samples {
            Samples::Narrow(data) => data.iter_mut().for_each(|v| *v = change((*v).into()) as u8),
            Samples::Wide(data) => data.iter_mut().for_each(|v| *v = change(*v)),
        }
    }

    /// Puts `other` at a place; what goes beyond the edges is dropped.
    fn put(&mut self, other: &[u8], stride: usize, size: (usize, usize), at: (usize, usize)) {
        let (left, top) = at;
        let width = size.0.min(self.width.saturating_sub(left));
        let rows = other.chunks(stride.max(1)).take(size.1);
        match &mut self.samples {
            Samples::Narrow(data) => {
                let places = data.chunks_exact_mut(self.width.max(1)).skip(top);
                for (to, from) in places.zip(rows) {
                    let to = to.get_mut(left..left + width);
                    if let (Some(to), Some(from)) = (to, from.get(..width)) {
                        to.copy_from_slice(from);
                    }
                }
            }
            Samples::Wide(data) => {
                let places = data.chunks_exact_mut(self.width.max(1)).skip(top);
                for (to, from) in places.zip(rows) {
                    let to = to.get_mut(left..left + width).unwrap_or_default();
                    for (to, from) in to.iter_mut().zip(from.chunks_exact(2)) {
                        *to = u16::from_ne_bytes([from[0], from[1]]);
                    }
                }
            }
        }
    }
}

/// A decoded frame.
#[derive(Debug)]
pub(super) struct Frame {
    picture: Picture,
    pub width: usize,
    pub height: usize,
    pub depth: u8,
    pub layout: Layout,
}

impl Frame {
    /// The first frame of the data.
    pub(super) fn decode(tile: &Tile<'_>, limits: &Limits) -> Result<Frame, ImageError> {
        let most = u32::try_from(limits.max_pixels).unwrap_or(u32::MAX);
        let picture = av1::first_frame(&tile.data, tile.operating_point, most)
            .map_err(|e| corrupt(format!("its AV1 data cannot be decoded ({e})")))?;
        let (width, height) = picture.size();
        let (depth, layout) = (picture.depth(), picture.layout());
        Ok(Frame { picture, width, height, depth, layout })
    }

    /// Puts luma, and chroma if there is a place for it, where the frame belongs.
    pub(super) fn put(&self, planes: &mut [Plane], left: usize, top: usize) {
        for (channel, plane) in planes.iter_mut().enumerate() {
            let (size, at) = match channel {
                0 => ((self.width, self.height), (left, top)),
                _ => (self.layout.chroma(self.width, self.height), self.layout.chroma(left, top)),
            };
            let (data, stride) = self.picture.plane(channel);
            plane.put(data, stride, size, at);
        }
    }
}
