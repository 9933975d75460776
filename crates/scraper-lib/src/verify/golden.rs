//! Recorded vectors: what `scraper export` writes, or anything of that shape.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use sha2::{Digest, Sha256};

/// A longer line or header is none of ours.
const MAX_LINE: u64 = 16 << 20;

/// A recorded vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Golden {
    /// Where the image is.
    pub image: String,
    /// SHA-256 of its bytes (hex), where recorded.
    pub sha256: Option<String>,
    pub values: Vec<f32>,
}

#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", .path.display())]
pub struct GoldenError {
    pub path: PathBuf,
    pub reason: String,
}

#[derive(Deserialize)]
struct Line {
    #[serde(alias = "input", alias = "file")]
    image: String,
    sha256: Option<String>,
    embedding: Option<Vec<f32>>,
}

impl Golden {
    /// Reads `path`: JSON lines with `image` and `embedding`, or an `.npy` array of f32 with a
    /// `.rows.jsonl` beside it. Keeps at most `size` of them, chosen by a digest of the address.
    ///
    /// # Errors
    /// The file cannot be read, or is of another shape.
    pub fn read(path: &Path, size: usize) -> Result<Vec<Golden>, GoldenError> {
        let fail = |reason: String| GoldenError { path: path.to_owned(), reason };
        let open = |path: &Path| {
            File::open(path)
                .map(BufReader::new)
                .map_err(|e| GoldenError { path: path.to_owned(), reason: e.to_string() })
        };
        let mut chosen: Vec<([u8; 32], Golden)> = Vec::new();
        let mut keep = |golden: Golden| {
            chosen.push((Sha256::digest(&golden.image).into(), golden));
            if chosen.len() >= 2 * size.max(64) {
                chosen.sort_by_key(|(digest, _)| *digest);
                chosen.truncate(size);
            }
        };
        let is_npy = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npy"));
        let mut array = match is_npy {
            true => Some(Npy::open(open(path)?).map_err(&fail)?),
            false => None,
        };
        let lines_path = match is_npy {
            true => path.with_extension("rows.jsonl"),
            false => path.to_owned(),
        };
        let mut lines = open(&lines_path)?;
        let mut text = Vec::new();
        for number in 1.. {
            text.clear();
            let line = |reason: String| GoldenError {
                path: lines_path.clone(),
                reason: format!("line {number}: {reason}"),
            };
            let read = lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut text);
            if read.map_err(|e| line(e.to_string()))? == 0 {
                break;
            }
            let Line { image, sha256, embedding } =
                serde_json::from_slice(&text).map_err(|e| line(e.to_string()))?;
            let values = match (&mut array, embedding) {
                (Some(array), _) => array.row().map_err(&fail)?,
                (None, Some(values)) => values,
                (None, None) => return Err(line("there is no \"embedding\"".into())),
            };
            keep(Golden { image, sha256, values });
        }
        chosen.sort_by_key(|(digest, _)| *digest);
        chosen.truncate(size);
        if chosen.is_empty() {
            return Err(fail("it holds no vector".into()));
        }
        Ok(chosen.into_iter().map(|(_, golden)| golden).collect())
    }
}

/// The rows of an array `[rows, dim]` of little-endian f32.
struct Npy<R> {
    reader: R,
    rows: usize,
    dim: usize,
}

impl<R: Read> Npy<R> {
    fn open(mut reader: R) -> Result<Self, String> {
        let mut head = [0; 10];
        reader.read_exact(&mut head).map_err(|e| e.to_string())?;
        let (magic, length) = match head {
            [m @ .., 1, 0, a, b] if m == *b"\x93NUMPY" => (true, u16::from_le_bytes([a, b])),
            _ => (false, 0),
        };
        if !magic {
            return Err("it is no NumPy array of format 1.0".into());
        }
        let mut header = vec![0; usize::from(length)];
        reader.read_exact(&mut header).map_err(|e| e.to_string())?;
        let header = String::from_utf8_lossy(&header);
        let shape = || {
            let (_, shape) = header.split_once("'shape': (")?;
            let (rows, dim) = shape.split_once(')')?.0.split_once(',')?;
            Some((rows.trim().parse().ok()?, dim.trim().trim_end_matches(',').parse().ok()?))
        };
        let plain = header.contains("'<f4'") && header.contains("'fortran_order': False");
        match shape() {
            Some((rows, dim)) if plain && dim <= 1 << 20 => Ok(Npy { reader, rows, dim }),
            _ => Err(format!("it is no array [rows, dim] of f32: {}", header.trim())),
        }
    }

    fn row(&mut self) -> Result<Vec<f32>, String> {
        self.rows = self.rows.checked_sub(1).ok_or("it has fewer rows than lines beside it")?;
        let mut bytes = vec![0; 4 * self.dim];
        self.reader.read_exact(&mut bytes).map_err(|e| e.to_string())?;
        let (values, _) = bytes.as_chunks::<4>();
        Ok(values.iter().map(|&value| f32::from_le_bytes(value)).collect())
    }
}
