//! One view over a safetensors file: names, shapes, exact f32 values, digest.

use std::ops::Range;

use safetensors::{Dtype, SafeTensors};
use sha2::{Digest, Sha256};

use super::{
    error::{WeightsError, mismatch},
    tensor::Tensor,
};
use crate::{
    config::ClipConfig,
    tensors::{TensorTable, is_weight},
    towers::Towers,
};

/// Told which bytes of the file have been packed and are not needed any more, so that a memory
/// map can give the pages back.
pub type Release = Box<dyn Fn(Range<usize>) + Send + Sync>;

/// Bytes of a header. A real model has some 60 kB, and one of 1,024 layers 4 MB; half a million
/// names take half a minute.
pub(crate) const MAX_HEADER: u64 = 8 << 20;

/// The tensors of a `CLIPModel`, checked against a configuration.
pub struct Weights<'a> {
    /// Sorted by name, so that the digest does not depend on the file's order.
    tensors: Vec<Tensor<'a>>,
    base: usize,
    release: Option<Release>,
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
            tensors.push(Tensor::new(name, shape, dtype, view.data()));
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
        let table = TensorTable::new(config);
        let mut problems = Vec::new();
        for spec in table.specs() {
            let name = spec.id.name();
            match self.find(&name) {
                None if spec.id.is_of(towers) => {
                    problems.push(format!("{name} {:?} is missing", spec.shape));
                }
                Some(tensor) => problems.extend(table.problem(&name, &tensor.shape)),
                None => {}
            }
        }
        let unknown = self.tensors.iter().filter(|t| table.get(&t.name).is_none());
        problems.extend(unknown.filter_map(|t| table.problem(&t.name, &t.shape)));
        if problems.is_empty() { Ok(()) } else { Err(mismatch(problems)) }
    }

    fn find(&self, name: &str) -> Option<&Tensor<'a>> {
        let index = self.tensors.binary_search_by(|t| t.name.as_str().cmp(name)).ok()?;
        self.tensors.get(index)
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
        let digests = self.tensors.iter().zip(slots);
        let digests =
            digests.map(|(tensor, slot)| slot.into_inner().unwrap_or_else(|| tensor.digest()));
        Ok(self.combined(&digests.collect::<Result<Vec<_>, _>>()?))
    }

    /// [`Weights::digest`] by one thread, which hands each tensor to `then` while it is in the cache.
    ///
    /// # Errors
    /// A value that is not finite: its tensor is not handed over.
    pub(crate) fn digest_each(
        &self,
        mut then: impl FnMut(&Tensor),
    ) -> Result<String, WeightsError> {
        let digests = self.tensors.iter().map(|tensor| {
            let digest = tensor.digest()?;
            then(tensor);
            self.done(tensor);
            Ok(digest)
        });
        Ok(self.combined(&digests.collect::<Result<Vec<_>, WeightsError>>()?))
    }

    /// The digest of all from those of the tensors, in their order.
    fn combined(&self, digests: &[[u8; 32]]) -> String {
        let mut all = Sha256::new();
        for (tensor, digest) in self.tensors.iter().zip(digests) {
            all.update(tensor.name.as_bytes());
            all.update([0]);
            for dim in &tensor.shape {
                all.update(format!("{dim},"));
            }
            all.update(digest);
        }
        crate::trace::hex(&all.finalize())
    }
}
