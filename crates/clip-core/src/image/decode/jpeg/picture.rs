//! The picture while its scans come in, and its samples when they are all there (`jdcoefct.c`).

use clip_kernels::{Integers, vectorized};

use super::{
    headers::Headers,
    idct,
    smooth::{self, Rows},
    source::{Step, failed},
    upsample::Painter,
};

const GREY: u8 = 128;

/// A component's place in the image, and its data.
#[derive(Debug)]
pub(super) struct Channel {
    pub h: usize,
    pub v: usize,
    /// Blocks that hold samples of the image.
    pub columns: usize,
    pub rows: usize,
    /// Blocks in a row of the arrays below, which hold whole units.
    pub stride: usize,
    /// As it was when the component's first scan began.
    pub quantizers: Option<[u16; 64]>,
    /// Blocks in rows; empty if one pass is enough.
    pub coefficients: Vec<[i16; 64]>,
    /// Progressive: which coefficients of each block are not 0, by their place in the file.
    pub nonzero: Vec<u64>,
    /// Of two rows of units, which take turns; `8 * stride` in a row, grey until they are known.
    samples: Vec<u8>,
    /// Progressive: the lowest bit known of each coefficient (-1: none), and before the latest scan.
    pub known: [i32; 64],
    pub known_before: [i32; 64],
}

/// The picture while it is read.
#[derive(Debug)]
pub(super) struct Picture {
    pub progressive: bool,
    pub channels: Vec<Channel>,
    /// Units of all components, across and down.
    pub units: (usize, usize),
    /// Whether one scan holds all, so that coefficients need not be kept.
    pub one_pass: bool,
    /// The last row of units of the latest scan whose data had not run out.
    pub last_good_row: usize,
}

impl Picture {
    /// For the frame and its first scan.
    pub(super) fn new(headers: &Headers) -> Step<Picture> {
        let Some(frame) = &headers.frame else { return failed("a scan before its frame") };
        let factors = || frame.components.iter().map(|c| (c.h, c.v));
        if factors().any(|(h, v)| !(1..=4).contains(&h) || !(1..=4).contains(&v)) {
            return failed("impossible sampling factors");
        }
        let h_max = factors().map(|f| f.0).max().unwrap_or(1);
        let v_max = factors().map(|f| f.1).max().unwrap_or(1);
        let units = (frame.width.div_ceil(8 * h_max), frame.height.div_ceil(8 * v_max));
        let count = frame.components.len();
        let one_pass = !frame.progressive && headers.scan.components.len() == count;
        let channels = factors().map(|(h, v)| {
            let stride = units.0 * h;
            let blocks = stride * units.1 * v;
            Channel {
                h,
                v,
                columns: (frame.width * h).div_ceil(8 * h_max),
                rows: (frame.height * v).div_ceil(8 * v_max),
                stride,
                quantizers: None,
                coefficients: vec![[0; 64]; if one_pass { 0 } else { blocks }],
                nonzero: vec![0; if frame.progressive { blocks } else { 0 }],
                samples: vec![GREY; 64 * stride * 2 * v],
                known: [-1; 64],
                known_before: [0; 64],
            }
        });
        let channels = channels.collect();
        Ok(Picture { progressive: frame.progressive, channels, units, one_pass, last_good_row: 0 })
    }

    /// Paints an image whose coefficients are all there.
    pub(super) fn paint(&mut self, scans: usize, painter: &mut Painter) {
        vectorized(Transform { picture: self, scans, painter });
    }
}

impl Channel {
    /// As the transform multiplies with them; zeros for a component of which nothing was said.
    pub(super) fn steps(&self) -> [i16; 64] {
        self.quantizers.unwrap_or([0; 64]).map(|v| v as i16)
    }

    /// Forgets a row of units, for the one after the next.
    pub(super) fn clear(&mut self, unit_row: usize) {
        let half = self.samples.len() / 2;
        self.samples[unit_row % 2 * half..][..half].fill(GREY);
    }

    /// Samples of the block in `column` and `row`.
    #[inline(always)]
    pub(super) fn transform(
        &mut self,
        (column, row): (usize, usize),
        coefficients: &[i16; 64],
        steps: &[i16; 64],
    ) {
        let stride = 8 * self.stride;
        let at = row % (2 * self.v) * 8 * stride + 8 * column;
        idct::idct(coefficients, steps, &mut self.samples[at..], stride);
    }

    /// Row `y` of samples: of the latest two rows of units.
    #[inline(always)]
    pub(super) fn row(&self, y: usize) -> &[u8] {
        let stride = 8 * self.stride;
        &self.samples[y % (16 * self.v) * stride..][..stride]
    }
}

/// [`Picture::paint`].
struct Transform<'a> {
    picture: &'a mut Picture,
    scans: usize,
    painter: &'a mut Painter,
}

impl Integers for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Transform { picture, scans, painter } = self;
        let rows = Rows { total: picture.units.1, last_good: picture.last_good_row, scans };
        let smooth = smooth::applies(picture);
        let steps: Vec<_> = picture.channels.iter().map(Channel::steps).collect();
        for unit_row in 0..picture.units.1 {
            for (channel, steps) in picture.channels.iter_mut().zip(&steps) {
                if channel.quantizers.is_none() {
                    continue;
                }
                let v = channel.v;
                for row in unit_row * v..channel.rows.min((unit_row + 1) * v) {
                    for column in 0..channel.columns {
                        let block = match smooth {
                            true => smooth::block(channel, rows, column, row),
                            false => channel.coefficients[row * channel.stride + column],
                        };
                        channel.transform((column, row), &block, steps);
                    }
                }
            }
            painter.paint(&picture.channels, unit_row);
        }
    }
}
