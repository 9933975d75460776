//! `pytorch_model.bin` to safetensors, once: the result is kept next to the checkpoint.
//!
//! candle's pickle reader interprets only what tensors need and executes nothing.

use std::{
    borrow::Cow,
    collections::HashMap,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::UNIX_EPOCH,
};

use candle_core::{DType, Tensor, pickle::PthTensors};
use safetensors::{Dtype, SafeTensors, View};

use super::{ModelError, mmap};

const SOURCE: &str = "converted_from";

/// The converted file of `checkpoint`, made if it is missing or older than the checkpoint.
///
/// # Errors
/// [`ModelError::Pytorch`] for what cannot be read, [`ModelError::Write`] if the result cannot
/// be stored.
pub(super) fn converted(checkpoint: &Path) -> Result<PathBuf, ModelError> {
    let stamp = stamp(checkpoint)?;
    let target = checkpoint.with_extension("bin.safetensors");
    if is_current(&target, &stamp) {
        return Ok(target);
    }
    tracing::info!("converting {} to safetensors, once", checkpoint.display());
    // A damaged file must not end the program, whatever the reader thinks of it.
    catch_unwind(AssertUnwindSafe(|| convert(checkpoint, &target, stamp)))
        .unwrap_or_else(|_| Err(broken(checkpoint, "the reader gave up on it")))?;
    Ok(target)
}

/// Tells one version of a file from another without reading 600 MB.
fn stamp(path: &Path) -> Result<String, ModelError> {
    let meta =
        fs::metadata(path).map_err(|source| ModelError::Read { path: path.to_owned(), source })?;
    let modified = meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Ok(format!("{} bytes, modified {}", meta.len(), modified.unwrap_or_default().as_nanos()))
}

fn is_current(target: &Path, stamp: &str) -> bool {
    let Ok(bytes) = mmap::map(target) else { return false };
    SafeTensors::read_metadata(&bytes).is_ok_and(|(_, header)| {
        header.metadata().as_ref().and_then(|m| m.get(SOURCE)).is_some_and(|found| found == stamp)
    })
}

fn convert(checkpoint: &Path, target: &Path, stamp: String) -> Result<(), ModelError> {
    let tensors = PthTensors::new(checkpoint, None).map_err(|e| broken(checkpoint, e))?;
    let failure = Mutex::new(None);
    let mut entries = Vec::new();
    let length = fs::metadata(checkpoint)
        .map_err(|source| ModelError::Read { path: checkpoint.to_owned(), source })?
        .len();
    let mut total = 0u64;
    for (name, info) in tensors.tensor_infos() {
        let dtype = match info.dtype {
            DType::F32 => Dtype::F32,
            DType::F16 => Dtype::F16,
            DType::BF16 => Dtype::BF16,
            // Buffers such as position_ids, which are no weights.
            DType::I64 | DType::I32 | DType::U8 | DType::U32 => continue,
            other => return Err(broken(checkpoint, format!("{name} has the type {other:?}"))),
        };
        // Sizes come from the file: none may ask for more memory than the file can fill.
        let values = info.layout.dims().iter().try_fold(2u64, |n, &d| n.checked_mul(d as u64));
        total = values.and_then(|bytes| bytes.checked_add(total)).unwrap_or(u64::MAX);
        if total > length {
            return Err(broken(checkpoint, format!("{name} is larger than the file")));
        }
        if info.layout.start_offset() != 0 {
            // candle counts this offset in bytes instead of elements.
            return Err(broken(
                checkpoint,
                format!("{name} shares its storage with another tensor"),
            ));
        }
        entries.push(Entry {
            name,
            dtype,
            shape: info.layout.dims().to_vec(),
            tensors: &tensors,
            failure: &failure,
        });
    }
    if entries.is_empty() {
        return Err(broken(checkpoint, "it holds no tensors"));
    }
    let temporary = target.with_extension(format!("{}.tmp", std::process::id()));
    let metadata = HashMap::from([(SOURCE.to_owned(), stamp)]);
    let views = entries.into_iter().map(|entry| (entry.name.clone(), entry));
    let written = safetensors::serialize_to_file(views, Some(metadata), &temporary);
    let failure = failure.into_inner().unwrap_or_else(PoisonError::into_inner);
    let result = match (failure, written) {
        (Some(reason), _) => Err(broken(checkpoint, reason)),
        (None, Err(safetensors::SafeTensorError::IoError(source))) => {
            Err(ModelError::Write { path: temporary.clone(), source })
        }
        (None, Err(e)) => Err(broken(checkpoint, e)),
        (None, Ok(())) => fs::File::open(&temporary)
            // Without this a power cut could leave a whole name on half a file.
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&temporary, target))
            .map_err(|source| ModelError::Write { path: target.to_owned(), source }),
    };
    if result.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    result
}

/// A tensor that is read only when its turn comes, so that one of them is in memory at a time.
struct Entry<'a> {
    name: &'a String,
    dtype: Dtype,
    shape: Vec<usize>,
    tensors: &'a PthTensors,
    failure: &'a Mutex<Option<String>>,
}

impl View for Entry<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let bytes = match self.tensors.get(self.name) {
            Ok(Some(tensor)) => bytes(&tensor).map_err(|e| e.to_string()),
            Ok(None) => Err("it is missing".into()),
            Err(e) => Err(e.to_string()),
        };
        // `View` cannot fail: the failure is kept, the file thrown away.
        Cow::Owned(bytes.unwrap_or_else(|reason| {
            let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
            failure.get_or_insert(format!("{}: {reason}", self.name));
            Vec::new()
        }))
    }

    fn data_len(&self) -> usize {
        let width = if self.dtype == Dtype::F32 { 4 } else { 2 };
        self.shape.iter().fold(width, |length: usize, &n| length.saturating_mul(n))
    }
}

fn bytes(tensor: &Tensor) -> candle_core::Result<Vec<u8>> {
    let flat = tensor.flatten_all()?;
    Ok(match tensor.dtype() {
        DType::F16 => le(flat.to_vec1::<half::f16>()?, half::f16::to_le_bytes),
        DType::BF16 => le(flat.to_vec1::<half::bf16>()?, half::bf16::to_le_bytes),
        _ => le(flat.to_vec1::<f32>()?, f32::to_le_bytes),
    })
}

fn le<T, const N: usize>(values: Vec<T>, to_bytes: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.into_iter().flat_map(to_bytes).collect()
}

fn broken(path: &Path, reason: impl ToString) -> ModelError {
    ModelError::Pytorch { path: path.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A copy of a fixture (see `tests/fixtures/make_pytorch.py`) in a folder of its own.
    fn fixture(name: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        let path = dir.path().join("pytorch_model.bin");
        fs::copy(source, &path).unwrap();
        (dir, path)
    }

    #[test]
    fn values_written_by_torch_come_back_to_the_bit() {
        let (_dir, path) = fixture("pytorch_model.bin");
        let target = converted(&path).unwrap();
        let bytes = fs::read(&target).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let mut names = file.names();
        names.sort();
        assert_eq!(names, ["bf16", "f16", "f32", "scalar", "transposed"]);

        let values = [0.0, -0.0, 1.0 / 3.0, 65504.0, -1.5, 6e-8];
        let tensor = |name| file.tensor(name).unwrap();
        assert_eq!(tensor("f32").data(), le(values.to_vec(), f32::to_le_bytes));
        let halves = values.map(half::f16::from_f32).to_vec();
        assert_eq!(tensor("f16").data(), le(halves, half::f16::to_le_bytes));
        let halves = values.map(half::bf16::from_f32).to_vec();
        assert_eq!(tensor("bf16").data(), le(halves, half::bf16::to_le_bytes));
        assert_eq!(tensor("scalar").shape(), [0; 0]);
        let transposed = vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0];
        assert_eq!(tensor("transposed").shape(), [3, 2]);
        assert_eq!(tensor("transposed").data(), le(transposed, f32::to_le_bytes));
    }

    #[test]
    fn converted_once_and_again_when_the_checkpoint_changes() {
        let (_dir, path) = fixture("pytorch_model.bin");
        let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
        let target = converted(&path).unwrap();
        let first = modified(&target);
        assert_eq!(modified(&converted(&path).unwrap()), first);
        let later = first + std::time::Duration::from_secs(5);
        fs::File::options().append(true).open(&path).unwrap().set_modified(later).unwrap();
        assert_ne!(modified(&converted(&path).unwrap()), first);
    }

    #[test]
    fn what_would_be_misread_is_refused() {
        let (_dir, path) = fixture("shared_storage.bin");
        let error = converted(&path).unwrap_err().to_string();
        assert!(error.contains("part shares its storage"), "{error}");
    }

    #[test]
    fn damaged_files_are_errors() {
        let (dir, path) = fixture("pytorch_model.bin");
        let whole = fs::read(&path).unwrap();
        for bytes in [&b""[..], b"not a zip", &whole[..whole.len() / 2]] {
            fs::write(&path, bytes).unwrap();
            assert!(matches!(converted(&path), Err(ModelError::Pytorch { .. })));
        }
        // Flipped bytes: an error or, where they only change values, a result; never a crash.
        for at in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x55;
            fs::write(&path, bytes).unwrap();
            let _ = converted(&path);
        }
        let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path()).collect();
        assert!(left.iter().all(|p| p.extension().is_some_and(|e| e != "tmp")), "{left:?}");
    }
}
