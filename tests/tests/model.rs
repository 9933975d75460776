//! Both towers against `transformers` (f32, CPU) on synthetic checkpoints, and against themselves
//! in other batches, threads and kernel paths.

use clip_core::{
    Clip, Embedding, KernelPath, Options, Towers, logits_per_image,
    synthetic::{self, Dtype},
};
use clip_tests::goldens::Golden;

/// The promise: on L2-normalised embeddings.
const TOLERANCE: f32 = 1e-5;

fn normalized_difference(got: &Embedding, golden: &[f32]) -> f32 {
    let golden = Embedding::from_raw(golden.to_vec()).normalized();
    let got = got.normalized();
    let pairs = got.values().iter().zip(golden.values());
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn check(golden: &Golden, clip: &Clip) {
    let images = clip.embed_pixels(&golden.pixels()).unwrap();
    let texts = clip.embed_tokens(&golden.facts.texts).unwrap();
    let mut worst = 0.0f32;
    for (kind, got, expected) in
        [("image", &images, &golden.images), ("text", &texts, &golden.texts)]
    {
        assert_eq!(got.len(), expected.len());
        for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
            let difference = normalized_difference(got, expected);
            assert!(difference <= TOLERANCE, "{} {kind} {i}: {difference:e}", golden.name);
            worst = worst.max(difference);
        }
    }
    println!("{}: {} vectors, max |Δ| {worst:.2e}", golden.name, images.len() + texts.len());

    let logits = &golden.facts.logits_per_image;
    let columns: Vec<_> = logits.texts.iter().map(|&i| texts[i].normalized()).collect();
    for (&image, expected) in logits.images.iter().zip(&logits.values) {
        let got = logits_per_image(clip.logit_scale(), &images[image].normalized(), &columns);
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-3, "logits {got}, transformers {expected}");
        }
    }
}

#[test]
fn vit_b_32_equals_transformers() {
    let golden = Golden::vit_b_32();
    assert!(golden.images.len() >= 16 && golden.texts.len() >= 24);
    check(&golden, &golden.load(None));
}

#[test]
fn second_shape_equals_transformers_on_every_path() {
    let golden = Golden::second_shape();
    for path in KernelPath::available() {
        check(&golden, &golden.load(Some(path)));
    }
}

/// The files that the scraper ships.
#[test]
fn tiny_equals_transformers_on_every_path() {
    let golden = Golden::tiny();
    for path in KernelPath::available() {
        check(&golden, &golden.load(Some(path)));
    }
}

#[track_caller]
fn same_bits(what: &str, a: &[Embedding], b: &[Embedding]) {
    assert_eq!(a.len(), b.len());
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let bits = |e: &Embedding| e.values().iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        assert!(bits(a) == bits(b), "{what}: vector {i} differs");
    }
}

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

#[test]
fn batches_and_threads_do_not_change_a_bit() {
    let golden = Golden::vit_b_32();
    let clip = golden.load(None);
    let pixels: Vec<_> = (0..32).map(|i| golden.pixel(i % 9)).collect();
    let mut texts = golden.facts.texts.clone();
    texts.extend(golden.facts.texts.iter().rev().cloned());
    let (one, two) = (pool(1), pool(2));
    let images = one.install(|| clip.embed_pixels(&pixels)).unwrap();
    let vectors = one.install(|| clip.embed_tokens(&texts)).unwrap();
    for batch in [1, 2, 7, 32] {
        let count = if batch == 1 { 3 } else { 32 };
        for (threads, pool) in [(1, &one), (2, &two)] {
            if batch == 32 && threads == 1 {
                continue; // the reference itself
            }
            let what = format!("batch {batch}, {threads} threads");
            let run = || pixels[..count].chunks(batch).flat_map(|b| clip.embed_pixels(b).unwrap());
            let got: Vec<_> = pool.install(|| run().collect());
            same_bits(&what, &got, &images[..count]);
            let run = || texts.chunks(batch).flat_map(|b| clip.embed_tokens(b).unwrap());
            let got: Vec<_> = pool.install(|| run().collect());
            same_bits(&what, &got, &vectors);
        }
    }
    // More threads than parts of eight images, of which the last is smaller.
    let got = pool(5).install(|| clip.embed_pixels(&pixels[..27])).unwrap();
    same_bits("batch 27, 5 threads", &got, &images[..27]);
}

#[test]
fn tokens_after_the_end_of_text_do_not_count() {
    let golden = Golden::second_shape();
    let clip = golden.load(None);
    let ids = vec![49406, 320, 736, 2595, 49407];
    let mut padded = ids.clone();
    padded.resize(77, 49407);
    let vectors = clip.embed_tokens(&[ids, padded]).unwrap();
    same_bits("padding", &vectors[..1], &vectors[1..]);
}

/// The states of the first token are kept from the first text on. A trace computes them anew, and
/// so does a batch of one token.
#[test]
fn the_kept_first_token_does_not_change_a_bit() {
    let golden = Golden::second_shape();
    let text = "a red dress with blue flowers";
    let ids = golden.load(None).tokenize(text);
    let other = [&[320], &ids[1..]].concat();
    let batch =
        [vec![49406], ids.clone(), other.clone(), vec![49406, 49407], ids.clone(), vec![49407]];
    // Which text comes first decides what is kept.
    for first in [&ids, &other] {
        let clip = golden.load(None);
        clip.embed_tokens(std::slice::from_ref(first)).unwrap();
        let together = clip.embed_tokens(&batch).unwrap();
        for (ids, vector) in batch.iter().zip(&together) {
            // A model of its own, whose first text this is.
            let alone = golden.load(None).embed_tokens(std::slice::from_ref(ids)).unwrap();
            same_bits("kept", std::slice::from_ref(vector), &alone);
        }
        let traced = clip.trace_text(text).unwrap().0;
        same_bits("traced", &[traced], &together[1..2]);
    }
}

#[test]
fn storage_and_single_towers_do_not_change_a_bit() {
    let golden = Golden::second_shape();
    let file = golden.checkpoint(Dtype::F32);
    let load = |file: &[u8], towers| {
        let options = Options { towers, ..Options::new(&golden.config) };
        Clip::load(golden.config.clone(), file, options).unwrap()
    };
    let f32s = load(&file, Towers::Both);
    let f16s = golden.load(None);
    assert_eq!(f32s.weights_digest(), f16s.weights_digest());
    let images = f32s.embed_pixels(&golden.pixels()).unwrap();
    let texts = f32s.embed_tokens(&golden.facts.texts).unwrap();
    same_bits("f16 file", &f16s.embed_pixels(&golden.pixels()).unwrap(), &images);
    same_bits("f16 file", &f16s.embed_tokens(&golden.facts.texts).unwrap(), &texts);

    // One thread packs each tensor after its digest, several do all digests first.
    for threads in [1, 2] {
        let loaded = pool(threads).install(|| load(&file, Towers::Both));
        assert_eq!(loaded.weights_digest(), f16s.weights_digest(), "{threads} thread(s)");
        let what = format!("loaded by {threads} thread(s)");
        same_bits(&what, &loaded.embed_pixels(&golden.pixels()).unwrap(), &images);
        same_bits(&what, &loaded.embed_tokens(&golden.facts.texts).unwrap(), &texts);
    }

    let vision = load(&file, Towers::Vision);
    same_bits("vision only", &vision.embed_pixels(&golden.pixels()).unwrap(), &images);
    assert_eq!(vision.embed_text("red dress").unwrap_err().kind(), "tower_not_loaded");
    let text = load(&file, Towers::Text);
    same_bits("text only", &text.embed_tokens(&golden.facts.texts).unwrap(), &texts);

    // bf16 rounds the weights: another model, close to this one.
    let bf16 = load(&golden.checkpoint(Dtype::Bf16), Towers::Both);
    assert_ne!(bf16.weights_digest(), f32s.weights_digest());
    let near = bf16.embed_pixels(&[golden.pixel(0)]).unwrap();
    assert!(near[0].normalized().cosine(&images[0].normalized()) > 0.99);
}

#[test]
fn damaged_weights_are_named() {
    let golden = Golden::second_shape();
    let file = golden.checkpoint(Dtype::F32);
    let load = |config: &clip_core::config::ClipConfig, file: &[u8]| {
        Clip::load(config.clone(), file, Options::new(config)).unwrap_err()
    };
    for cut in [0, 7, 100, file.len() - 1] {
        let error = load(&golden.config, &file[..cut]);
        assert_eq!(error.kind(), "weights.format", "cut at {cut}: {error}");
    }
    let mut other = golden.config.clone();
    other.vision.layers += 1;
    let message = load(&other, &file).to_string();
    assert!(message.contains("vision_model.encoder.layers.4"), "{message}");
    assert!(message.contains("is missing"), "{message}");
    let mut other = golden.config.clone();
    other.text.layers -= 1;
    let message = load(&other, &file).to_string();
    assert!(
        message.contains("text_model.encoder.layers.2") && message.contains("unknown"),
        "{message}"
    );
    let mut other = golden.config.clone();
    other.projection_dim = 64;
    assert!(load(&other, &file).to_string().contains("is [96, 128], not [64, 128]"));

    // The last four bytes are a weight of the last tensor.
    let mut nan = file.into_owned();
    let end = nan.len();
    nan[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    for threads in [1, 2] {
        let error = pool(threads).install(|| load(&golden.config, &nan));
        assert_eq!(error.kind(), "weights.not_finite", "{threads} thread(s): {error}");
    }
}

#[test]
fn inputs_that_do_not_fit_are_errors() {
    let golden = Golden::second_shape();
    let clip = golden.load(None);
    let small = clip_core::image::PixelValues { size: 32, data: vec![0.0; 3 * 32 * 32] };
    for error in [
        clip.embed_pixels(&[small]).unwrap_err(),
        clip.embed_tokens(&[vec![]]).unwrap_err(),
        clip.embed_tokens(&[vec![49407; 78]]).unwrap_err(),
        clip.embed_tokens(&[vec![49408]]).unwrap_err(),
    ] {
        assert_eq!(error.kind(), "input", "{error}");
    }
    assert!(clip.embed_pixels(&[]).unwrap().is_empty());
}

/// Different inputs have different vectors, so that the other tests can fail.
#[test]
fn vectors_differ() {
    let golden = Golden::second_shape();
    let clip = golden.load(None);
    let images: Vec<_> =
        clip.embed_pixels(&golden.pixels()).unwrap().iter().map(Embedding::normalized).collect();
    for (i, a) in images.iter().enumerate() {
        assert!((a.cosine(a) - 1.0).abs() < 1e-5);
        for b in &images[..i] {
            assert!(a.cosine(b) < 0.95);
        }
    }
    assert_eq!(synthetic::second_shape(), golden.config);
}
