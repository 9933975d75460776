//! candle's CLIP on the same weights agrees: two independent implementations in Rust, one in
//! Python (the goldens), the same vectors. This is also the test of the `cuda` and `metal` devices,
//! which are the same towers elsewhere.

use candle_core::Device;
use clip_core::{EXACT, Embedding, Encoder, synthetic::Dtype};
use clip_tests::goldens::Golden;
use scraper_lib::model::Candle;

fn difference(a: &Embedding, b: &Embedding) -> f32 {
    let (a, b) = (a.normalized(), b.normalized());
    a.values().iter().zip(b.values()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn worst(golden: &Golden) -> f32 {
    let clip = golden.load(None);
    let candle =
        Candle::load(&golden.config, &golden.checkpoint(Dtype::F32), &Device::Cpu).unwrap();
    assert_ne!(candle.device(), EXACT);
    let both = |work: &dyn Fn(&dyn Encoder) -> Vec<Embedding>| -> f32 {
        let (ours, theirs) = (work(&clip), work(&candle));
        assert_eq!(ours.len(), theirs.len());
        ours.iter().zip(&theirs).map(|(a, b)| difference(a, b)).fold(0.0, f32::max)
    };
    let images = both(&|encoder| encoder.embed_pixels(&golden.pixels()).unwrap());
    images.max(both(&|encoder| encoder.embed_tokens(&golden.facts.texts).unwrap()))
}

#[test]
fn candle_agrees_on_vit_b_32() {
    let worst = worst(&Golden::vit_b_32());
    println!("max |Δ| against candle: {worst:.2e}");
    assert!(worst <= 1e-5, "max |Δ| {worst:e}");
}

#[test]
fn candle_refuses_an_activation_that_it_does_not_know() {
    let golden = Golden::second_shape();
    let loaded = Candle::load(&golden.config, &golden.checkpoint(Dtype::F32), &Device::Cpu);
    assert!(loaded.unwrap_err().to_string().contains("quick_gelu"));
}
