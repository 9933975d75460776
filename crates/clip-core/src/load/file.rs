//! A whole safetensors file in memory, or a memory map of one.

use super::assembly::Assembly;
use crate::{Clip, Error, Options, config::ClipConfig, weights::Weights};

impl Clip {
    /// Packs the weights of a safetensors file (f32, f16 or bf16) for this machine's kernels.
    /// The file is not needed afterwards.
    ///
    /// # Errors
    /// Weights that are damaged, do not fit `config`, or hold NaN or infinity; a kernel path that
    /// this machine cannot run.
    pub fn load(
        config: ClipConfig,
        safetensors: &[u8],
        mut options: Options,
    ) -> Result<Self, Error> {
        let (release, towers) = (options.release.take(), options.towers);
        let mut assembly = Assembly::new(config, options)?;
        let weights = Weights::parse(safetensors)?.with_release(release);
        weights.check(&assembly.config, towers)?;
        // The digest finds values that are not finite, too. Several threads share out the tensors for
        // it, and the rows of each one to pack it; one thread reads each tensor from memory only once.
        let digest = if clip_kernels::threads() == 1 {
            weights.digest_each(|tensor| assembly.add(tensor))?
        } else {
            let digest = weights.digest()?;
            for tensor in weights.tensors() {
                assembly.add(tensor);
                weights.done(tensor);
            }
            digest
        };
        assembly.finish(digest)
    }
}
