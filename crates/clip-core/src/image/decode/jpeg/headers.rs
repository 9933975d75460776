//! Segments before, between and after the scans (`jdmarker.c`).

use super::{
    huffman::Spec,
    source::{Source, Step, Stop, failed},
};
use crate::image::ImageError;

/// Positions in rows of the coefficients in the file's order. Damaged data may count beyond the last one.
pub(super) const NATURAL: [u8; 80] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63, 63,
    63, 63, 63, 63, 63, 63,
];

/// One component as the frame and the latest scan describe it.
#[derive(Debug, Clone)]
pub(super) struct Component {
    id: u8,
    /// Sampling factors.
    pub h: usize,
    pub v: usize,
    pub quantizer: u8,
    pub dc_table: u8,
    pub ac_table: u8,
}

#[derive(Debug)]
pub(super) struct Frame {
    pub progressive: bool,
    pub width: usize,
    pub height: usize,
    pub components: Vec<Component>,
}

impl Frame {
    /// The components' names.
    pub(super) fn ids(&self) -> impl Iterator<Item = u8> {
        self.components.iter().map(|c| c.id)
    }
}

/// What a scan says of itself.
#[derive(Debug, Clone, Default)]
pub(super) struct ScanHeader {
    /// By their place in the frame.
    pub components: Vec<usize>,
    /// The first and the last coefficient.
    pub first: u8,
    pub last: u8,
    /// Successive approximation: bits known before and left out.
    pub high: u8,
    pub low: u8,
}

/// Where reading of segments ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reached {
    Scan,
    End,
}

#[derive(Debug, Default)]
pub(super) struct Headers {
    saw_start: bool,
    pub frame: Option<Frame>,
    pub scan: ScanHeader,
    /// Scans begun.
    pub scans: usize,
    pub quantizers: [Option<[u16; 64]>; 4],
    pub dc: [Option<Spec>; 4],
    pub ac: [Option<Spec>; 4],
    pub restart_interval: u16,
    pub jfif: bool,
    /// The transform that Adobe's marker names.
    pub adobe: Option<u8>,
}

impl Headers {
    /// Up to the next scan or the end of the image.
    pub(super) fn read(&mut self, source: &mut Source<'_>) -> Step<Reached> {
        loop {
            let marker = match source.marker {
                Some(marker) => marker,
                None if self.saw_start => source.next_marker()?,
                None => match (source.byte()?, source.byte()?) {
                    (0xff, 0xd8) => 0xd8,
                    _ => return failed("no start of image"),
                },
            };
            source.marker = Some(marker);
            source.in_scan = false;
            let at = source.at;
            // What is cut off here is read again with more bytes.
            let segment = self.segment(source, marker).inspect_err(|_| source.at = at);
            segment?;
            source.marker = None;
            match marker {
                0xda => return Ok(Reached::Scan),
                0xd9 => return Ok(Reached::End),
                _ => {}
            }
        }
    }

    /// After an image without a frame (only tables): another one has to begin.
    pub(super) fn restart(&mut self) {
        self.saw_start = false;
    }

    fn segment(&mut self, source: &mut Source<'_>, marker: u8) -> Step<()> {
        match marker {
            0xd8 if self.saw_start => failed("a second start of image"),
            0xd8 => {
                self.saw_start = true;
                self.restart_interval = 0;
                (self.jfif, self.adobe) = (false, None);
                Ok(())
            }
            0xc0..=0xc2 => self.start_of_frame(source, marker == 0xc2),
            0xc9..=0xcb => unsupported("an arithmetic-coded JPEG"),
            0xc3 => unsupported("a lossless JPEG"),
            0xc5..=0xc7 | 0xcd..=0xcf => unsupported("a hierarchical JPEG"),
            0xc4 => self.huffman_tables(source),
            0xdb => self.quantization_tables(source),
            0xdd => match source.u16()? {
                4 => {
                    self.restart_interval = source.u16()?;
                    Ok(())
                }
                _ => failed("a restart interval of another length"),
            },
            0xda => self.start_of_scan(source),
            0xe0 | 0xee => self.application(source, marker),
            // Arithmetic conditioning, other applications, comments, number of lines.
            0xcc | 0xe1..=0xef | 0xfe | 0xdc => {
                let length = usize::from(source.u16()?).saturating_sub(2);
                source.at += length;
                Ok(())
            }
            // Without a length: restarts out of place, TEM, the end.
            0xd0..=0xd7 | 0x01 | 0xd9 => Ok(()),
            _ => failed(format!("unknown marker {marker:#04x}")),
        }
    }

    fn application(&mut self, source: &mut Source<'_>, marker: u8) -> Step<()> {
        let length = usize::from(source.u16()?).saturating_sub(2);
        let mut start = Vec::new();
        for _ in 0..length.min(14) {
            start.push(source.byte()?);
        }
        source.at += length - start.len();
        if marker == 0xe0 && start.len() == 14 && start.starts_with(b"JFIF\0") {
            self.jfif = true;
        }
        if marker == 0xee && start.len() >= 12 && start.starts_with(b"Adobe") {
            self.adobe = Some(start[11]);
        }
        Ok(())
    }

    fn start_of_frame(&mut self, source: &mut Source<'_>, progressive: bool) -> Step<()> {
        if self.frame.is_some() {
            return failed("a second frame");
        }
        let length = usize::from(source.u16()?);
        let precision = source.byte()?;
        let (height, width) = (usize::from(source.u16()?), usize::from(source.u16()?));
        let count = usize::from(source.byte()?);
        if height == 0 || width == 0 || count == 0 || length != 8 + 3 * count {
            return failed("an impossible frame");
        }
        if precision != 8 {
            return unsupported(format!("a JPEG of {precision} bits per sample"));
        }
        let mut components = Vec::with_capacity(count);
        for _ in 0..count {
            let (id, factors, quantizer) = (source.byte()?, source.byte()?, source.byte()?);
            let (h, v) = (usize::from(factors >> 4), usize::from(factors & 15));
            components.push(Component { id, h, v, quantizer, dc_table: 0, ac_table: 0 });
        }
        self.frame = Some(Frame { progressive, width, height, components });
        Ok(())
    }

    fn start_of_scan(&mut self, source: &mut Source<'_>) -> Step<()> {
        let Some(frame) = &mut self.frame else { return failed("a scan before its frame") };
        let length = usize::from(source.u16()?);
        let count = usize::from(source.byte()?);
        if !(1..=4).contains(&count) || length != 2 * count + 6 {
            return failed("an impossible scan");
        }
        let mut scan = ScanHeader::default();
        for _ in 0..count {
            let (id, tables) = (source.byte()?, source.byte()?);
            // libjpeg takes them only in the order of the frame: a component whose place is behind that
            // of the scan's list is not found.
            let found = frame
                .components
                .iter_mut()
                .take(4)
                .enumerate()
                .find(|(at, c)| c.id == id && *at >= scan.components.len());
            match found {
                Some((at, component)) if !scan.components.contains(&at) => {
                    component.dc_table = tables >> 4;
                    component.ac_table = tables & 15;
                    scan.components.push(at);
                }
                _ => return failed(format!("a scan of a component {id} that is not there")),
            }
        }
        (scan.first, scan.last) = (source.byte()?, source.byte()?);
        let approximation = source.byte()?;
        (scan.high, scan.low) = (approximation >> 4, approximation & 15);
        self.scan = scan;
        self.scans += 1;
        Ok(())
    }

    fn huffman_tables(&mut self, source: &mut Source<'_>) -> Step<()> {
        let mut length = usize::from(source.u16()?).saturating_sub(2);
        while length > 16 {
            let class = source.byte()?;
            let mut counts = [0; 16];
            for count in &mut counts {
                *count = source.byte()?;
            }
            let total = counts.iter().map(|n| usize::from(*n)).sum();
            if total > 256 || total > length - 17 {
                return failed("an impossible Huffman table");
            }
            let mut symbols = Vec::with_capacity(total);
            for _ in 0..total {
                symbols.push(source.byte()?);
            }
            length -= 17 + total;
            let (tables, index) = match class & 0x10 {
                0 => (&mut self.dc, class),
                _ => (&mut self.ac, class - 0x10),
            };
            match tables.get_mut(usize::from(index)) {
                Some(table) => *table = Some(Spec::new(&counts, &symbols)),
                None => return failed("an impossible Huffman table"),
            }
        }
        if length > 0 { failed("Huffman tables of another length") } else { Ok(()) }
    }

    fn quantization_tables(&mut self, source: &mut Source<'_>) -> Step<()> {
        let mut length = i32::from(source.u16()?) - 2;
        while length > 0 {
            let head = source.byte()?;
            let Some(table) = self.quantizers.get_mut(usize::from(head & 15)) else {
                return failed("an impossible quantization table");
            };
            let table = table.get_or_insert([0; 64]);
            for at in &NATURAL[..64] {
                let wide = head > 15;
                let value = if wide { source.u16()? } else { u16::from(source.byte()?) };
                table[usize::from(*at)] = value;
            }
            length -= if head > 15 { 129 } else { 65 };
        }
        if length < 0 { failed("quantization tables of another length") } else { Ok(()) }
    }
}

fn unsupported<T>(what: impl ToString) -> Step<T> {
    Err(Stop::Failed(ImageError::unsupported(what)))
}
