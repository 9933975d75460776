//! The tracks of a `moov` box: of a sequence the first frame is read, and how many there are.

use super::{
    boxes::{Cursor, Part},
    corrupt,
    items::{self, Items},
    properties::{self, Property},
};
use crate::image::ImageError;

/// As libavif: 12 hours at 60 frames a second.
const MOST_FRAMES: u64 = 12 * 3600 * 60;
/// Fields of a sample's description in front of its properties.
const VISUAL_SAMPLE_ENTRY: usize = 78;

#[derive(Debug, Default)]
pub(super) struct Track<'a> {
    pub id: u32,
    pub width: u32,
    pub height: u32,
    pub auxiliary_of: u32,
    pub premultiplied_by: u32,
    /// Exif and XMP.
    pub items: Option<Items<'a>>,
    handler: [u8; 4],
    samples: Option<Samples>,
}

/// Where the frames lie.
#[derive(Debug, Default)]
struct Samples {
    chunks: Vec<u64>,
    /// First chunk (from 1) and how many frames each has, from there.
    frames_per_chunk: Vec<(u32, u32)>,
    /// If all have the same size.
    size: u32,
    sizes: Vec<u32>,
    /// Of the first description in AV1.
    properties: Option<Vec<Property>>,
}

pub(super) fn tracks(body: &[u8]) -> Result<Vec<Track<'_>>, ImageError> {
    let mut tracks = Vec::new();
    for part in Cursor(body).parts() {
        let part = part?;
        if part.kind == *b"trak" {
            tracks.push(Track::read(part.body)?);
        }
    }
    if tracks.is_empty() {
        return Err(corrupt("it has no tracks"));
    }
    Ok(tracks)
}

impl<'a> Track<'a> {
    fn read(body: &'a [u8]) -> Result<Track<'a>, ImageError> {
        let mut track = Track::default();
        let mut header = false;
        for part in Cursor(body).parts() {
            let Part { kind, body, .. } = part?;
            match &kind {
                b"tkhd" if header => return Err(corrupt("a track has two headers")),
                b"tkhd" => {
                    header = true;
                    track.header(Cursor(body))?;
                }
                b"meta" => track.items = Some(Items::read(body)?),
                b"mdia" => track.media(body)?,
                b"tref" => track.references(body)?,
                _ => {}
            }
        }
        if !header {
            return Err(corrupt("a track has no header"));
        }
        let visual = [*b"pict", *b"vide", *b"auxv"].contains(&track.handler);
        if visual && (track.width == 0 || track.height == 0) {
            return Err(corrupt("a track has no size"));
        }
        Ok(track)
    }

    fn header(&mut self, mut body: Cursor<'_>) -> Result<(), ImageError> {
        let times = match body.version()?.0 {
            0 => 4,
            1 => 8,
            _ => return Err(corrupt("a track's header of an unknown version")),
        };
        body.take(2 * times)?;
        self.id = body.u32()?;
        body.take(4 + times + 52)?;
        (self.width, self.height) = (body.u32()? >> 16, body.u32()? >> 16);
        Ok(())
    }

    fn references(&mut self, body: &[u8]) -> Result<(), ImageError> {
        for part in Cursor(body).parts() {
            let part = part?;
            match &part.kind {
                b"auxl" => self.auxiliary_of = Cursor(part.body).u32()?,
                b"prem" => self.premultiplied_by = Cursor(part.body).u32()?,
                _ => {}
            }
        }
        Ok(())
    }

    fn media(&mut self, body: &[u8]) -> Result<(), ImageError> {
        for part in Cursor(body).parts() {
            let part = part?;
            match &part.kind {
                b"hdlr" => self.handler = items::handler(part)?,
                b"minf" => {
                    for part in Cursor(part.body).parts() {
                        let part = part?;
                        if part.kind != *b"stbl" {
                            continue;
                        }
                        if self.samples.replace(Samples::read(part.body)?).is_some() {
                            return Err(corrupt("a track has two tables of frames"));
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Of its frames; `None` if they are not AV1, or there are none.
    pub(super) fn properties(&self) -> Option<impl Iterator<Item = Property> + '_> {
        let samples = self.samples.as_ref().filter(|s| self.id != 0 && !s.chunks.is_empty())?;
        Some(samples.properties.as_ref()?.iter().copied())
    }

    /// The bytes of its first frame, and the number of its frames.
    pub(super) fn first(&self, file: &'a [u8]) -> Result<(&'a [u8], u32), ImageError> {
        let samples = self.samples.as_ref().ok_or_else(|| corrupt("a track has no frames"))?;
        let mut first = None;
        let mut count = 0u64;
        for (chunk, offset) in samples.chunks.iter().enumerate() {
            let mut at = *offset;
            let frames = samples.frames_in(chunk as u64 + 1);
            if frames == 0 || count + u64::from(frames) > MOST_FRAMES {
                return Err(corrupt("its table of frames is impossible"));
            }
            for _ in 0..frames {
                let size = match samples.size {
                    0 => samples.sizes.get(count as usize).copied(),
                    size => Some(size),
                };
                let size = size.ok_or_else(|| corrupt("its table of frames ends early"))?;
                let end = at.checked_add(size.into()).filter(|end| *end <= file.len() as u64);
                let end = end.ok_or_else(|| corrupt("a frame ends behind the file"))?;
                if size == 0 {
                    return Err(corrupt("a frame without data"));
                }
                if first.is_none() {
                    first = file.get(at as usize..end as usize);
                }
                (at, count) = (end, count + 1);
            }
        }
        let first = first.ok_or_else(|| corrupt("a track has no frames"))?;
        Ok((first, count as u32))
    }
}

impl Samples {
    fn read(body: &[u8]) -> Result<Samples, ImageError> {
        let mut samples = Samples::default();
        for part in Cursor(body).parts() {
            let part = part?;
            let mut body = Cursor(part.body);
            match &part.kind {
                b"stco" | b"co64" => {
                    body.only_version(0)?;
                    let bytes = if part.kind == *b"stco" { 4 } else { 8 };
                    for _ in 0..body.u32()? {
                        samples.chunks.push(body.number(bytes)?);
                    }
                }
                b"stsc" => {
                    body.only_version(0)?;
                    for _ in 0..body.u32()? {
                        let (first, frames) = (body.u32()?, body.u32()?);
                        body.u32()?; // which description
                        let before = samples.frames_per_chunk.last().map_or(0, |last| last.0);
                        if first <= before || before == 0 && first != 1 {
                            return Err(corrupt("its chunks are not in their order"));
                        }
                        samples.frames_per_chunk.push((first, frames));
                    }
                }
                b"stsz" => {
                    body.only_version(0)?;
                    samples.size = body.u32()?;
                    let count = body.u32()?;
                    for _ in 0..if samples.size == 0 { count } else { 0 } {
                        samples.sizes.push(body.u32()?);
                    }
                }
                b"stsd" => samples.describe(body)?,
                _ => {}
            }
        }
        Ok(samples)
    }

    fn describe(&mut self, mut body: Cursor<'_>) -> Result<(), ImageError> {
        if body.version()?.0 > 1 {
            return Err(corrupt("a description of frames of an unknown version"));
        }
        for _ in 0..body.u32()? {
            let part = body.part()?.ok_or_else(|| corrupt("a description of frames is missing"))?;
            if part.kind == *b"av01" {
                let fields = part.body.get(VISUAL_SAMPLE_ENTRY..);
                let fields = fields.ok_or_else(|| corrupt("a description of frames is short"))?;
                let properties = properties::read_all(fields, true)?;
                self.properties.get_or_insert(properties);
            }
        }
        Ok(())
    }

    /// In the chunk of this number, from 1.
    fn frames_in(&self, chunk: u64) -> u32 {
        let after = self.frames_per_chunk.partition_point(|(first, _)| u64::from(*first) <= chunk);
        let entry = after.checked_sub(1).and_then(|at| self.frames_per_chunk.get(at));
        entry.map_or(0, |(_, frames)| *frames)
    }
}
