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
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::UNIX_EPOCH,
};

use candle_core::{DType, Tensor, pickle::PthTensors};
use safetensors::{Dtype, SafeTensors, View};

use sha2::{Digest, Sha256};

use super::{ModelError, cache::create_parent, download::hex, mmap, pickle};

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
        // A damaged file must not end the program, whatever the reader thinks of it.
        let made = catch_unwind(AssertUnwindSafe(|| convert(checkpoint, files, &target, &stamp)));
        match made.unwrap_or_else(|_| Err(broken(checkpoint, "the reader gave up on it"))) {
            Ok(()) => return Ok(target),
            // The place of the checkpoint may be read-only, or full: the first reason is told.
            Err(e @ ModelError::Write { .. }) => failed = failed.or(Some(e)),
            Err(e) => return Err(e),
        }
    }
    Err(failed.unwrap_or_else(|| broken(checkpoint, "there is no place for the result")))
}

/// Where else the converted file may be: in `XDG_CACHE_HOME` or the home folder's `.cache`, else
/// in a folder of this user alone among the temporary files.
fn elsewhere(checkpoint: &Path) -> Vec<PathBuf> {
    let full = checkpoint.canonicalize().unwrap_or_else(|_| checkpoint.to_owned());
    let name = hex(&Sha256::digest(full.as_os_str().as_encoded_bytes()));
    let name = format!("{}.safetensors", &name[..32]);
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let home = || Some(PathBuf::from(set("HOME").or_else(|| set("USERPROFILE"))?).join(".cache"));
    let cache = set("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    let folders = [cache.map(|cache| cache.join("clip-scraper")), private_temporary()];
    folders.into_iter().flatten().map(|folder| folder.join(&name)).collect()
}

/// A folder that other users of the machine can neither read nor fill.
#[cfg(unix)]
fn private_temporary() -> Option<PathBuf> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    // Its owner is whoever this process is.
    let me = tempfile::tempfile().ok()?.metadata().ok()?.uid();
    let folder = std::env::temp_dir().join(format!("clip-scraper-{me}"));
    let _ = fs::DirBuilder::new().mode(0o700).create(&folder);
    let found = fs::symlink_metadata(&folder).ok()?;
    (found.is_dir() && found.uid() == me && found.mode() & 0o077 == 0).then_some(folder)
}

#[cfg(not(unix))]
fn private_temporary() -> Option<PathBuf> {
    Some(std::env::temp_dir().join("clip-scraper"))
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

    /// An archive with this `data.pkl`, as `torch.save` lays it out.
    fn archive(pickle: &[u8]) -> (tempfile::TempDir, PathBuf) {
        use std::io::Write;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pytorch_model.bin");
        let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
        let stored = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        zip.start_file("archive/data.pkl", stored).unwrap();
        zip.write_all(pickle).unwrap();
        zip.finish().unwrap();
        (dir, path)
    }

    #[test]
    fn pickles_that_would_end_the_program_are_errors() {
        // Tuples of eight copies of the tuple before: 8^20 objects.
        let mut laughs = b"\x80\x02(K\x01K\x01K\x01K\x01K\x01K\x01K\x01K\x01tq\x00".to_vec();
        for level in 0..20 {
            laughs.push(b'(');
            laughs.extend([b'h', level].repeat(8));
            laughs.extend([b't', b'q', level + 1]);
        }
        laughs.push(b'.');
        let deep = [b"\x80\x02".as_slice(), &b"]".repeat(500_000), &b"a".repeat(499_999), b"."];
        let nested = [b"\x80\x02K\x01".as_slice(), &b"\x85".repeat(500_000), b"."].concat();
        for (pickle, reason) in [
            (laughs, "more than 128 MiB of objects"),
            (deep.concat(), "more than 64 deep"),
            (nested, "more than 64 deep"),
            (b"\x80\x02X\xff\xff\xff\x7fabc.".to_vec(), "it ends early"),
            (b"\x80\x02\x8a\xff0123.".to_vec(), "more than 64 bits"),
            (b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.".to_vec(), "os.system"),
            (b"\x80\x02]q\x00h\x07.".to_vec(), "the memo has no 7"),
            (b"\x80\x02K\x01.".to_vec(), "no state dict"),
            (b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00}\x94.".to_vec(), "0x95"),
        ] {
            let (_dir, path) = archive(&pickle);
            let error = converted(&path).unwrap_err().to_string();
            assert!(error.contains(reason), "{reason}: {error}");
        }
    }

    #[test]
    fn tensors_that_candle_would_stumble_over_are_errors() {
        // {"w": _rebuild_tensor_v2(("storage", FloatStorage, "0", "cpu", 4), 0, SIZE, STRIDE)}
        let pickle = |tail: &[u8]| {
            let mut bytes = b"\x80\x02}X\x01\x00\x00\x00w".to_vec();
            bytes.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storage");
            bytes.extend(b"ctorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ");
            bytes.extend(tail);
            bytes.extend(b"tRs.");
            bytes
        };
        assert_eq!(pickle::check(&pickle(b"K\x00K\x04\x85K\x01\x85")), Ok(()));
        let huge = b"K\x00(J\xff\xff\xff\x7fJ\xff\xff\xff\x7fJ\xff\xff\xff\x7ft(K\x01K\x01K\x01t";
        for tail in [
            huge.as_slice(),
            b"K\x00(K\x00J\xff\xff\xff\x7fJ\xff\xff\xff\x7fJ\xff\xff\xff\x7ft(K\x01K\x01K\x01K\x01t",
            b"K\x00K\x04\x85",                               // no stride
            b"K\x00K\x04\x85(t",                             // of another length
            b"J\xff\xff\xff\xffK\x04\x85K\x01\x85",          // a negative offset
            b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7fK\x04\x85K\x01\x85", // and a huge one
            b"NN)",
        ] {
            let error = pickle::check(&pickle(tail)).unwrap_err();
            assert!(error.starts_with("w: a tensor"), "{error}");
        }
    }

    /// What is let through is read; the rest is refused. Neither panics.
    #[test]
    fn changed_pickles_are_read_or_refused() {
        let (_dir, path) = fixture("pytorch_model.bin");
        let mut archive = zip::ZipArchive::new(fs::File::open(path).unwrap()).unwrap();
        let name = archive.file_names().map(|name| name.unwrap().into_owned());
        let name = name.into_iter().find(|name| name.ends_with("data.pkl")).unwrap();
        let mut pickle = Vec::new();
        archive.by_name(&name).unwrap().read_to_end(&mut pickle).unwrap();
        fuzz_pickle(&pickle);
        assert_eq!(pickle::check(&pickle), Ok(()));
        for at in 0..pickle.len() {
            for flip in [1, 4, 0x55, 0xff] {
                let mut changed = pickle.clone();
                changed[at] ^= flip;
                fuzz_pickle(&changed);
            }
        }
    }

    #[test]
    #[cfg(unix)]
    fn beside_a_checkpoint_nothing_need_be_writable() {
        use std::os::unix::fs::PermissionsExt;
        let (dir, path) = fixture("pytorch_model.bin");
        // A folder in the place of the result: root may write everywhere.
        fs::create_dir(path.with_extension("bin.safetensors")).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o555)).unwrap();
        let target = converted(&path).unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(!target.starts_with(dir.path()), "{}", target.display());
        let first = fs::metadata(&target).unwrap().modified().unwrap();
        assert_eq!(converted(&path).unwrap(), target);
        assert_eq!(fs::metadata(&target).unwrap().modified().unwrap(), first, "made once");
        fs::remove_file(target).unwrap();
    }
}
