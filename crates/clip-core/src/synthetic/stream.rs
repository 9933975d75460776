//! A counter-based random stream: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) by index.

/// Step of SplitMix64's counter.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Random 64-bit words by index, from a seed and a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream(u64);

impl Stream {
    /// Streams of different names (or seeds) are unrelated.
    pub fn new(seed: u64, name: &str) -> Self {
        // FNV-1a.
        let hash = name.bytes().fold(0xCBF2_9CE4_8422_2325, |h: u64, b| {
            (h ^ u64::from(b)).wrapping_mul(0x100_0000_01B3)
        });
        Stream(mix(hash.wrapping_add(seed.wrapping_mul(GOLDEN))))
    }

    /// Word number `index`.
    pub fn word(self, index: u64) -> u64 {
        mix(self.0.wrapping_add(index.wrapping_add(1).wrapping_mul(GOLDEN)))
    }

    /// Values `start..` of a nearly normal distribution: the sum of a word's four 16-bit lanes
    /// (Irwin-Hall), scaled. One rounding each for scale, product and sum.
    pub fn normal(self, start: usize, mean: f32, std: f64, out: &mut [f32]) {
        // Standard deviation of the lanes' sum: sqrt(4 (2^32 - 1) / 12).
        let scale = (std / (4_294_967_295.0 / 3.0f64).sqrt()) as f32;
        for (i, value) in out.iter_mut().enumerate() {
            let w = self.word((start + i) as u64);
            let sum = (w & 0xFFFF) + (w >> 16 & 0xFFFF) + (w >> 32 & 0xFFFF) + (w >> 48);
            *value = (sum as i32 - 131_070) as f32 * scale + mean;
        }
    }
}

/// SplitMix64's finaliser.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_depend_on_the_index_only() {
        let stream = Stream::new(5, "a");
        let (mut all, mut tail) = ([0.0; 300], [0.0; 100]);
        stream.normal(0, 0.5, 2.0, &mut all);
        stream.normal(200, 0.5, 2.0, &mut tail);
        assert_eq!(all[200..], tail);
        assert_ne!(Stream::new(5, "b"), stream);
        assert_ne!(Stream::new(6, "a"), stream);
    }

    #[test]
    fn mean_and_deviation() {
        let mut values = [0.0; 100_000];
        Stream::new(1, "x").normal(0, 3.0, 0.25, &mut values);
        let n = values.len() as f64;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let distances = values.iter().map(|v| f64::from(*v) - mean);
        let var = distances.map(|d| d * d).sum::<f64>() / n;
        assert!((mean - 3.0).abs() < 0.005, "{mean}");
        assert!((var.sqrt() - 0.25).abs() < 0.005, "{var}");
    }
}
