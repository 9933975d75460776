//! Deterministic pixel inputs: the same bits as `tests/reference/synthetic.py`, so that no golden
//! needs to store them.

use clip_core::synthetic::Stream;

/// Side of a picture, pixels.
pub const SIDE: usize = 224;
const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// Picture `index`, `[3, 224, 224]`: a background with shapes, stripes and noise.
///
/// Integers only. Even pictures have the near-white background of a shop photo.
pub fn drawing(seed: u64, index: usize) -> Vec<u8> {
    let stream = Stream::new(seed, &format!("pixels.{index}"));
    let mut counter = 0;
    let mut below = |limit: u64| {
        counter += 1;
        (stream.word(counter - 1) % limit) as i32
    };
    let (low, span) = if index.is_multiple_of(2) { (236, 20) } else { (0, 256) };
    let mut image = vec![0i32; 3 * SIDE * SIDE];
    for channel in image.chunks_mut(SIDE * SIDE) {
        let (base, gx, gy) = (low + below(span), below(65) - 32, below(65) - 32);
        for (i, value) in channel.iter_mut().enumerate() {
            let (x, y) = ((i % SIDE) as i32, (i / SIDE) as i32);
            *value = base + ((x * gx + y * gy) >> 8);
        }
    }
    for _ in 0..3 + below(5) {
        let (kind, cx, cy) = (below(3), 32 + below(160), 32 + below(160));
        let (rx, ry, period) = (12 + below(64), 12 + below(64), 4 + below(24));
        let colour = [below(256), below(256), below(256)];
        let inside = |x: i32, y: i32| {
            let (dx, dy) = (x - cx, y - cy);
            let rectangle = dx.abs() <= rx && dy.abs() <= ry;
            match kind {
                0 => dx * dx * (ry * ry) + dy * dy * (rx * rx) <= rx * rx * ry * ry,
                1 => rectangle,
                _ => rectangle && (x + 2 * y) % period * 2 < period,
            }
        };
        for (channel, colour) in image.chunks_mut(SIDE * SIDE).zip(colour) {
            for (i, value) in channel.iter_mut().enumerate() {
                if inside((i % SIDE) as i32, (i / SIDE) as i32) {
                    *value = colour;
                }
            }
        }
    }
    let noise = |i: usize| (stream.word(256 + i as u64) >> 60) as i32 - 8;
    image.iter().enumerate().map(|(i, v)| (v + noise(i)).clamp(0, 255) as u8).collect()
}

/// Normalised pixel values of [`drawing`], `[3, 224, 224]`, about -1.8 to 2.2.
pub fn pixels(seed: u64, index: usize) -> Vec<f32> {
    let normalise = |(i, v): (usize, u8)| {
        let channel = i / (SIDE * SIDE);
        (f32::from(v) * (1.0 / 255.0) - MEAN[channel]) / STD[channel]
    };
    drawing(seed, index).into_iter().enumerate().map(normalise).collect()
}
