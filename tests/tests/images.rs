//! Pixel values equal to Hugging Face's, bit for bit, on the whole corpus.

use std::{collections::BTreeMap, fs, io::Read, path::Path};

use clip_core::{
    config::PreprocessConfig,
    image::{ImageError, Limits, PixelValues, Processor, Profile},
};
use clip_tests::files;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// tests/goldens/images.json, made by tests/reference/images.py.
#[derive(Deserialize)]
struct Goldens {
    presets: Vec<String>,
    /// A digest for each preset; `None` where `exceptions` in the file says why there is none.
    files: BTreeMap<String, Vec<Option<String>>>,
    errors: BTreeMap<String, String>,
}

fn tests_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn goldens() -> Goldens {
    serde_json::from_slice(&fs::read(tests_dir().join("goldens/images.json")).unwrap()).unwrap()
}

fn corpus(name: &str) -> Vec<u8> {
    fs::read(tests_dir().join("corpus").join(name)).unwrap()
}

fn processor(preset: &str) -> Processor {
    let profile: Profile = preset.parse().unwrap();
    Processor::new(&PreprocessConfig::clip(224), profile, Limits::default())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn digest(values: &PixelValues) -> String {
    clip_core::trace::sha256_f32(&values.data)
}

#[test]
fn corpus_matches_every_preset() {
    let goldens = goldens();
    assert_eq!(goldens.presets, Profile::PRESETS.map(|(name, _)| name));
    assert!(goldens.files.len() >= 150, "{} files", goldens.files.len());
    let mut wrong = Vec::new();
    for (at, preset) in goldens.presets.iter().enumerate() {
        let processor = processor(preset);
        for (name, digests) in &goldens.files {
            let Some(expected) = &digests[at] else { continue };
            match processor.process(&corpus(name)) {
                Ok(values) if digest(&values) == *expected => {}
                Ok(_) => wrong.push(format!("{preset}: {name}: other pixels")),
                Err(e) => wrong.push(format!("{preset}: {name}: {e}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{} of the goldens missed:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_corpus_file_has_a_golden() {
    let goldens = goldens();
    let root = tests_dir().join("corpus");
    let mut count = 0;
    for path in files::below(&root) {
        if path.extension().is_some_and(|e| e != "json") {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
            let known = goldens.files.contains_key(&name) || goldens.errors.contains_key(&name);
            assert!(known, "{name} has no golden: run tests/reference/images.py goldens");
            count += 1;
        }
    }
    assert_eq!(count, goldens.files.len() + goldens.errors.len());
}

/// A digest says that something differs; these whole arrays say where.
#[test]
fn full_arrays_match() {
    for file in ["jpeg/photo-420-q75.jpg", "png/rgba8-gradient.png", "jpeg/tall-pass-order.jpg"] {
        for (preset, _) in Profile::PRESETS {
            let stem = Path::new(file).file_stem().unwrap().to_str().unwrap();
            let packed = tests_dir().join(format!("goldens/images-{stem}-{preset}.f32.zz"));
            let mut expected = Vec::new();
            let packed = fs::File::open(packed).unwrap();
            flate2::read::ZlibDecoder::new(packed).read_to_end(&mut expected).unwrap();
            let values = processor(preset).process(&corpus(file)).unwrap();
            assert_eq!(values.data.len() * 4, expected.len());
            for (i, (ours, theirs)) in values.data.iter().zip(expected.chunks_exact(4)).enumerate()
            {
                let theirs = f32::from_le_bytes(theirs.try_into().unwrap());
                let (c, y, x) = (i / 224 / 224, i / 224 % 224, i % 224);
                assert_eq!(ours.to_bits(), theirs.to_bits(), "{preset} {file}: [{c}, {y}, {x}]");
            }
        }
    }
}

#[test]
fn stages_end_where_process_ends() {
    for (name, digests) in goldens().files.iter().step_by(7) {
        for (at, (preset, _)) in Profile::PRESETS.iter().enumerate() {
            let stages = processor(preset).stages(&corpus(name)).unwrap();
            let Some(expected) = &digests[at] else { continue };
            assert_eq!(digest(&stages.pixels), *expected, "{preset} {name}");
            let (w, h) = (stages.resized.width, stages.resized.height);
            assert_eq!(w.min(h), 224);
            assert_eq!(stages.resized.data.len(), (w * h * 3) as usize);
            assert_eq!((stages.cropped.width, stages.cropped.height), (224, 224));
        }
    }
}

#[test]
fn bad_files_are_refused_by_name() {
    let goldens = goldens();
    assert!(goldens.errors.len() >= 30);
    let processor = processor("hf-endpoint");
    let mut wrong = Vec::new();
    for (name, kind) in &goldens.errors {
        match processor.process(&corpus(name)) {
            Err(error) if error.kind() == kind => {}
            Err(error) => wrong.push(format!("{name}: {} for {kind}: {error}", error.kind())),
            Ok(_) => wrong.push(format!("{name}: accepted, {kind} expected")),
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Any cut of a good file gives a vector only if Pillow would still give the same one.
#[test]
fn a_cut_file_is_an_error_or_the_same_image() {
    for name in [
        "jpeg/photo-420-q20.jpg",
        "jpeg/progressive-444.jpg",
        "jpeg/own-422-noninterleaved.jpg",
        "png/rgba8.png",
        "png/rgb16-adam7.png",
        "webp/lossy-17x33.webp",
        "webp/lossless-alpha.webp",
        "webp/lossy-alpha-aq10.webp",
        "gif/plain.gif",
        "bmp/rle8.bmp",
        "bmp/rgb24.bmp",
    ] {
        let whole = corpus(name);
        let processor = processor("transformers5");
        let expected = processor.process(&whole).unwrap();
        for cut in (0..whole.len()).step_by(whole.len() / 60 + 1) {
            match processor.process(&whole[..cut]) {
                Ok(values) => assert_eq!(values, expected, "{name} cut at {cut}"),
                Err(ImageError::Empty) => assert_eq!(cut, 0),
                Err(_) => {}
            }
        }
    }
}

/// Damage of a fixed pattern: an error or a vector, and no decoder panics on the way.
#[test]
fn damaged_files_never_panic() {
    let processor = processor("hf-endpoint");
    let mut state = 1u32;
    let mut random = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below.max(1)
    };
    let (mut read, mut refused) = (0, 0);
    for name in goldens().files.keys() {
        let whole = corpus(name);
        for round in 0..4 {
            let mut bytes = whole.clone();
            for _ in 0..=round * 3 {
                let at = random(bytes.len());
                bytes[at] = random(256) as u8;
            }
            match processor.process(&bytes) {
                Ok(values) => {
                    assert_eq!(values.data.len(), 3 * 224 * 224);
                    read += 1;
                }
                Err(error) => {
                    assert!(!error.to_string().contains("could not handle"), "{name}: {error}");
                    refused += 1;
                }
            }
        }
    }
    assert!(read > 100 && refused > 100, "{read} read, {refused} refused");
}

#[test]
fn limits_are_named_and_can_be_raised() {
    let small = Limits { max_bytes: 1000, max_pixels: 10_000 };
    let config = PreprocessConfig::clip(224);
    let strict = Processor::new(&config, Profile::HF_ENDPOINT, small);
    let bytes = corpus("jpeg/photo-420-q75.jpg");
    let error = strict.process(&bytes).unwrap_err();
    assert_eq!(error.kind(), "image.too_large");
    assert!(error.to_string().contains("max_bytes"), "{error}");

    let limits = Limits { max_bytes: 1 << 20, ..small };
    let error = Processor::new(&config, Profile::HF_ENDPOINT, limits).process(&bytes).unwrap_err();
    assert!(error.to_string().contains("301x403") && error.to_string().contains("max_pixels"));

    let limits = Limits { max_pixels: 301 * 403, ..limits };
    assert!(Processor::new(&config, Profile::HF_ENDPOINT, limits).process(&bytes).is_ok());
}

/// Real photographs, where this machine has them; they are not part of the repository.
#[test]
fn photographs_match_where_present() {
    let golden = tests_dir().join("goldens/images-photos.json");
    let expected: BTreeMap<String, Vec<String>> =
        serde_json::from_slice(&fs::read(golden).unwrap()).unwrap();
    let data = tests_dir().join("../../shared/data");
    if !data.is_dir() {
        eprintln!("no photographs here: skipped");
        return;
    }
    let mut found = 0;
    for path in files::below(&data) {
        let bytes = fs::read(&path).unwrap();
        let Some(digests) = expected.get(&sha256(&bytes)) else { continue };
        found += 1;
        for ((preset, _), expected) in Profile::PRESETS.iter().zip(digests) {
            let values = processor(preset).process(&bytes).unwrap();
            assert_eq!(&digest(&values), expected, "{preset} {}", path.display());
        }
    }
    eprintln!("{found} photographs");
    assert!(found > 0, "none of the {} photographs", expected.len());
}

/// What the fuzzer once found (tests/fuzz): an error or a vector, never a panic.
#[test]
fn fuzz_findings_stay_fixed() {
    let folder = tests_dir().join("fuzz/regressions/decode");
    let limits = Limits { max_bytes: 1 << 20, max_pixels: 2_000_000 };
    for (_, profile) in Profile::PRESETS {
        let processor = Processor::new(&PreprocessConfig::clip(224), profile, limits);
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            match processor.process(&fs::read(&path).unwrap()) {
                Ok(values) => assert_eq!(values.data.len(), 3 * 224 * 224),
                Err(error) => assert!(!error.to_string().contains("could not handle"), "{path:?}"),
            }
        }
    }
}

/// A WebP whose header ends before its bitstream: what is behind the end is not read (libwebp does
/// not either), so it cannot get around the limits.
#[test]
fn a_webp_ends_where_its_header_says() {
    for name in ["webp/lossy-225x224.webp", "webp/lossless-225x224.webp", "webp/exif-plain.webp"] {
        let mut bytes = corpus(name);
        let processor = processor("hf-endpoint");
        let whole = digest(&processor.process(&bytes).unwrap());
        bytes.extend_from_within(12..);
        assert_eq!(digest(&processor.process(&bytes).unwrap()), whole, "{name}: more behind it");
        bytes[4..8].copy_from_slice(&6u32.to_le_bytes());
        let kind = processor.process(&bytes).map_or_else(|error| error.kind(), |_| "a vector");
        assert_eq!(kind, "image.truncated", "{name}");
    }
}

/// Wrong bits that decode to other pixels without a trace: nobody can tell.
const SILENT: [&str; 5] = [
    "damaged/420-bits-3.jpg",
    "damaged/420-bits-9.jpg",
    "damaged/444-bits-1.jpg",
    "damaged/444-bits-3.jpg",
    "damaged/restart-lost-bytes.jpg",
];

/// Damaged files that Pillow reads have its pixels (`corpus_matches_every_preset`) and say so; the
/// others do not, and `damage=strict` refuses the first and not the others.
#[test]
fn damage_is_told() {
    let (usual, strict) = (processor("hf-endpoint"), processor("damage=strict"));
    let mut wrong = Vec::new();
    for name in goldens().files.keys() {
        let told = usual.decode(&corpus(name)).unwrap().info.damaged;
        let refused = strict.process(&corpus(name)).map_err(|e| e.kind()).err();
        let expected = name.starts_with("damaged/") && !SILENT.contains(&name.as_str());
        if told != expected {
            wrong.push(format!("{name}: damaged: {told}"));
        }
        if refused != told.then_some("image.corrupt") {
            wrong.push(format!("{name}: strict: {refused:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
