//! `pytorch_model.bin` to safetensors, once: the result is kept next to the checkpoint, or where
//! that cannot be written in the user's cache folder.
//!
//! candle's pickle reader interprets only what tensors need and executes nothing. What it would
//! choke on is refused before ([`pickle::check`]).

use std::{
    borrow::Cow,
    collections::HashMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::UNIX_EPOCH,
};

use candle_core::{DType, Tensor, pickle::PthTensors};
use safetensors::{Dtype, SafeTensors, View};

use super::{ModelError, cache::create_parent, pickle};
use crate::{caches, mmap, panics::caught};
use clip_core::trace::sha256;

const SOURCE: &str = "converted_from";
/// Files in the archive. Each tensor is one; the largest CLIPs have 2,000.
const MAX_FILES: usize = 20_000;
/// Tensors times files in the archive: candle lists the files anew for each tensor.
const MAX_LOOKS: usize = 50_000_000;

/// The converted file of `checkpoint`, made if it is missing or older than the checkpoint.
///
/// # Errors
/// [`ModelError::Pytorch`] for what cannot be read, [`ModelError::Write`] if the result cannot
/// be stored.
pub(super) fn converted(checkpoint: &Path) -> Result<PathBuf, ModelError> {
    let stamp = stamp(checkpoint)?;
    let beside = checkpoint.with_extension("bin.safetensors");
    let mut targets = vec![beside];
    targets.extend(elsewhere(checkpoint));
    if let Some(target) = targets.iter().find(|target| is_current(target, &stamp)) {
        return Ok(target.clone());
    }
    let files = examine(checkpoint)?;
    tracing::info!("converting {} to safetensors, once", checkpoint.display());
    let mut failed = None;
    for target in targets {
        let made = caught(|| convert(checkpoint, files, &target, &stamp));
        match made.unwrap_or_else(|| Err(broken(checkpoint, "the reader gave up on it"))) {
            Ok(()) => return Ok(target),
            // The place of the checkpoint may be read-only, or full: the first reason is told.
            Err(e @ ModelError::Write { .. }) => failed = failed.or(Some(e)),
            Err(e) => return Err(e),
        }
    }
    Err(failed.unwrap_or_else(|| broken(checkpoint, "there is no place for the result")))
}

/// Where else the converted file may be.
fn elsewhere(checkpoint: &Path) -> Vec<PathBuf> {
    let full = checkpoint.canonicalize().unwrap_or_else(|_| checkpoint.to_owned());
    let name = sha256(full.as_os_str().as_encoded_bytes());
    let name = format!("{}.safetensors", &name[..32]);
    caches::folders().map(|folder| folder.join(&name)).collect()
}

/// Looks whether the archive and its pickle are what candle can be given; how many files it has.
fn examine(checkpoint: &Path) -> Result<usize, ModelError> {
    let read = |source| ModelError::Read { path: checkpoint.to_owned(), source };
    let broken = |reason: String| broken(checkpoint, reason);
    let mut file = io::BufReader::new(fs::File::open(checkpoint).map_err(read)?);
    let mut start = [0; 2];
    if file.read_exact(&mut start).is_err() || &start != b"PK" {
        let advice = "it is no archive as torch.save has written them since PyTorch 1.6: save it \
                      again, or as safetensors";
        return Err(broken(advice.into()));
    }
    let mut archive = zip::ZipArchive::new(file).map_err(|e| broken(e.to_string()))?;
    let files = archive.len();
    if files > MAX_FILES {
        return Err(broken(format!("it holds {files} files, more than {MAX_FILES}")));
    }
    let names: Vec<String> = archive
        .file_names()
        .filter_map(|name| Some(name.ok()?.into_owned()))
        .filter(|name| name.ends_with("data.pkl"))
        .collect();
    let [name] = names.as_slice() else {
        return Err(broken(format!("it holds {} files data.pkl instead of one", names.len())));
    };
    let mut bytes = Vec::new();
    archive
        .by_name(name)
        .map_err(|e| broken(e.to_string()))?
        .take(pickle::MAX_PICKLE as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| broken(format!("data.pkl: {e}")))?;
    pickle::check(&bytes).map_err(broken)?;
    Ok(files)
}

/// The body of the fuzz target `pickle`: what [`pickle::check`] lets through, candle reads.
///
/// # Panics
/// It does not.
#[doc(hidden)]
pub fn fuzz_pickle(data: &[u8]) {
    if pickle::check(data).is_ok() {
        let mut stack = candle_core::pickle::Stack::empty();
        let object = stack.read_loop(&mut &*data).and_then(|()| stack.finalize());
        let candle_core::pickle::Object::Dict(entries) = object.expect("candle reads it") else {
            panic!("no dict");
        };
        for (name, value) in entries {
            // Only a type of storage that candle does not know is an error.
            if let Err(e) = value.into_tensor_info(name, Path::new("archive/data")) {
                assert!(e.to_string().contains("unsupported storage type"), "{e}");
            }
        }
    }
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

fn convert(checkpoint: &Path, files: usize, target: &Path, stamp: &str) -> Result<(), ModelError> {
    let tensors = PthTensors::new(checkpoint, None).map_err(|e| broken(checkpoint, e))?;
    let count = tensors.tensor_infos().len();
    if count.saturating_mul(files) > MAX_LOOKS {
        return Err(broken(checkpoint, format!("{count} tensors in {files} files are too many")));
    }
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
    create_parent(target)
        .map_err(|source| ModelError::Write { path: target.to_owned(), source })?;
    let metadata = HashMap::from([(SOURCE.to_owned(), stamp.to_owned())]);
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
mod tests;
