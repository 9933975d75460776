//! Vectors, and which kind one holds: as projected, or of unit length.

use clip_kernels::{KernelPath, Kernels};

/// The model's output as projected, *not* normalised: HF's `get_image_features` /
/// `get_text_features`. `projection_dim` floats.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding(Vec<f32>);

/// A vector of unit length (L2), ready for cosine similarity.
#[derive(Debug, Clone, PartialEq)]
pub struct NormalizedEmbedding(Vec<f32>);

impl Embedding {
    /// Wraps a vector that some CLIP projected.
    pub fn from_raw(values: Vec<f32>) -> Self {
        Embedding(values)
    }

    /// The vector divided by its L2 norm (each element by the square root of the sum of squares,
    /// in the order of the numeric contract). A zero vector gives NaN, as in `transformers`.
    pub fn normalized(&self) -> NormalizedEmbedding {
        self.normalized_by(usual())
    }

    /// The same, computed on one path: what a trace says of a path is that path's work.
    pub(crate) fn normalized_by(&self, kernels: &Kernels) -> NormalizedEmbedding {
        #[cfg(test)]
        tests::NORMALIZED_BY.set(Some(kernels.path()));
        let norm = kernels.dot(&self.0, &self.0).sqrt();
        NormalizedEmbedding(self.0.iter().map(|x| x / norm).collect())
    }

    /// The raw values.
    pub fn values(&self) -> &[f32] {
        &self.0
    }

    /// Takes the values out.
    pub fn into_values(self) -> Vec<f32> {
        self.0
    }
}

impl NormalizedEmbedding {
    /// Wraps a vector that is already of unit length, e.g. one read back from a store.
    pub fn from_unit(values: Vec<f32>) -> Self {
        NormalizedEmbedding(values)
    }

    /// Cosine similarity: the dot product of two unit vectors, in -1..=1 up to rounding.
    ///
    /// # Panics
    /// If the dimensions differ: the vectors are of different models.
    pub fn cosine(&self, other: &NormalizedEmbedding) -> f32 {
        usual().dot(&self.0, &other.0)
    }

    /// The values; their squares sum to one (up to rounding).
    pub fn values(&self) -> &[f32] {
        &self.0
    }

    /// Takes the values out.
    pub fn into_values(self) -> Vec<f32> {
        self.0
    }
}

/// `logit_scale * cosine` of one image with each text: HF's `logits_per_image`.
/// Softmax over it gives zero-shot probabilities.
pub fn logits_per_image(
    logit_scale: f32,
    image: &NormalizedEmbedding,
    texts: &[NormalizedEmbedding],
) -> Vec<f32> {
    texts.iter().map(|text| image.cosine(text) * logit_scale).collect()
}

/// Those of the fastest path, or of the one that `CLIP_KERNEL` names.
fn usual() -> &'static Kernels {
    static USUAL: std::sync::OnceLock<Kernels> = std::sync::OnceLock::new();
    USUAL.get_or_init(|| {
        // A name that is none was an error when the model was loaded.
        let path = KernelPath::detect().ok().or_else(|| KernelPath::available().pop());
        path.and_then(|path| Kernels::new(path).ok()).unwrap_or_else(Kernels::scalar)
    })
}

#[cfg(test)]
mod tests {
    use crate::{
        Clip, KernelPath, Options,
        image::PixelValues,
        synthetic::{self, Dtype},
    };

    thread_local! {
        /// The path of this thread's last normalisation: the bits do not tell.
        pub(super) static NORMALIZED_BY: std::cell::Cell<Option<KernelPath>> =
            const { std::cell::Cell::new(None) };
    }

    #[test]
    fn the_last_stage_of_a_trace_is_of_the_path_that_was_asked_for() {
        let config = synthetic::small_shape();
        let file = synthetic::safetensors(&config, 7, Dtype::F32).unwrap();
        for path in KernelPath::available() {
            let options = Options { path: Some(path), ..Options::new(&config) };
            let clip = Clip::load(config.clone(), &file, options).unwrap();
            let pixels = PixelValues { size: 32, data: vec![0.5; 3 * 32 * 32] };
            NORMALIZED_BY.set(None);
            let (_, trace) = clip.trace_pixels(&pixels).unwrap();
            assert_eq!(trace.stages.last().unwrap().name, "normalized");
            assert_eq!(NORMALIZED_BY.get(), Some(path), "an image");
            NORMALIZED_BY.set(None);
            clip.trace_text("a dress").unwrap();
            assert_eq!(NORMALIZED_BY.get(), Some(path), "a text");
        }
    }
}
