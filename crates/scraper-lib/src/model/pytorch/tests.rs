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
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
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
        b"K\x00K\x04\x85",                                             // no stride
        b"K\x00K\x04\x85(t",                                           // of another length
        b"J\xff\xff\xff\xffK\x04\x85K\x01\x85",                        // a negative offset
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
