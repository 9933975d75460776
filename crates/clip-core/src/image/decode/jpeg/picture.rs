//! The picture while its scans come in, and its samples when they are all there (`jdcoefct.c`).

use clip_kernels::{Integers, vectorized};

use super::{
    headers::Headers,
    idct,
    smooth::{self, Rows},
    source::{Step, failed},
};

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
    /// `8 * stride` samples in a row; grey until they are known.
    pub samples: Vec<u8>,
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
                samples: vec![128; 64 * blocks],
                known: [-1; 64],
                known_before: [0; 64],
            }
        });
        let channels = channels.collect();
        Ok(Picture { progressive: frame.progressive, channels, units, one_pass, last_good_row: 0 })
    }

    /// Samples of an image whose coefficients are all there.
    pub(super) fn transform(&mut self, scans: usize) {
        vectorized(Transform { picture: self, scans });
    }
}

impl Channel {
    /// As the transform multiplies with them; zeros for a component of which nothing was said.
    pub(super) fn steps(&self) -> [i16; 64] {
        self.quantizers.unwrap_or([0; 64]).map(|v| v as i16)
    }
}

/// [`Picture::transform`].
struct Transform<'a> {
    picture: &'a mut Picture,
    scans: usize,
}

impl Integers for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Transform { picture, scans } = self;
        let rows = Rows { total: picture.units.1, last_good: picture.last_good_row, scans };
        let smooth = smooth::applies(picture);
        for channel in &mut picture.channels {
            if channel.quantizers.is_none() {
                continue;
            }
            let steps = channel.steps();
            let stride = channel.stride * 8;
            let mut samples = std::mem::take(&mut channel.samples);
            for row in 0..channel.rows {
                for column in 0..channel.columns {
                    let estimate;
                    let block = if smooth {
                        estimate = smooth::block(channel, rows, column, row);
                        &estimate
                    } else {
                        &channel.coefficients[row * channel.stride + column]
                    };
                    let at = row * 8 * stride + column * 8;
                    idct::idct(block, &steps, &mut samples[at..], stride);
                }
            }
            channel.samples = samples;
            channel.coefficients = Vec::new();
        }
    }
}
