//! The golden digests of every stage, computed on a Vulkan device with the fused multiply-add in integers.

use std::sync::Arc;

use clip_core::{
    Clip, Encoder, Options,
    config::ClipConfig,
    synthetic::{self, Dtype},
    weights::Weights,
};
use clip_gpu::{Fused, Gpu, GpuEncoder, GpuError, SelfTest};
use clip_tests::{goldens::Golden, parity};

/// `None`, with a message, where there is no device.
fn encoder(config: &ClipConfig, file: &[u8]) -> Option<GpuEncoder> {
    let gpu = match Gpu::open(None, Fused::Integers) {
        Ok(gpu) => gpu,
        Err(e @ GpuError::NoAdapter { .. }) => {
            eprintln!("skipped: {e}");
            return None;
        }
        Err(e) => panic!("{e}"),
    };
    let clip = Clip::load(config.clone(), file, Options::new(config)).unwrap();
    let weights = Weights::parse(file).unwrap();
    let unchecked = SelfTest { checks: Vec::new() };
    Some(GpuEncoder::new(gpu, Arc::new(clip), &weights, &unchecked).unwrap())
}

/// The stages of the tower that `encoder` gives of a corpus file must be the golden ones.
fn compare(encoder: &GpuEncoder, clip: &Clip, model: &str, file: &str, stages: &[&str]) {
    let (_, bytes) = parity::FILES.into_iter().find(|(name, _)| *name == file).unwrap();
    let pixels = clip.processor().process(bytes).unwrap();
    let (_, trace) = encoder.trace_pixels(&pixels).unwrap();
    let golden = &parity::expected()[&format!("{model}/{file}")];
    for stage in stages {
        let expected = golden.iter().find(|(name, _)| name == stage).unwrap();
        let got = trace.stages.iter().find(|got| got.name == *stage).unwrap();
        assert_eq!(got.sha256[..16], expected.1, "{model}/{file}, {stage}");
    }
}

#[test]
fn every_stage_of_the_small_model() {
    let golden = Golden::tiny();
    let file = golden.checkpoint(Dtype::F32);
    let Some(encoder) = encoder(&golden.config, &file) else { return };
    let clip = golden.load(None);
    let blocks: Vec<String> =
        (0..golden.config.vision.layers).map(|i| format!("block.{i}")).collect();
    let stages: Vec<&str> = ["embeddings"]
        .into_iter()
        .chain(blocks.iter().map(String::as_str))
        .chain(["embedding", "normalized"])
        .collect();
    for file in ["jpeg/photo-420-q75.jpg", "png/rgba8-gradient.png"] {
        compare(&encoder, &clip, "tiny", file, &stages);
    }
    // As a batch, more than one submission, in another order: the same vectors.
    let batch: Vec<_> = (0..3).map(|i| golden.pixel(2 - i)).collect();
    assert_eq!(encoder.embed_pixels(&batch).unwrap(), clip.embed_pixels(&batch).unwrap());
}

/// The values of a synthetic tensor depend on its name alone, so the first of two blocks is the first
/// of twelve.
#[test]
fn the_first_block_of_vit_b_32() {
    let golden = Golden::vit_b_32();
    let mut config = golden.config.clone();
    config.vision.layers = 2;
    config.text.layers = 1;
    config.text.vocab_size = 300;
    let file = synthetic::safetensors(&config, golden.facts.seed, Dtype::F32).unwrap();
    let Some(encoder) = encoder(&config, &file) else { return };
    let clip = Clip::load(config.clone(), &file, Options::new(&config)).unwrap();
    compare(&encoder, &clip, "vit_b_32", "jpeg/photo-420-q75.jpg", &["embeddings", "block.0"]);
}
