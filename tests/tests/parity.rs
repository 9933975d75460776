//! This machine's digests of every stage equal the golden ones, on every kernel path; and the
//! comparison finds a change of one ulp.

use clip_core::{Clip, Options, Path, synthetic::Dtype};
use clip_tests::{goldens::Golden, parity};

#[track_caller]
fn check(golden: &Golden, clip: &Clip) {
    let got = parity::digests(golden, clip).unwrap();
    assert!(got.len() >= 20);
    let lines = parity::differences(&parity::expected(), &got);
    assert!(lines.is_empty(), "{:?}: {lines:#?}", clip.path());
}

#[test]
fn vit_b_32_has_the_golden_bits() {
    let golden = Golden::vit_b_32();
    check(&golden, &golden.load(None));
}

#[test]
fn second_shape_has_the_golden_bits_on_every_path() {
    let golden = Golden::second_shape();
    for path in Path::available() {
        check(&golden, &golden.load(Some(path)));
    }
}

#[test]
fn tiny_has_the_golden_bits_on_every_path() {
    let golden = Golden::tiny();
    for path in Path::available() {
        check(&golden, &golden.load(Some(path)));
    }
}

/// The test of the test: one weight of vision layer 2 moves by one ulp.
#[test]
fn one_ulp_is_found_and_its_stage_named() {
    let golden = Golden::second_shape();
    let file = parity::move_one_weight(golden.checkpoint(Dtype::F32).into_owned());
    let clip = Clip::load(golden.config.clone(), &file, Options::new(&golden.config)).unwrap();
    let lines = parity::differences(&parity::expected(), &parity::digests(&golden, &clip).unwrap());
    let pictures: Vec<_> = lines.iter().filter(|l| l.contains(".jpg: first differs")).collect();
    assert!(pictures.len() >= 5, "{lines:#?}");
    for line in pictures {
        assert!(line.contains("first differs at block.2"), "{line}");
    }
    assert!(!lines.iter().any(|l| l.contains("/text-")), "the text tower did not change");
}
