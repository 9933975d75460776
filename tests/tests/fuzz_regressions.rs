//! Replays everything that fuzzing ever found, and the seeds it starts from.

use std::{fs, path::Path};

use clip_core::synthetic::{self, Dtype};
use clip_tests::fuzz;

fn replay(name: &str, target: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let mut count = 0;
    for kind in ["seeds", "regressions"] {
        let folder = root.join(kind).join(name);
        // No finding yet: no folder.
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("a folder of the repository").path();
            eprintln!("{}", path.display());
            target(&fs::read(&path).expect("a file of the repository"));
            count += 1;
        }
    }
    assert!(count > 0, "no seed of {name} under {}", root.display());
}

#[test]
fn tokenizer() {
    replay("tokenizer", fuzz::tokenizer);
}

#[test]
fn config() {
    replay("config", fuzz::config);
}

#[test]
fn safetensors() {
    // The seeds are whole checkpoints that load: without that, fuzzing would stay in the header.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/safetensors");
    for (name, dtype) in [("f32", Dtype::F32), ("f16", Dtype::F16), ("bf16", Dtype::Bf16)] {
        let file = synthetic::safetensors(&fuzz::tiny_config(), 1, dtype).unwrap();
        assert_eq!(fs::read(folder.join(name)).unwrap(), file, "{name}");
        let config = fuzz::tiny_config();
        let options = clip_core::Options::new(&config);
        clip_core::Clip::load(config, &file, options).expect("a seed loads");
    }
    replay("safetensors", fuzz::safetensors);
}
