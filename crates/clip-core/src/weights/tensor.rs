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

    /// All values are finite.
    ///
    /// # Errors
    /// Names the first one that is not.
    pub(crate) fn check_finite(&self) -> Result<(), WeightsError> {
        self.blocks().try_for_each(|(start, block)| self.check_block(start, block))
    }

    /// The values block by block as they lie in the file, each with the index of its first one.
    fn blocks(&self) -> impl Iterator<Item = (usize, &[u8])> {
        const VALUES: usize = 4096;
        (0..).step_by(VALUES).zip(self.data.chunks(VALUES * self.size()))
    }

    /// The values of `block`, which starts at value `start`, are finite. Looks only at the bits, so it
    /// is faster than reading them.
    fn check_block(&self, start: usize, block: &[u8]) -> Result<(), WeightsError> {
        // The exponent is all ones; its bits lie in the last two bytes.
        let ones: u16 = if self.dtype == Dtype::F16 { 0x7c00 } else { 0x7f80 };
        let bad = |high: [u8; 2]| u16::from_le_bytes(high) & ones == ones;
        // Without early exit: looks at whole vectors.
        let found = match self.size() {
            2 => block.as_chunks::<2>().0.iter().fold(false, |any, &b| any | bad(b)),
            _ => block.as_chunks::<4>().0.iter().fold(false, |any, b| any | bad([b[2], b[3]])),
        };
        if !found {
            return Ok(());
        }
        let mut values = (start..start + block.len() / self.size()).map(|index| {
            let mut value = [0.0];
            self.read(index, &mut value);
            (index, value[0])
        });
        match values.find(|(_, value)| !value.is_finite()) {
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

    /// SHA-256 of the values as little-endian f32.
    ///
    /// # Errors
    /// Names the first value that is not finite.
    pub(super) fn digest(&self) -> Result<[u8; 32], WeightsError> {
        let mut sha = Sha256::new();
        let (mut values, mut bytes) = (Vec::new(), Vec::new());
        let following = self.blocks().skip(1).map(|(_, next)| next).chain([&[][..]]);
        for ((start, block), next) in self.blocks().zip(following) {
            if self.dtype == Dtype::F32 {
                hash_ahead(&mut sha, block, next);
            } else {
                values.resize(block.len() / self.size(), 0.0);
                self.read(start, &mut values);
                bytes.resize(4 * values.len(), 0);
                let words = bytes.as_chunks_mut::<4>().0.iter_mut();
                words.zip(&values).for_each(|(b, x)| *b = x.to_le_bytes());
                hash_ahead(&mut sha, &bytes, next);
            }
            self.check_block(start, block)?;
        }
        Ok(sha.finalize().into())
    }
}

/// Hashes `bytes`, and asks the memory for `next` meanwhile: a hash is one long chain of operations that
/// leaves the processor idle enough for it, and does not look far enough ahead by itself.
fn hash_ahead(sha: &mut Sha256, bytes: &[u8], next: &[u8]) {
    const STEP: usize = 512;
    let ahead = next.chunks(STEP).chain(std::iter::repeat(&[][..]));
    for (bytes, next) in bytes.chunks(STEP).zip(ahead) {
        clip_kernels::prefetch(next);
        sha.update(bytes);
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
    use super::*;

    /// Of so many values that the last block is not whole.
    #[test]
    fn digests_do_not_depend_on_the_type_and_bad_values_are_found_in_any_block() {
        let of = |dtype, value: fn(usize) -> f32| -> Vec<u8> {
            let bits = |i| value(i).to_bits();
            match dtype {
                Dtype::F32 => (0..9000).flat_map(|i| bits(i).to_le_bytes()).collect(),
                Dtype::BF16 => {
                    (0..9000).flat_map(|i| ((bits(i) >> 16) as u16).to_le_bytes()).collect()
                }
                _ => (0..9000).flat_map(|i| half::f16::from_f32(value(i)).to_le_bytes()).collect(),
            }
        };
        fn tensor(dtype: Dtype, data: &[u8]) -> Tensor<'_> {
            Tensor::new("w".into(), vec![9000], dtype, data)
        }
        // In eight bits of mantissa.
        let good = |i: usize| (i % 250) as f32 / 64.0 - 1.5;
        let bad = |i: usize| if i == 8500 { f32::NEG_INFINITY } else { 0.5 };
        let whole: [u8; 32] = Sha256::digest(of(Dtype::F32, good)).into();
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
            assert_eq!(tensor(dtype, &of(dtype, good)).digest().unwrap(), whole, "{dtype:?}");
            let data = of(dtype, bad);
            let tensor = tensor(dtype, &data);
            for error in [tensor.digest().unwrap_err(), tensor.check_finite().unwrap_err()] {
                let WeightsError::NotFinite { index, value, .. } = error else { panic!("{error}") };
                assert_eq!((index, value), (8500, f32::NEG_INFINITY), "{dtype:?}");
            }
        }
    }

    /// Every f16: NaNs stay NaNs, all others have the bits of the conversion instruction.
    #[test]
    fn f16_is_widened_exactly() {
        for bits in 0..=u16::MAX {
            let expected = half::f16::from_bits(bits).to_f32();
            let got = widen(bits);
            assert!(
                got.to_bits() == expected.to_bits() || (got.is_nan() && expected.is_nan()),
                "{bits:#06x}: {got:e}, expected {expected:e}"
            );
        }
    }
}
