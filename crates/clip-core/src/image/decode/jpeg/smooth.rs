//! Smoothing of progressive images whose last scans never came (`jdcoefct.c`): the first nine
//! coefficients are estimated from the means of 5 x 5 blocks.

use super::picture::{Channel, Picture};

/// In the file's order, the coefficients that are estimated; 0 is the mean.
const PLACES: [usize; 10] = [0, 1, 8, 16, 9, 2, 3, 10, 17, 24];

/// Weights of the means, row by row, where nothing but the mean is known of a block.
const FROM_MEANS: [[i64; 25]; 10] = [
    [
        -2, -6, -8, -6, -2, -6, 6, 42, 6, -6, -8, 42, 152, 42, -8, -6, 6, 42, 6, -6, -2, -6, -8,
        -6, -2,
    ],
    [-1, -1, 0, 1, 1, -3, 13, 0, -13, 3, -3, 38, 0, -38, 3, -3, 13, 0, -13, 3, -1, -1, 0, 1, 1],
    [-1, -3, -3, -3, -1, -1, 13, 38, 13, -1, 0, 0, 0, 0, 0, 1, -13, -38, -13, 1, 1, 3, 3, 3, 1],
    [0, 0, 1, 0, 0, 0, 2, 7, 2, 0, 0, -5, -14, -5, 0, 0, 2, 7, 2, 0, 0, 0, 1, 0, 0],
    [-1, 0, 0, 0, 1, 0, 9, 0, -9, 0, 0, 0, 0, 0, 0, 0, -9, 0, 9, 0, 1, 0, 0, 0, -1],
    [0, 0, 0, 0, 0, 0, 2, -5, 2, 0, 1, 7, -14, 7, 1, 0, 2, -5, 2, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1, 0, -1, 0, 0, 2, 0, -2, 0, 0, 1, 0, -1, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1, -3, 1, 0, 0, 0, 0, 0, 0, 0, -1, 3, -1, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1, 0, -1, 0, 0, -3, 0, 3, 0, 0, 1, 0, -1, 0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0, 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, -1, -2, -1, 0, 0, 0, 0, 0, 0],
];

/// The same where some coefficients are known: T.81 K.8 on 5 x 5 blocks.
const BESIDE_KNOWN: [[i64; 25]; 6] = [
    [0; 25],
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -7, 50, 0, -50, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, -7, 0, 0, 0, 0, 50, 0, 0, 0, 0, 0, 0, 0, 0, 0, -50, 0, 0, 0, 0, 7, 0, 0],
    [0, 0, -1, 0, 0, 0, 0, 13, 0, 0, 0, 0, -24, 0, 0, 0, 0, 13, 0, 0, 0, 0, -1, 0, 0],
    [0, -1, 0, 1, 0, -1, 10, 0, -10, 1, 0, 0, 0, 0, 0, 1, -10, 0, 10, -1, 0, 1, 0, -1, 0],
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 13, -24, 13, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
];

/// `smoothing_ok`: whether there is anything to estimate, and enough to estimate it from.
pub(super) fn applies(picture: &Picture) -> bool {
    let channels = &picture.channels;
    let possible = |c: &Channel| {
        let steps = c.quantizers.is_some_and(|q| PLACES.iter().all(|at| q[*at] != 0));
        steps && c.known[0] >= 0
    };
    picture.progressive
        && channels.iter().all(possible)
        && channels.iter().any(|c| c.known[1..10].iter().any(|bit| *bit != 0))
}

/// What [`block`] has to know of the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows {
    /// Rows of units in the picture, and the last one whose data had not run out.
    pub total: usize,
    pub last_good: usize,
    pub scans: usize,
}

/// The block in `column` and `row` with its estimates.
pub(super) fn block(channel: &Channel, rows: Rows, column: usize, row: usize) -> [i16; 64] {
    let at = |x: usize, y: usize| &channel.coefficients[y * channel.stride + x];
    let mut block = *at(column, row);
    let unit = row / channel.v;
    let mut known = channel.known;
    if unit > rows.last_good {
        // The latest scan has not come so far.
        known = if rows.scans > 1 { channel.known_before } else { [-1; 64] };
    }
    let Some(quantizers) = channel.quantizers else { return block };
    let only_means = known[1..10].iter().all(|bit| *bit == -1);

    // libjpeg's count of rows, which in the last row of units is not the image's.
    let in_unit = match unit + 1 == rows.total {
        true if !channel.rows.is_multiple_of(channel.v) => channel.rows % channel.v,
        _ => channel.v,
    };
    let (place, count) = (unit * in_unit + row % channel.v, in_unit * rows.total);
    let above = if place > 0 { row - 1 } else { row };
    let above2 = if place > 1 { row - 2 } else { above };
    let below = if place + 1 < count { row + 1 } else { row };
    let below2 = if place + 2 < count { row + 2 } else { below };
    let last = channel.columns - 1;
    let left = column.saturating_sub(1);
    let left2 = column.saturating_sub(2);
    let right = (column + 1).min(last);
    let right2 = (column + 2).min(last);
    let mut means = [0i64; 25];
    let lines = [above2, above, row, below, below2];
    for (means, y) in means.chunks_exact_mut(5).zip(lines) {
        for (mean, x) in means.iter_mut().zip([left2, left, column, right, right2]) {
            *mean = i64::from(at(x, y)[0]);
        }
    }
    let weights: &[[i64; 25]] = if only_means { &FROM_MEANS } else { &BESIDE_KNOWN };
    let estimate = |k: usize| {
        let sum: i64 = weights[k].iter().zip(&means).map(|(w, m)| w * m).sum();
        let num = i64::from(quantizers[0]) * sum;
        let step = i64::from(quantizers[PLACES[k]]);
        let mut size = ((step << 7) + num.abs()) / (step << 8);
        let low = known[k];
        if k > 0 && low > 0 && size >= 1 << low {
            size = (1 << low) - 1;
        }
        (if num >= 0 { size } else { -size }) as i16
    };
    for k in 1..weights.len() {
        if known[k] != 0 && block[PLACES[k]] == 0 {
            block[PLACES[k]] = estimate(k);
        }
    }
    if only_means {
        block[0] = estimate(0);
    }
    block
}
