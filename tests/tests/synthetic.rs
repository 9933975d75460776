//! Rust and numpy make the same synthetic checkpoints and the same pixel inputs, bit for bit:
//! without that, the vectors in `goldens/model-*` would be of another model.

use clip_core::{
    config::ClipConfig,
    synthetic::{self, Dtype},
};
use clip_tests::inputs;
use safetensors::SafeTensors;
use serde::Deserialize;
use sha2::{Digest, Sha256};

/// The part of a model golden that this test needs.
#[derive(Deserialize)]
struct Golden {
    config: serde_json::Value,
    seed: u64,
    pixel_seed: u64,
    weights_sha256: String,
    pixels_sha256: Vec<String>,
}

fn golden(json: &str) -> Golden {
    serde_json::from_str(json).expect("the golden is JSON")
}

fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 over (name, NUL, little-endian f32 values) in order of names.
fn digest(file: &[u8]) -> String {
    let file = SafeTensors::deserialize(file).expect("valid safetensors");
    let mut tensors = file.tensors();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    let mut hash = Sha256::new();
    for (name, view) in tensors {
        assert_eq!(view.dtype(), safetensors::Dtype::F32);
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update(view.data());
    }
    hex(hash)
}

fn check_weights(golden: &Golden, config: &ClipConfig) {
    let json = serde_json::to_vec(&golden.config).unwrap();
    assert_eq!(&ClipConfig::from_json(&json).unwrap(), config);
    let file = synthetic::safetensors(config, golden.seed, Dtype::F32).unwrap();
    assert_eq!(digest(&file), golden.weights_sha256);
}

#[test]
fn vit_b_32_weights() {
    let golden = golden(include_str!("../goldens/model-vit_b_32.json"));
    check_weights(&golden, &synthetic::vit_b_32());
}

#[test]
fn second_shape_weights() {
    let golden = golden(include_str!("../goldens/model-second_shape.json"));
    check_weights(&golden, &synthetic::second_shape());
}

#[test]
fn pixel_inputs() {
    let golden = golden(include_str!("../goldens/model-second_shape.json"));
    assert!(golden.pixels_sha256.len() >= 16);
    for (index, expected) in golden.pixels_sha256.iter().enumerate() {
        let mut hash = Sha256::new();
        for value in inputs::pixels(golden.pixel_seed, index) {
            hash.update(value.to_le_bytes());
        }
        assert_eq!(&hex(hash), expected, "pixel input {index}");
    }
}
