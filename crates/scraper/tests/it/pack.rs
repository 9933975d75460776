//! `scraper model pack`: what browsers load is the same model, to the last bit.

use std::{collections::BTreeMap, fs, path::Path};

use clip_core::{text::Tokenizer, weights::Weights};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{ran, scraper, tiny_config, tiny_model, tiny_weights};

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn values(file: &[u8]) -> BTreeMap<String, Vec<u32>> {
    let weights = Weights::parse(file).unwrap();
    let bits = |v: Vec<f32>| v.iter().map(|x| x.to_bits()).collect();
    weights.tensors().iter().map(|t| (t.name.clone(), bits(t.to_vec()))).collect()
}

fn packed(folder: &Path) -> (Value, BTreeMap<String, Vec<u8>>) {
    let manifest: Value =
        serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
    let parts = manifest["parts"].as_object().unwrap();
    let read = |part: &Value| fs::read(folder.join(part["file"].as_str().unwrap())).unwrap();
    let files = parts.iter().map(|(name, part)| (name.clone(), read(part))).collect();
    (manifest, files)
}

#[test]
fn all_values_are_in_the_parts_and_all_chunks_have_their_digest() {
    let dir = tempfile::tempdir().unwrap();
    let model = tiny_model(dir.path());
    let run = |out: &str| {
        ran(scraper(dir.path()).args(["model", "pack"]).arg(&model).args(["--out", out])).expect(0)
    };
    run("packed");
    let (manifest, files) = packed(&dir.path().join("packed"));
    assert_eq!(manifest["format"], 1);
    assert_eq!(manifest["model"], "tiny");
    assert_eq!(manifest["weights"], Weights::parse(tiny_weights()).unwrap().digest().unwrap());
    assert_eq!(manifest["tokenizer"], Tokenizer::clip().digest());
    assert_eq!(manifest["preprocessor"]["size"]["shortest_edge"], 32);

    let mut all = BTreeMap::new();
    for (name, bytes) in &files {
        all.append(&mut values(bytes));
        let part = &manifest["parts"][name];
        let number = |key: &str| part[key].as_u64().unwrap() as usize;
        assert_eq!(number("size"), bytes.len());
        let chunks = bytes[number("start")..].chunks(number("chunk")).map(hex);
        let digests: Vec<_> = part["sha256"].as_array().unwrap().iter().collect();
        assert!(chunks.eq(digests.into_iter().map(|d| d.as_str().unwrap())), "{name}");
        assert!(part["file"].as_str().unwrap().contains(&hex(bytes)[..16]), "{name}");
    }
    assert_eq!(all, values(tiny_weights()));
    // Half the size, but for the few tensors that f16 would round.
    let total: usize = files.values().map(Vec::len).sum();
    assert!(total < tiny_weights().len() * 6 / 10, "{total} of {}", tiny_weights().len());

    // Chunks of the token embedding are whole rows.
    let tokens = &manifest["parts"]["tokens"];
    let row = tiny_config().text.hidden_size as u64 * tokens["bits"].as_u64().unwrap() / 8;
    assert_eq!(tokens["chunk"].as_u64().unwrap(), tokens["rows"].as_u64().unwrap() * row);
    assert_eq!(
        tokens["size"].as_u64().unwrap(),
        tokens["start"].as_u64().unwrap() + row * tiny_config().text.vocab_size as u64
    );

    run("again");
    assert_eq!(packed(&dir.path().join("again")), (manifest, files));
}

#[test]
fn a_tensor_that_f16_would_round_stays_f32() {
    let dir = tempfile::tempdir().unwrap();
    let model = tiny_model(dir.path());
    let mut file = tiny_weights().to_vec();
    let header = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let json: Value = serde_json::from_slice(&file[8..header]).unwrap();
    let name = "text_model.embeddings.token_embedding.weight";
    let start = header + json[name]["data_offsets"][0].as_u64().unwrap() as usize;
    file[start] ^= 1;
    fs::write(model.join("model.safetensors"), &file).unwrap();
    ran(scraper(dir.path()).args(["model", "pack"]).arg(&model).args(["--out", "p"])).expect(0);
    let (manifest, files) = packed(&dir.path().join("p"));
    assert_eq!(manifest["parts"]["tokens"]["bits"], 32);
    assert_eq!(values(&files["tokens"])[name], values(&file)[name]);
}

#[test]
fn what_cannot_be_packed_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let model = tiny_model(dir.path());
    fs::write(dir.path().join("file"), "").unwrap();
    let pack = |out: &str| {
        ran(scraper(dir.path()).args(["model", "pack"]).arg(&model).args(["--out", out]))
    };
    let failed = pack("file/below");
    assert!(failed.code != 0 && failed.stderr.contains("cannot write"), "{}", failed.stderr);
    fs::write(model.join("vocab.json"), r#"{"<|startoftext|>":0,"<|endoftext|>":1,"a":2}"#)
        .unwrap();
    fs::write(model.join("merges.txt"), "#version: 0.2\n").unwrap();
    let failed = pack("out");
    assert!(
        failed.code != 0 && failed.stderr.to_lowercase().contains("token"),
        "{}",
        failed.stderr
    );
    assert!(!dir.path().join("out/manifest.json").exists());
}
