//! This machine's digests of every stage equal the golden ones, on every kernel path; and the
//! comparison finds a change of one ulp.

use clip_core::{Clip, KernelPath, Options, synthetic::Dtype};
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
    for path in KernelPath::available() {
        check(&golden, &golden.load(Some(path)));
    }
}

#[test]
fn tiny_has_the_golden_bits_on_every_path() {
    let golden = Golden::tiny();
    for path in KernelPath::available() {
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
    let images: Vec<_> = lines.iter().filter(|l| l.contains(".jpg: first differs")).collect();
    assert!(images.len() >= 5, "{lines:#?}");
    for line in images {
        assert!(line.contains("first differs at block.2"), "{line}");
    }
    assert!(!lines.iter().any(|l| l.contains("/text-")), "the text tower did not change");
}

#[test]
fn the_golden_bits_are_of_this_version_of_the_numerics() {
    assert_eq!(parity::blessed().numerics, clip_core::NUMERICS_VERSION);
}

/// Blessing changed bits would make stores of old and new ones look alike.
#[test]
fn other_bits_are_blessed_only_under_another_version() {
    let before = parity::blessed();
    let models = Golden::NAMES.map(str::to_owned);
    let version = before.numerics;
    let mut all = before.clone();
    all.bless(&models, before.inputs.clone(), version).expect("the same bits");
    assert_eq!(all, before);

    let mut got = before.inputs.clone();
    let (input, stages) = got.iter_mut().next().expect("there are inputs");
    stages.last_mut().expect("there are stages").1 = "0123456789abcdef".into();
    let input = input.clone();
    let error = all.bless(&models, got.clone(), version).unwrap_err();
    assert!(error.contains("NUMERICS_VERSION") && error.contains(&input), "{error}");
    assert_eq!(all, before, "nothing was written");
    let error = all.bless(&models[..1], got.clone(), version + 1).unwrap_err();
    assert!(error.contains("all models"), "{error}");
    all.bless(&models, got, version + 1).expect("another version");
    assert!(all != before && all.numerics == version + 1);

    let mut more = before.inputs.clone();
    more.insert("tiny/new.png".into(), vec![("embedding".into(), "00".into())]);
    all = before.clone();
    all.bless(&models, more, version).expect("a new input changes no bits");
}
