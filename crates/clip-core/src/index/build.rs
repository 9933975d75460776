//! Makes the two files of an index.

use safetensors::{Dtype, tensor::TensorView};

use super::{About, DIGEST, FORMAT, IndexError, VERSION, check, digest};
use crate::Provenance;

/// The mean of all vectors. CLIP's lie in a narrow cone, so what remains after taking it away is
/// smaller and has no outliers: its codes are finer.
#[derive(Debug)]
pub struct Mean {
    sums: Vec<f64>,
    rows: usize,
}

impl Mean {
    /// Of vectors of `dim` values.
    pub fn new(dim: usize) -> Self {
        Mean { sums: vec![0.0; dim], rows: 0 }
    }

    /// Takes a vector of unit length into account.
    ///
    /// # Errors
    /// It has another length, or is not of unit length.
    pub fn add(&mut self, values: &[f32]) -> Result<(), IndexError> {
        check(values, self.sums.len(), &format!("row {}", self.rows))?;
        self.sums.iter_mut().zip(values).for_each(|(sum, &x)| *sum += f64::from(x));
        self.rows += 1;
        Ok(())
    }

    /// Its values.
    pub fn values(&self) -> Vec<f32> {
        let rows = self.rows.max(1) as f64;
        self.sums.iter().map(|sum| (sum / rows) as f32).collect()
    }

    /// The builder of an index of these vectors.
    pub fn builder(self) -> Builder {
        let mean = self.values();
        let (codes, digest) = (Vec::new(), Vec::new());
        Builder { mean, codes, scale: Vec::new(), error: Vec::new(), group: Vec::new(), digest }
    }
}

/// Collects the codes of an index; 1 byte per value.
#[derive(Debug)]
pub struct Builder {
    mean: Vec<f32>,
    codes: Vec<u8>,
    scale: Vec<f32>,
    error: Vec<f32>,
    group: Vec<u32>,
    digest: Vec<u8>,
}

impl Builder {
    /// Adds a vector of unit length, of the same group as the one before or of the next.
    ///
    /// # Errors
    /// It has another length, or is not of unit length.
    pub fn push(&mut self, values: &[f32], same_group: bool) -> Result<(), IndexError> {
        check(values, self.mean.len(), &format!("row {}", self.group.len()))?;
        let rest: Vec<f64> = values
            .iter()
            .zip(&self.mean)
            .map(|(&x, &mean)| f64::from(x) - f64::from(mean))
            .collect();
        let largest = rest.iter().fold(0.0f64, |max, x| max.max(x.abs()));
        // A row that is the mean itself has codes of zero.
        let scale = if largest > 0.0 { (largest / 127.0) as f32 } else { 1.0 };
        let mut lost = 0.0;
        for x in rest {
            let code = (x / f64::from(scale)).round().clamp(-127.0, 127.0);
            let off = x - code * f64::from(scale);
            lost += off * off;
            self.codes.push((code as i8).cast_unsigned());
        }
        let group = match self.group.last() {
            Some(&last) => last + u32::from(!same_group),
            None => 0,
        };
        self.scale.push(scale);
        // Rounded up: it is a bound.
        self.error.push((lost.sqrt() * 1.000_001) as f32);
        self.group.push(group);
        self.digest.extend(digest(values));
        Ok(())
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.group.len()
    }

    /// The scan file.
    ///
    /// # Errors
    /// [`IndexError::Format`] if it cannot be put together.
    pub fn finish(self, provenance: &Provenance) -> Result<Vec<u8>, IndexError> {
        let bad = |e: String| IndexError::Format(e);
        let (rows, dim) = (self.group.len(), self.mean.len());
        let floats =
            |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|x| x.to_le_bytes()).collect() };
        let group: Vec<u8> = self.group.iter().flat_map(|x| x.to_le_bytes()).collect();
        let (mean, scale) = (floats(&self.mean), floats(&self.scale));
        let error = floats(&self.error);
        let parts: [(&str, Dtype, Vec<usize>, &[u8]); 6] = [
            ("codes", Dtype::I8, vec![rows, dim], &self.codes),
            ("mean", Dtype::F32, vec![dim], &mean),
            ("scale", Dtype::F32, vec![rows], &scale),
            ("error", Dtype::F32, vec![rows], &error),
            ("group", Dtype::U32, vec![rows], &group),
            ("digest", Dtype::U8, vec![rows, DIGEST], &self.digest),
        ];
        let mut views = Vec::new();
        for (name, dtype, shape, data) in parts {
            let view = TensorView::new(dtype, shape, data).map_err(|e| bad(e.to_string()))?;
            views.push((name, view));
        }
        // One key: the order of several would differ from file to file.
        let about = serde_json::to_string(&About { version: VERSION, provenance })
            .map_err(|e| bad(e.to_string()))?;
        let metadata = [(FORMAT.to_owned(), about)];
        safetensors::serialize(views, Some(metadata.into())).map_err(|e| bad(e.to_string()))
    }
}

/// What the exact file begins with; `rows * dim` little-endian floats follow.
pub fn exact_header(rows: usize, dim: usize) -> Vec<u8> {
    let bytes = rows * dim * size_of::<f32>();
    let mut json = format!(
        r#"{{"vectors":{{"dtype":"F32","shape":[{rows},{dim}],"data_offsets":[0,{bytes}]}}}}"#
    );
    // As in the format's own writer: the values are aligned to 8 bytes.
    while json.len() % 8 != 0 {
        json.push(' ');
    }
    let mut header = (json.len() as u64).to_le_bytes().to_vec();
    header.extend(json.into_bytes());
    header
}
