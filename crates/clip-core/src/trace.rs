//! A digest per stage, to find the first stage at which two results differ.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// All stages of one computation, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// First to last.
    pub stages: Vec<Stage>,
}

/// One intermediate result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// `decoded`, `resized`, `cropped`, `pixel_values`, `tokens`, `embeddings`, `block.N`,
    /// `embedding`, `normalized`.
    pub name: String,
    /// Rows first.
    pub shape: Vec<usize>,
    /// SHA-256 (hex) over the little-endian bytes of the elements (u8, u32 or f32).
    pub sha256: String,
}

impl Trace {
    pub(crate) fn new() -> Self {
        Trace { stages: Vec::new() }
    }

    pub(crate) fn f32(&mut self, name: impl Into<String>, shape: &[usize], values: &[f32]) {
        self.push(name.into(), shape, sha256_f32(values));
    }

    pub(crate) fn u32(&mut self, name: impl Into<String>, values: &[u32]) {
        let mut sha = Sha256::new();
        values.iter().for_each(|x| sha.update(x.to_le_bytes()));
        self.push(name.into(), &[values.len()], hex(&sha.finalize()));
    }

    pub(crate) fn u8(&mut self, name: impl Into<String>, shape: &[usize], values: &[u8]) {
        self.push(name.into(), shape, sha256(values));
    }

    fn push(&mut self, name: String, shape: &[usize], sha256: String) {
        self.stages.push(Stage { name, shape: shape.to_vec(), sha256 });
    }

    /// Name of the first stage whose shape or digest differs, or that only one side has.
    pub fn first_difference<'a>(&'a self, other: &'a Trace) -> Option<&'a str> {
        let pairs = self.stages.iter().zip(&other.stages);
        let longer = if self.stages.len() > other.stages.len() { self } else { other };
        let common = self.stages.len().min(other.stages.len());
        pairs
            .filter(|(a, b)| a != b)
            .map(|(a, _)| a.name.as_str())
            .next()
            .or_else(|| longer.stages.get(common).map(|s| s.name.as_str()))
    }
}

/// SHA-256 (hex) over little-endian f32 bytes, the digest of all goldens.
pub fn sha256_f32(values: &[f32]) -> String {
    let mut sha = Sha256::new();
    let mut bytes = [0u8; 1024];
    for chunk in values.chunks(256) {
        for (b, x) in bytes.chunks_exact_mut(4).zip(chunk) {
            b.copy_from_slice(&x.to_le_bytes());
        }
        sha.update(&bytes[..4 * chunk.len()]);
    }
    hex(&sha.finalize())
}

/// SHA-256 (hex) of any bytes.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut s, b| {
        // Writing to a String cannot fail.
        let _ = write!(s, "{b:02x}");
        s
    })
}
