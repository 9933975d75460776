//! The values of one tensor as they lie in the file.

use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};
use safetensors::Dtype;
use sha2::{Digest, Sha256};

use super::error::WeightsError;

/// One tensor: name, shape and values in f32, f16 or bf16 (little-endian, row-major).
#[derive(Debug)]
pub struct Tensor<'a> {
    /// As in the file.
    pub name: String,
    /// Rows first.
    pub shape: Vec<usize>,
    dtype: Dtype,
    pub(super) data: &'a [u8],
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
        let mut narrow = vec![0u16; wide.len()];
        if clip_kernels::to_f16(&wide, &mut narrow) {
            (Dtype::F16, narrow.iter().flat_map(|bits| bits.to_le_bytes()).collect())
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
                let mut block = [0u16; 512];
                for (out, bytes) in out.chunks_mut(512).zip(bytes.chunks(1024)) {
                    for (bits, b) in block.iter_mut().zip(bytes.chunks_exact(2)) {
                        *bits = u16::from_le_bytes([b[0], b[1]]);
                    }
                    let block: &[half::f16] = block[..out.len()].reinterpret_cast();
                    block.convert_to_f32_slice(out);
                }
            }
        }
    }

    /// Bits of the values `start..start + out.len()` of an f16 tensor.
    pub(crate) fn read_f16(&self, start: usize, out: &mut [u16]) {
        let bytes = &self.data[start * 2..(start + out.len()) * 2];
        for (bits, b) in out.iter_mut().zip(bytes.chunks_exact(2)) {
            *bits = u16::from_le_bytes([b[0], b[1]]);
        }
    }

    /// All values as f32.
    pub fn to_vec(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.len()];
        self.read(0, &mut out);
        out
    }

    pub(super) fn digest(&self) -> Result<[u8; 32], WeightsError> {
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
fn widen(bits: u16) -> f32 {
    const TWO_TO_112: f32 = f32::from_bits((127 + 112) << 23);
    let magnitude = u32::from(bits & 0x7fff);
    // The exponents' biases differ by 112; a denormal f16 becomes a normal float.
    let value = f32::from_bits(magnitude << 13) * TWO_TO_112;
    let special = if magnitude >= 0x7c00 { 0x7f80_0000 } else { 0 };
    f32::from_bits(value.to_bits() | special | (u32::from(bits & 0x8000) << 16))
}

#[cfg(test)]
mod tests {
    /// Every f16: NaNs stay NaNs, all others have the bits of the conversion instruction.
    #[test]
    fn f16_is_widened_exactly() {
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
