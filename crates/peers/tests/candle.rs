//! candle's CLIP on the same weights agrees: two independent implementations in Rust, one in
//! Python (the goldens), the same vectors.

use clip_core::{Embedding, synthetic::Dtype};
use clip_tests::goldens::Golden;
use peers::Candle;

fn difference(a: &Embedding, b: Vec<f32>) -> f32 {
    let (a, b) = (a.normalized(), Embedding::from_raw(b).normalized());
    a.values().iter().zip(b.values()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn candle_agrees_on_vit_b_32() {
    let golden = Golden::vit_b_32();
    let clip = golden.load(None);
    let candle = Candle::load(&golden.config, golden.checkpoint(Dtype::F32).into_owned()).unwrap();
    let pixels = golden.pixels();
    let ours = clip.embed_pixels(&pixels).unwrap();
    let theirs = candle.images(&pixels).unwrap();
    let mut worst = 0.0f32;
    for (a, b) in ours.iter().zip(theirs) {
        worst = worst.max(difference(a, b));
    }
    for ids in &golden.facts.texts {
        let ours = clip.embed_tokens(std::slice::from_ref(ids)).unwrap();
        worst = worst.max(difference(&ours[0], candle.text(ids).unwrap()));
    }
    println!("max |Δ| against candle: {worst:.2e}");
    assert!(worst <= 1e-5, "max |Δ| {worst:e}");
}
