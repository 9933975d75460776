//! Deterministic pixel inputs: the same bits as `tests/reference/synthetic.py`, so that no golden
//! needs to store them.

use clip_core::synthetic::Stream;

/// Side of an image, pixels.
pub const SIDE: usize = 224;
const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

/// Image `index`, `[3, 224, 224]`: a background with shapes, stripes and noise.
///
/// Integers only. Even images have the near-white background of a shop photo.
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

/// Ranges of code points, each equally likely (`POOLS` in `tests/reference/tokens.py`).
const POOLS: [(u64, u64); 29] = [
    (0x20, 0x7F),
    (0x20, 0x7F),
    (0x61, 0x7B),
    (0x00, 0x80),
    (0x80, 0x250),
    (0x250, 0x370),
    (0x300, 0x370),
    (0x370, 0x530),
    (0x530, 0x700),
    (0x700, 0x900),
    (0x900, 0xE00),
    (0xE00, 0x1000),
    (0x1000, 0x1200),
    (0x1100, 0x1200),
    (0x1200, 0x1E00),
    (0x1E00, 0x2000),
    (0x2000, 0x2070),
    (0x2070, 0x3000),
    (0x3000, 0x3400),
    (0x4E00, 0xA000),
    (0xA000, 0xAC00),
    (0xAC00, 0xD7B0),
    (0xF900, 0x10000),
    (0x10000, 0x12000),
    (0x16000, 0x17000),
    (0x1D000, 0x1F000),
    (0x1F000, 0x1FB00),
    (0x20000, 0x30000),
    (0x0, 0x110000),
];
const SNIPPETS: [&str; 28] = [
    " ",
    " ",
    "  ",
    "\n",
    "'s",
    "'S",
    "'ll",
    "'RE",
    "'",
    "<|startoftext|>",
    "<|StartOfText|>",
    "<|endoftext|>",
    "<|ENDOFTEXT|>",
    "<|",
    "|>",
    "the",
    "dress",
    "SHIRT",
    "jacket",
    "\u{130}",
    "\u{3a3}",
    "\u{338}",
    "\u{301}",
    "\u{1100}",
    "\u{1161}",
    "\u{11a8}",
    "\u{200d}",
    "\u{fe0f}",
];

/// Random Unicode text `index`, up to 47 characters or snippets.
pub fn text(seed: u64, index: usize) -> String {
    let stream = Stream::new(seed, &format!("tokens.{index}"));
    let mut out = String::new();
    for i in 1..=stream.word(0) % 48 {
        let word = stream.word(i);
        let (choice, pick) = (word & 0xFF, word >> 8);
        if choice < 64 {
            out += SNIPPETS[(pick % SNIPPETS.len() as u64) as usize];
            continue;
        }
        let (start, end) = POOLS[(choice % POOLS.len() as u64) as usize];
        let code = start + pick % (end - start);
        out.push(char::from_u32(code as u32).unwrap_or('\u{fffd}'));
    }
    out
}
