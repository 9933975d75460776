//! Why weights cannot be used.

/// A weights file that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// Not a safetensors file, or a damaged one.
    #[error("not a readable safetensors file: {0}. Download it again: it may be cut off")]
    Format(String),
    /// Tensors that are missing, misshaped or unknown, one per line.
    #[error("the weights do not fit config.json: {}", .0.join("; "))]
    Mismatch(Vec<String>),
    /// A value that no training leaves behind.
    #[error("tensor {name} holds {value} at element {index}: the file is damaged")]
    NotFinite {
        /// Of the tensor.
        name: String,
        /// Of the element.
        index: usize,
        /// Infinity or NaN.
        value: f32,
    },
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

/// The problems, at most eight of them.
pub(super) fn mismatch(mut problems: Vec<String>) -> WeightsError {
    const SHOWN: usize = 8;
    if problems.len() > SHOWN {
        let more = problems.len() - SHOWN;
        problems.truncate(SHOWN);
        problems.push(format!("and {more} more"));
    }
    WeightsError::Mismatch(problems)
}
