//! The golden digests of every stage, computed on a Vulkan device: with the fused multiply-add in integers on any, and
//! with the device's own where it rounds once.

use std::sync::Arc;

use clip_core::{
    Clip, EXACT, Encoder, Options,
    config::ClipConfig,
    synthetic::{self, Dtype},
    weights::Weights,
};
use clip_gpu::{Fused, Gpu, GpuEncoder, GpuError, SelfTest, self_test};
use clip_tests::{goldens::Golden, parity};

/// Where it is set, a device with other bits is a failure: `cargo xtask test` brings one that fuses.
const MUST_FUSE: &str = "CLIP_GPU_MUST_FUSE";

/// `None`, with a message, where there is no device.
fn device(fused: Fused) -> Option<Gpu> {
    match Gpu::open(None, fused) {
        Ok(gpu) => Some(gpu),
        Err(e @ GpuError::NoAdapter { .. }) if std::env::var_os(MUST_FUSE).is_none() => {
            eprintln!("skipped: {e}");
            None
        }
        Err(e) => panic!("{e}"),
    }
}

/// With the fused multiply-add in integers.
fn encoder(config: &ClipConfig, file: &[u8]) -> Option<GpuEncoder> {
    let unchecked = SelfTest { checks: Vec::new() };
    Some(on(device(Fused::Integers)?, config, file, &unchecked))
}

fn on(gpu: Gpu, config: &ClipConfig, file: &[u8], test: &SelfTest) -> GpuEncoder {
    let clip = Clip::load(config.clone(), file, Options::new(config)).unwrap();
    let weights = Weights::parse(file).unwrap();
    GpuEncoder::new(gpu, Arc::new(clip), &weights, test).unwrap()
}

/// The stages of the tower that `encoder` gives of a corpus file must be the golden ones.
fn compare(encoder: &GpuEncoder, clip: &Clip, model: &str, file: &str, stages: &[String]) {
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

/// All of the vision tower's.
fn stages(config: &ClipConfig) -> Vec<String> {
    let blocks = (0..config.vision.layers).map(|i| format!("block.{i}"));
    let ends = ["embedding", "normalized"].map(str::to_owned);
    ["embeddings".to_owned()].into_iter().chain(blocks).chain(ends).collect()
}

#[test]
fn every_stage_of_the_small_model() {
    let golden = Golden::tiny();
    let file = golden.checkpoint(Dtype::F32);
    let Some(encoder) = encoder(&golden.config, &file) else { return };
    let clip = golden.load(None);
    for file in ["jpeg/photo-420-q75.jpg", "png/rgba8-gradient.png"] {
        compare(&encoder, &clip, "tiny", file, &stages(&golden.config));
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
    let stages = &stages(&config)[..2];
    compare(&encoder, &clip, "vit_b_32", "jpeg/photo-420-q75.jpg", stages);
}

/// Asked before the next test, about a device that was fetched for it.
#[test]
fn a_fetched_device_rounds_once() {
    if std::env::var_os(MUST_FUSE).is_none() {
        return;
    }
    let gpu = device(Fused::Device).unwrap();
    let test = self_test(&gpu).unwrap();
    let first = &test.checks[0];
    assert_eq!((first.name.as_str(), &first.failure), ("fused multiply-add", &None));
}

/// All 15 digests of the whole tower, and a batch, as fast as the device is.
#[test]
fn vit_b_32_where_the_device_fuses() {
    let Some(gpu) = device(Fused::Device) else { return };
    let test = self_test(&gpu).unwrap();
    println!("{}: {test}", gpu.adapter());
    if !test.passed() {
        assert!(std::env::var_os(MUST_FUSE).is_none(), "{}: {test}", gpu.adapter());
        eprintln!("skipped: {test}");
        return;
    }
    let golden = Golden::vit_b_32();
    let file = golden.checkpoint(Dtype::F32);
    let encoder = on(gpu, &golden.config, &file, &test);
    assert_eq!(encoder.device(), EXACT);
    let clip = golden.load(None);
    for file in ["jpeg/photo-420-q75.jpg", "png/rgba8-gradient.png"] {
        compare(&encoder, &clip, "vit_b_32", file, &stages(&golden.config));
    }
    let batch: Vec<_> = (0..5).map(|i| golden.pixel(4 - i)).collect();
    assert_eq!(encoder.embed_pixels(&batch).unwrap(), clip.embed_pixels(&batch).unwrap());
}
