//! Token ids equal those of transformers' `CLIPTokenizer`, for any Unicode text.

use clip_tests::tokens;

#[track_caller]
fn none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "{} wrong: {wrong:#?}", wrong.len());
}

#[test]
fn tricky_texts() {
    none(tokens::wrong_texts());
}

#[test]
fn random_unicode() {
    none(tokens::wrong_random_groups());
}

#[test]
fn every_code_point() {
    none(tokens::wrong_blocks());
}
