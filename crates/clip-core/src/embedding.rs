//! Vectors, and which kind one holds: as projected, or of unit length.

use crate::kernel::{KernelError, Kernels, Path};

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
        let norm = dot(&self.0, &self.0).sqrt();
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
        dot(&self.0, &other.0)
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

/// Dot product in the contract's order, on this machine's fastest path.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    static FASTEST: std::sync::OnceLock<&'static Kernels> = std::sync::OnceLock::new();
    let kernels = FASTEST.get_or_init(|| {
        let fastest = Path::available().pop().unwrap_or(Path::Scalar);
        // `available` lists only what can run here.
        fastest.kernels().or_else(|_: KernelError| Path::Scalar.kernels()).expect("scalar runs")
    });
    kernels.dot(a, b)
}
