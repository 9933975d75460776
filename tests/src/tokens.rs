//! Token ids against those of transformers' `CLIPTokenizer` (made by `reference/tokens.py`).
//!
//! Functions return what is wrong, so that native tests and the wasm build can share them.

use clip_core::text::Tokenizer;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::inputs;

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

fn unicode() -> Unicode {
    serde_json::from_str(include_str!("../goldens/tokens-unicode.json")).expect("JSON")
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

/// The tricky texts.
pub fn texts() -> Vec<String> {
    let golden: Texts =
        serde_json::from_str(include_str!("../goldens/tokens.json")).expect("the golden is JSON");
    golden.texts.into_iter().map(|case| case.text).collect()
}

/// Tricky texts with other ids than the golden; at least 400 are tried.
pub fn wrong_texts() -> Vec<String> {
    let golden: Texts =
        serde_json::from_str(include_str!("../goldens/tokens.json")).expect("the golden is JSON");
    assert!(golden.texts.len() >= 400);
    let tokenizer = Tokenizer::clip();
    let wrong = golden.texts.iter().filter_map(|case| {
        let ids = tokenizer.encode(&case.text, golden.max_length);
        let pieces = tokenizer.pieces(&ids);
        (ids != case.ids).then(|| format!("{:?}: {pieces:?}, golden {:?}", case.text, case.ids))
    });
    wrong.collect()
}

/// Groups of random Unicode texts with other ids than the golden; at least 20,000 texts are tried.
pub fn wrong_random_groups() -> Vec<String> {
    let golden = unicode();
    let tokenizer = Tokenizer::clip();
    assert!(golden.random.len() * golden.group >= 20_000);
    let wrong = golden.random.iter().enumerate().filter(|(group, expected)| {
        let texts = (0..golden.group).map(|i| inputs::text(golden.seed, group * golden.group + i));
        digest(&tokenizer, texts) != **expected
    });
    wrong.map(|(group, _)| format!("group {group}")).collect()
}

/// Blocks of code points for which texts with one of them have other ids than the golden; all of
/// Unicode is tried.
pub fn wrong_blocks() -> Vec<String> {
    let golden = unicode();
    let tokenizer = Tokenizer::clip();
    assert_eq!(golden.code_points.len() as u32 * golden.block, 0x110000);
    let starts = (0..).step_by(golden.block as usize);
    let wrong = starts.zip(&golden.code_points).filter(|(start, expected)| {
        let characters = (*start..start + golden.block).filter_map(char::from_u32);
        let texts = characters.map(|c| format!("a{c}b {c}{c}1{c}!{c}'s{c}"));
        digest(&tokenizer, texts) != **expected
    });
    wrong.map(|(start, _)| format!("U+{start:04X}..")).collect()
}
