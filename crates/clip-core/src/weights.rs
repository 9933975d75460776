//! One view over a safetensors file: names, shapes, exact f32 values, digest.

use std::ops::Range;

use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
pub use safetensors::Dtype;
use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

use crate::{Towers, config::ClipConfig};

/// Told which bytes of the file have been packed and are not needed any more, so that a memory
/// map can give the pages back.
pub type Release = Box<dyn Fn(Range<usize>) + Send + Sync>;

/// A weights file that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    #[error("not a readable safetensors file: {0}. Download it again: it may be cut off")]
    Format(String),
    #[error("the weights do not fit config.json: {}", .0.join("; "))]
    Mismatch(Vec<String>),
    #[error("tensor {name} holds {value} at element {index}: the file is damaged")]
    NotFinite { name: String, index: usize, value: f32 },
}

impl WeightsError {
    /// A short stable name for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            WeightsError::Format(_) => "weights.format",
            WeightsError::Mismatch(_) => "weights.mismatch",
            WeightsError::NotFinite { .. } => "weights.not_finite",
        }
    }
}

/// Position ids are saved by old versions of `transformers`; they are 0, 1, 2 … and not weights.
const NOT_WEIGHTS: [&str; 2] =
    ["text_model.embeddings.position_ids", "vision_model.embeddings.position_ids"];

/// Bytes of a header. A real model has some 60 kB, and one of 1,024 layers 4 MB; half a million
/// names take half a minute.
pub(crate) const MAX_HEADER: u64 = 8 << 20;

/// Whether a tensor of a checkpoint counts. Buffers that do not may have any type and shape.
pub fn is_weight(name: &str) -> bool {
    !NOT_WEIGHTS.contains(&name)
}

/// The tensors of a `CLIPModel`, checked against a configuration.
pub struct Weights<'a> {
    /// Sorted by name, so that the digest does not depend on the file's order.
    tensors: Vec<Tensor<'a>>,
    base: usize,
    release: Option<Release>,
}

/// One tensor: name, shape and values in f32, f16 or bf16 (little-endian, row-major).
#[derive(Debug)]
pub struct Tensor<'a> {
    pub name: String,
    pub shape: Vec<usize>,
    dtype: Dtype,
    data: &'a [u8],
}

impl std::fmt::Debug for Weights<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Weights").field("tensors", &self.tensors.len()).finish_non_exhaustive()
    }
}

impl<'a> Weights<'a> {
    /// Reads the header of a safetensors file; values stay where they are.
    ///
    /// # Errors
    /// A damaged header, or a tensor that is not f32, f16 or bf16.
    pub fn parse(file: &'a [u8]) -> Result<Self, WeightsError> {
        let length = file.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
        if length > MAX_HEADER {
            return Err(WeightsError::Format(format!("a header of {length} bytes")));
        }
        let parsed =
            SafeTensors::deserialize(file).map_err(|e| WeightsError::Format(e.to_string()))?;
        let mut tensors = Vec::new();
        let mut problems = Vec::new();
        for (name, view) in parsed.iter() {
            if !is_weight(name) {
                continue;
            }
            let dtype = view.dtype();
            if !matches!(dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) {
                problems.push(format!("{name} is {dtype:?}, supported are F32, F16 and BF16"));
            }
            let (name, shape) = (name.to_string(), view.shape().to_vec());
            tensors.push(Tensor { name, shape, dtype, data: view.data() });
        }
        if !problems.is_empty() {
            return Err(mismatch(problems));
        }
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Weights { tensors, base: file.as_ptr() as usize, release: None })
    }

    /// Calls `release` with the file's byte ranges as they are no longer needed.
    #[must_use]
    pub fn with_release(mut self, release: Option<Release>) -> Self {
        self.release = release;
        self
    }

    /// All tensors, sorted by name.
    pub fn tensors(&self) -> &[Tensor<'a>] {
        &self.tensors
    }

    /// Every tensor that `towers` need is there in its shape, and nothing is unknown.
    ///
    /// # Errors
    /// Names what is missing, misshaped or unknown.
    pub fn check(&self, config: &ClipConfig, towers: Towers) -> Result<(), WeightsError> {
        let expected = config.tensors();
        let mut problems = Vec::new();
        for (name, shape) in &expected {
            match self.find(name) {
                None if towers.need(name) => problems.push(format!("{name} {shape:?} is missing")),
                Some(tensor) if tensor.shape != *shape => {
                    problems.push(format!("{name} is {:?}, not {shape:?}", tensor.shape));
                }
                _ => {}
            }
        }
        let known: std::collections::BTreeSet<_> = expected.iter().map(|(n, _)| n).collect();
        for tensor in self.tensors.iter().filter(|t| !known.contains(&t.name)) {
            problems.push(format!("{} {:?} is unknown", tensor.name, tensor.shape));
        }
        if problems.is_empty() { Ok(()) } else { Err(mismatch(problems)) }
    }

    fn find(&self, name: &str) -> Option<&Tensor<'a>> {
        let index = self.tensors.binary_search_by(|t| t.name.as_str().cmp(name)).ok()?;
        self.tensors.get(index)
    }

    /// A tensor by name. [`Weights::check`] has said that it is there.
    pub(crate) fn get(&self, name: &str) -> Result<&Tensor<'a>, WeightsError> {
        self.find(name).ok_or_else(|| mismatch(vec![format!("{name} is missing")]))
    }

    /// The tensor's bytes may be given back to the operating system.
    pub(crate) fn done(&self, tensor: &Tensor) {
        if let Some(release) = &self.release {
            let start = tensor.data.as_ptr() as usize - self.base;
            release(start..start + tensor.data.len());
        }
    }

    /// SHA-256 (hex) over all tensors sorted by name: for each the name, a zero byte, the shape
    /// as decimal numbers each followed by a comma, and the SHA-256 of its values as
    /// little-endian f32. The same for an f32 file and its lossless f16 form.
    ///
    /// # Errors
    /// A value that is not finite.
    pub fn digest(&self) -> Result<String, WeightsError> {
        let slots: Vec<_> = self.tensors.iter().map(|_| std::sync::OnceLock::new()).collect();
        clip_kernels::for_each(self.tensors.len(), usize::MAX, |i| {
            // The task order is free; each writes its own slot, once.
            let _ = slots[i].set(self.tensors[i].digest());
            self.done(&self.tensors[i]);
        });
        let mut all = Sha256::new();
        for (tensor, slot) in self.tensors.iter().zip(slots) {
            let digest = slot.into_inner().unwrap_or_else(|| tensor.digest())?;
            all.update(tensor.name.as_bytes());
            all.update([0]);
            for dim in &tensor.shape {
                all.update(format!("{dim},"));
            }
            all.update(digest);
        }
        Ok(crate::trace::hex(&all.finalize()))
    }
}

fn mismatch(mut problems: Vec<String>) -> WeightsError {
    const SHOWN: usize = 8;
    if problems.len() > SHOWN {
        let more = problems.len() - SHOWN;
        problems.truncate(SHOWN);
        problems.push(format!("and {more} more"));
    }
    WeightsError::Mismatch(problems)
}

impl<'a> Tensor<'a> {
    /// A tensor whose `data` holds as many values as `shape` says (the header was checked).
    pub(crate) fn new(name: String, shape: Vec<usize>, dtype: Dtype, data: &'a [u8]) -> Self {
        Tensor { name, shape, dtype, data }
    }
}

impl Tensor<'_> {
    /// How the values are stored.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The values in the smallest storage that loses nothing, f16 or f32, little-endian.
    pub fn lossless(&self) -> (Dtype, Vec<u8>) {
        let wide = self.to_vec();
        let mut halves = vec![0u16; wide.len()];
        if clip_kernels::to_f16(&wide, &mut halves) {
            (Dtype::F16, halves.iter().flat_map(|h| h.to_le_bytes()).collect())
        } else {
            (Dtype::F32, wide.iter().flat_map(|x| x.to_le_bytes()).collect())
        }
    }

    /// All values are finite. Looks only at the bits, so it is faster than reading them.
    ///
    /// # Errors
    /// Names the first one that is not.
    pub(crate) fn check_finite(&self) -> Result<(), WeightsError> {
        // The exponent is all ones; its bits lie in the last two bytes.
        let ones: u16 = if self.dtype == Dtype::F16 { 0x7c00 } else { 0x7f80 };
        let size = self.size();
        let bad = |high: [u8; 2]| u16::from_le_bytes(high) & ones == ones;
        // Without early exit inside a chunk: looks at whole vectors.
        let found = |chunk: &[u8]| match size {
            2 => chunk.as_chunks::<2>().0.iter().fold(false, |any, &b| any | bad(b)),
            _ => chunk.as_chunks::<4>().0.iter().fold(false, |any, b| any | bad([b[2], b[3]])),
        };
        const VALUES: usize = 4096;
        let Some(chunk) = self.data.chunks(VALUES * size).position(found) else {
            return Ok(());
        };
        let mut rest = (chunk * VALUES..self.len()).map(|index| {
            let mut value = [0.0];
            self.read(index, &mut value);
            (index, value[0])
        });
        match rest.find(|(_, value)| !value.is_finite()) {
            None => Ok(()),
            Some((index, value)) => {
                Err(WeightsError::NotFinite { name: self.name.clone(), index, value })
            }
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.data.len() / self.size()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    fn size(&self) -> usize {
        if self.dtype == Dtype::F32 { 4 } else { 2 }
    }

    /// Values `start..start + out.len()` as f32 (exact).
    pub fn read(&self, start: usize, out: &mut [f32]) {
        let size = self.size();
        let bytes = &self.data[start * size..(start + out.len()) * size];
        match self.dtype {
            Dtype::F32 => {
                for (x, b) in out.iter_mut().zip(bytes.chunks_exact(4)) {
                    *x = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
                }
            }
            Dtype::BF16 => {
                for (x, b) in out.iter_mut().zip(bytes.chunks_exact(2)) {
                    *x = f32::from_bits(u32::from(u16::from_le_bytes([b[0], b[1]])) << 16);
                }
            }
            // There is no instruction for it in wasm.
            _ if cfg!(target_arch = "wasm32") => {
                for (x, b) in out.iter_mut().zip(bytes.chunks_exact(2)) {
                    *x = widen(u16::from_le_bytes([b[0], b[1]]));
                }
            }
            _ => {
                // In blocks, for the conversion instruction; the file may be unaligned.
                let mut halves = [0u16; 512];
                for (out, bytes) in out.chunks_mut(512).zip(bytes.chunks(1024)) {
                    for (h, b) in halves.iter_mut().zip(bytes.chunks_exact(2)) {
                        *h = u16::from_le_bytes([b[0], b[1]]);
                    }
                    let halves: &[half::f16] = halves[..out.len()].reinterpret_cast();
                    halves.convert_to_f32_slice(out);
                }
            }
        }
    }

    /// Bits of the values `start..start + out.len()` of an f16 tensor.
    pub(crate) fn read_halves(&self, start: usize, out: &mut [u16]) {
        let bytes = &self.data[start * 2..(start + out.len()) * 2];
        for (h, b) in out.iter_mut().zip(bytes.chunks_exact(2)) {
            *h = u16::from_le_bytes([b[0], b[1]]);
        }
    }

    /// All values as f32.
    pub fn to_vec(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.len()];
        self.read(0, &mut out);
        out
    }

    fn digest(&self) -> Result<[u8; 32], WeightsError> {
        let mut sha = Sha256::new();
        let mut values = [0.0f32; 4096];
        let mut bytes = [0u8; 4 * 4096];
        for start in (0..self.len()).step_by(values.len()) {
            let count = values.len().min(self.len() - start);
            let values = &mut values[..count];
            self.read(start, values);
            // Without early exit: looks at whole vectors.
            if !values.iter().fold(true, |finite, x| finite & x.is_finite()) {
                let found = values.iter().enumerate().find(|(_, x)| !x.is_finite());
                let (i, &value) = found.unwrap_or((0, &f32::NAN));
                return Err(WeightsError::NotFinite {
                    name: self.name.clone(),
                    index: start + i,
                    value,
                });
            }
            if self.dtype == Dtype::F32 {
                sha.update(&self.data[4 * start..4 * (start + count)]);
                continue;
            }
            for (b, x) in bytes.chunks_exact_mut(4).zip(values.iter()) {
                b.copy_from_slice(&x.to_le_bytes());
            }
            sha.update(&bytes[..4 * count]);
        }
        Ok(sha.finalize().into())
    }
}

/// f16 to f32, exact, without branches, so that compilers make vectors of it.
fn widen(half: u16) -> f32 {
    const TWO_TO_112: f32 = f32::from_bits((127 + 112) << 23);
    let magnitude = u32::from(half & 0x7fff);
    // The exponents' biases differ by 112; a denormal half becomes a normal float.
    let value = f32::from_bits(magnitude << 13) * TWO_TO_112;
    let special = if magnitude >= 0x7c00 { 0x7f80_0000 } else { 0 };
    f32::from_bits(value.to_bits() | special | (u32::from(half & 0x8000) << 16))
}

impl Towers {
    /// Whether the tensor belongs to a tower that is loaded.
    pub(crate) fn need(self, name: &str) -> bool {
        let vision = name.starts_with("vision_model.") || name == "visual_projection.weight";
        let text = name.starts_with("text_model.") || name == "text_projection.weight";
        match self {
            Towers::Both => true,
            Towers::Vision => vision,
            Towers::Text => text,
        }
    }
}

#[cfg(test)]
mod tests {
    /// Every half: NaNs stay NaNs, all others have the bits of the conversion instruction.
    #[test]
    fn halves_are_widened_exactly() {
        for bits in 0..=u16::MAX {
            let expected = half::f16::from_bits(bits).to_f32();
            let got = super::widen(bits);
            assert!(
                got.to_bits() == expected.to_bits() || (got.is_nan() && expected.is_nan()),
                "{bits:#06x}: {got:e}, expected {expected:e}"
            );
        }
    }
}
