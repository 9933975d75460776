//! Makes the two files of an index.

use safetensors::{
    Dtype,
    tensor::{Metadata, TensorInfo},
};

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
        Builder {
            mean: self.values(),
            scale: Vec::new(),
            error: Vec::new(),
            group: Vec::new(),
            digest: Vec::new(),
        }
    }
}

/// Collects what a scan file tells of its rows, 20 bytes of each. The codes, which are far more, go
/// where the caller wants them, and in the end between the two parts of a [`Frame`].
#[derive(Debug)]
pub struct Builder {
    mean: Vec<f32>,
    scale: Vec<f32>,
    error: Vec<f32>,
    group: Vec<u32>,
    digest: Vec<u8>,
}

/// What is known of a row besides its codes.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    scale: f32,
    error: f32,
    digest: [u8; DIGEST],
}

/// What stands before and after the codes of all rows in a scan file.
#[derive(Debug)]
pub struct Frame {
    /// Its beginning.
    pub before: Vec<u8>,
    /// Its end.
    pub after: Vec<u8>,
}

impl Builder {
    /// Appends the codes of a vector of unit length to `codes`: `dim` bytes. Rows may be done in any
    /// order, on several threads.
    ///
    /// # Errors
    /// It has another length, or is not of unit length.
    pub fn code(&self, values: &[f32], codes: &mut Vec<u8>) -> Result<Code, IndexError> {
        check(values, self.mean.len(), "a row")?;
        let rest = values.iter().zip(&self.mean).map(|(&x, &mean)| f64::from(x) - f64::from(mean));
        let largest = rest.clone().fold(0.0f64, |max, x| max.max(x.abs()));
        // A row that is the mean itself has codes of zero.
        let scale = if largest > 0.0 { (largest / 127.0) as f32 } else { 1.0 };
        let mut lost = 0.0;
        for x in rest {
            let code = (x / f64::from(scale)).round().clamp(-127.0, 127.0);
            let off = x - code * f64::from(scale);
            lost += off * off;
            codes.push((code as i8).cast_unsigned());
        }
        // Rounded up: it is a bound.
        let error = (lost.sqrt() * 1.000_001) as f32;
        Ok(Code { scale, error, digest: digest(values) })
    }

    /// Adds the next row, of the same group as the one before or of the next.
    pub fn push(&mut self, code: Code, same_group: bool) {
        let group = match self.group.last() {
            Some(&last) => last + u32::from(!same_group),
            None => 0,
        };
        self.scale.push(code.scale);
        self.error.push(code.error);
        self.group.push(group);
        self.digest.extend(code.digest);
    }

    /// The digests of all rows so far, 8 bytes each.
    pub fn digests(&self) -> &[u8] {
        &self.digest
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.group.len()
    }

    /// What stands around the codes.
    ///
    /// # Errors
    /// [`IndexError::Format`] if it cannot be put together.
    pub fn finish(self, provenance: &Provenance) -> Result<Frame, IndexError> {
        let (rows, dim) = (self.group.len(), self.mean.len());
        // The order of the format's own writer: large types first, then by name.
        let parts: [(&str, Dtype, Vec<usize>, usize); 6] = [
            ("error", Dtype::F32, vec![rows], 4 * rows),
            ("mean", Dtype::F32, vec![dim], 4 * dim),
            ("scale", Dtype::F32, vec![rows], 4 * rows),
            ("group", Dtype::U32, vec![rows], 4 * rows),
            ("codes", Dtype::I8, vec![rows, dim], rows * dim),
            ("digest", Dtype::U8, vec![rows, DIGEST], rows * DIGEST),
        ];
        let mut end = 0;
        let tensors = parts.map(|(name, dtype, shape, bytes)| {
            let start = end;
            end += bytes;
            (name.to_owned(), TensorInfo { dtype, shape, data_offsets: (start, end) })
        });
        // One key: the order of several would differ from file to file.
        let about = serde_json::to_string(&About { version: VERSION, provenance });
        let about = about.map_err(|e| IndexError::Format(e.to_string()))?;
        let metadata = Metadata::new(Some([(FORMAT.to_owned(), about)].into()), tensors.into())
            .map_err(|e| IndexError::Format(e.to_string()))?;
        let json =
            serde_json::to_string(&metadata).map_err(|e| IndexError::Format(e.to_string()))?;
        let mut before = header(json);
        for values in [&self.error, &self.mean, &self.scale] {
            before.extend(values.iter().flat_map(|x| x.to_le_bytes()));
        }
        before.extend(self.group.iter().flat_map(|x| x.to_le_bytes()));
        Ok(Frame { before, after: self.digest })
    }
}

/// Bytes of [`exact_header`], however many rows follow, so that they can be written before it.
pub const EXACT_HEADER: usize = 128;

/// What the exact file begins with; `rows * dim` little-endian floats follow.
pub fn exact_header(rows: usize, dim: usize) -> Vec<u8> {
    let bytes = rows * dim * size_of::<f32>();
    let json = format!(
        r#"{{"vectors":{{"dtype":"F32","shape":[{rows},{dim}],"data_offsets":[0,{bytes}]}}}}"#
    );
    header(format!("{json:<0$}", EXACT_HEADER - 8))
}

/// As the format's own writer makes it: what follows is aligned to 8 bytes.
fn header(mut json: String) -> Vec<u8> {
    while !json.len().is_multiple_of(8) {
        json.push(' ');
    }
    let mut header = (json.len() as u64).to_le_bytes().to_vec();
    header.extend(json.into_bytes());
    header
}
