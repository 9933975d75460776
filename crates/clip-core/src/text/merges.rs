//! The standard vocabulary, unpacked from 142 KB to merges.

/// Written by `tests/reference/vocab.py`; see `NOTICE`.
const PACKED: &[u8] = include_bytes!("merges.bin");
/// Merges of the standard vocabulary: 49,152 minus 256 and two special tokens.
pub(super) const COUNT: usize = 48_894;

/// `(left, right)` ids of every merge in order of rank; merge `i` makes token `512 + i`.
pub(super) fn unpack() -> Vec<(u32, u32)> {
    let mut decoder = Decoder::new(PACKED);
    let (mut left, mut right) = (Tree::new(), Tree::new());
    (0..COUNT).map(|_| (left.value(&mut decoder), right.value(&mut decoder))).collect()
}

/// An adaptive binary range decoder (carry-less, 32 bit, as in lpaq).
struct Decoder<'a> {
    low: u32,
    high: u32,
    code: u32,
    input: std::slice::Iter<'a, u8>,
}

impl<'a> Decoder<'a> {
    fn new(input: &'a [u8]) -> Self {
        let mut decoder = Decoder { low: 0, high: u32::MAX, code: 0, input: input.iter() };
        (0..4).for_each(|_| decoder.shift());
        decoder
    }

    fn shift(&mut self) {
        self.code = self.code << 8 | u32::from(self.input.next().copied().unwrap_or(0));
    }

    /// The next bit, which is 1 with probability `p / 65536`.
    fn bit(&mut self, p: u16) -> bool {
        let range = u64::from(self.high - self.low);
        let middle = self.low + ((range * u64::from(p)) >> 16) as u32;
        let bit = self.code <= middle;
        if bit {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
        while (self.low ^ self.high) >> 24 == 0 {
            self.low <<= 8;
            self.high = self.high << 8 | 255;
            self.shift();
        }
        bit
    }
}

/// Bit probabilities of 16-bit values, from the top bit down.
struct Tree {
    /// Probability of a 1, and how often the node was seen.
    nodes: Vec<(u16, u8)>,
}

impl Tree {
    fn new() -> Self {
        Tree { nodes: vec![(1 << 15, 0); 1 << 16] }
    }

    fn value(&mut self, decoder: &mut Decoder) -> u32 {
        let mut node = 1;
        for _ in 0..16 {
            let (p, seen) = &mut self.nodes[node];
            let bit = decoder.bit(*p);
            let error = (if bit { 65535 } else { 0 }) - i64::from(*p);
            // About 1 / (seen + 1.5).
            let rate = 65536 * 2 / (2 * i64::from(*seen) + 3);
            *p = (i64::from(*p) + ((error * rate) >> 16)).clamp(64, 65472) as u16;
            *seen = (*seen + 1).min(250);
            node = node << 1 | usize::from(bit);
        }
        (node - (1 << 16)) as u32
    }
}
