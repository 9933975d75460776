//! Token ids equal those of transformers' `CLIPTokenizer` (made by `reference/tokens.py`).

use clip_core::text::Tokenizer;
use clip_tests::inputs;
use serde::Deserialize;
use sha2::{Digest, Sha256};

#[derive(Deserialize)]
struct Texts {
    max_length: usize,
    texts: Vec<Encoded>,
}

#[derive(Deserialize)]
struct Encoded {
    text: String,
    ids: Vec<u32>,
}

#[derive(Deserialize)]
struct Unicode {
    seed: u64,
    group: usize,
    random: Vec<String>,
    block: u32,
    code_points: Vec<String>,
}

/// First 16 hex digits of SHA-256 over ids as little-endian u16, 0xFFFF after each text.
fn digest(tokenizer: &Tokenizer, texts: impl Iterator<Item = String>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        for id in tokenizer.encode(&text, usize::MAX) {
            hash.update(u16::try_from(id).expect("CLIP's ids fit").to_le_bytes());
        }
        hash.update([0xFF, 0xFF]);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn unicode() -> Unicode {
    serde_json::from_str(include_str!("../goldens/tokens-unicode.json")).unwrap()
}

#[test]
fn tricky_texts() {
    let golden: Texts = serde_json::from_str(include_str!("../goldens/tokens.json")).unwrap();
    assert!(golden.texts.len() >= 400);
    let tokenizer = Tokenizer::clip();
    let wrong: Vec<_> = golden
        .texts
        .iter()
        .filter_map(|case| {
            let ids = tokenizer.encode(&case.text, golden.max_length);
            (ids != case.ids).then(|| (&case.text, tokenizer.pieces(&ids), &case.ids))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), golden.texts.len());
}

#[test]
fn random_unicode() {
    let golden = unicode();
    let tokenizer = Tokenizer::clip();
    assert!(golden.random.len() * golden.group >= 20_000);
    for (group, expected) in golden.random.iter().enumerate() {
        let texts = (0..golden.group).map(|i| inputs::text(golden.seed, group * golden.group + i));
        assert_eq!(&digest(&tokenizer, texts), expected, "group {group}");
    }
}

#[test]
fn every_code_point() {
    let golden = unicode();
    let tokenizer = Tokenizer::clip();
    assert_eq!(golden.code_points.len() as u32 * golden.block, 0x110000);
    let wrong: Vec<_> = (0..)
        .step_by(golden.block as usize)
        .zip(&golden.code_points)
        .filter(|(start, expected)| {
            let characters = (*start..start + golden.block).filter_map(char::from_u32);
            let texts = characters.map(|c| format!("a{c}b {c}{c}1{c}!{c}'s{c}"));
            digest(&tokenizer, texts) != **expected
        })
        .map(|(start, _)| format!("U+{start:04X}.."))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
