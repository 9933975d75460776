use std::fmt::Write;

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;

/// The hub's files of openai/clip-vit-base-patch32, rebuilt from the embedded merges.
struct HubFiles {
    vocab: String,
    merges: String,
    tokenizer: String,
}

impl HubFiles {
    fn new() -> Self {
        let mut hidden = '\u{100}'..;
        let mut tokens: Vec<String> = bpe::byte_order()
            .map(|byte| match byte {
                33..=126 | 161..=172 | 174..=255 => char::from(byte).to_string(),
                _ => hidden.next().unwrap().to_string(),
            })
            .collect();
        tokens.extend_from_within(..);
        tokens[256..].iter_mut().for_each(|token| token.push_str("</w>"));
        let mut lines = Vec::new();
        for (left, right) in merges::unpack() {
            let (left, right) = (&tokens[left as usize], &tokens[right as usize]);
            lines.push(format!("{left} {right}"));
            tokens.push(format!("{left}{right}"));
        }
        tokens.extend([BOS.to_owned(), EOT.to_owned()]);

        let quoted = |text: &String| serde_json::to_string(text).unwrap();
        let (mut vocab, mut long) = (String::new(), String::new());
        for (id, token) in tokens.iter().enumerate() {
            let comma = if id == 0 { "" } else { "," };
            write!(vocab, "{comma}{}:{id}", quoted(token)).unwrap();
            write!(long, "{comma}\n      {}: {id}", quoted(token)).unwrap();
        }
        let list: Vec<_> = lines.iter().map(|line| format!("\n      {}", quoted(line))).collect();
        let tokenizer = include_str!("tests_tokenizer.json")
            .trim_end()
            .replace("\"vocab\": {}", &format!("\"vocab\": {{{long}\n    }}"))
            .replace("\"merges\": []", &format!("\"merges\": [{}\n    ]", list.join(",")));
        let header = "#version: 0.2 - Trained by `huggingface/tokenizers`";
        let merges = format!("{header}\n{}\n", lines.join("\n"));
        HubFiles { vocab: format!("{{{vocab}}}"), merges, tokenizer }
    }
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn embedded_vocabulary_is_the_published_one() {
    let files = HubFiles::new();
    let hash = "5047b556ce86ccaf6aa22b3ffccfc52d391ea4accdab9c2f2407da5b742d4363";
    assert_eq!(sha256(&files.vocab), hash);
    let hash = "f526393189112391ce6f9795d4695f704121ce452c3aad1f5335cc41337eba85";
    assert_eq!(sha256(&files.merges), hash);
    let hash = "b556ac8c99757ffb677208af34bc8c6721572114111a6e0aaf5fa69ff0b8d842";
    assert_eq!(sha256(&files.tokenizer), hash);

    let read = Tokenizer::from_tokenizer_json(files.tokenizer.as_bytes()).unwrap();
    assert!(read.is_clip());
    assert_eq!(read.model, Vocabulary::Standard, "no second copy is kept");
    let pairs = files.tokenizer.replace("\"i n\"", "[\"i\",\"n\"]");
    assert!(Tokenizer::from_tokenizer_json(pairs.as_bytes()).is_err(), "mixed forms");

    let bare = Tokenizer::from_vocab_and_merges(files.vocab.as_bytes(), files.merges.as_bytes());
    let bare = bare.unwrap();
    assert_eq!(bare.model, Tokenizer::clip().model);
    assert!(!bare.is_clip(), "the start literal in upper case differs");
    assert_eq!(Tokenizer::clip().encode("<|STARTOFTEXT|>", 77), [49406, 49406, 49407]);
    assert_eq!(
        bare.encode("a<|STARTOFTEXT|>b", 77),
        [49406, 320, 27, 347, 993, 6659, 4160, 91, 285, 321, 49407]
    );
}

/// Without a `tokenizer.json` both literals are looked for before normalisation.
#[test]
fn equal_tokenizers_have_equal_digests() {
    let clip = Tokenizer::clip();
    assert_eq!(clip.digest(), clip.computed_digest());
    assert_eq!(clip.digest().len(), 64);
    let other = Tokenizer { rules: Rules::BARE, ..clip.clone() };
    assert_ne!(clip.digest(), other.digest());
}

#[test]
fn vocab_and_merges_alone_as_transformers_reads_them() {
    let files = HubFiles::new();
    let bare = Tokenizer::from_vocab_and_merges(files.vocab.as_bytes(), files.merges.as_bytes());
    let bare = bare.unwrap();
    let golden = include_str!("../../../../tests/goldens/tokens.json");
    let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
    let cases = golden["other_without_tokenizer_json"].as_array().unwrap();
    assert!(cases.len() > 20);
    for case in cases {
        let text = case["text"].as_str().unwrap();
        assert_eq!(serde_json::json!(bare.encode(text, 77)), case["ids"], "{text:?}");
        assert_ne!(bare.encode(text, 77), Tokenizer::clip().encode(text, 77), "{text:?}");
    }
}

#[test]
fn other_tokenizers_are_named() {
    let json = HubFiles::new().tokenizer;
    for (from, to, named) in [
        ("\"NFC\"", "\"NFKC\"", "NFKC"),
        ("\"Lowercase\"", "\"Strip\"", "Strip"),
        ("[\\\\p{N}]|", "[\\\\p{N}]+|", "[\\\\p{N}]+"),
        ("\"BPE\"", "\"WordPiece\"", "WordPiece"),
        ("\"RobertaProcessing\"", "\"BertProcessing\"", "BertProcessing"),
        ("\"</w>\"", "null", "end_of_word_suffix"),
        ("\"lstrip\": false", "\"lstrip\": true", "startoftext"),
        ("\"dropout\": null", "\"dropout\": 0.1", "0.1"),
        ("\"th e</w>\"", "\"th q</w>\"", "thq</w>"),
        ("\"i n\"", "\"in\"", "not a merge"),
        ("\"!\": 0,", "", "\"!\""),
        ("\"!\": 0,", "\"!\": 4000000000,", "4000000000"),
        ("\"vocab\"", "\"words\"", "vocab"),
    ] {
        let changed = json.replacen(from, to, 1);
        assert_ne!(changed, json, "{from}");
        let error = Tokenizer::from_tokenizer_json(changed.as_bytes()).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(named) && message.len() < 2000, "{from}: {message}");
    }
    let error = Tokenizer::from_tokenizer_json(b"<html>").unwrap_err();
    assert_eq!(error.kind(), "tokenizer.json");
}

#[test]
fn newer_files_read_alike() {
    let json = HubFiles::new().tokenizer;
    let newer = json
        .replace("\"trim_offsets\": true", "\"trim_offsets\": true, \"use_regex\": true")
        .replace("\"fuse_unk\": false", "\"byte_fallback\": false, \"ignore_merges\": false");
    assert!(Tokenizer::from_tokenizer_json(newer.as_bytes()).unwrap().is_clip());
}

#[test]
fn a_smaller_vocabulary_takes_precedence() {
    let files = HubFiles::new();
    let fewer: String = files.merges.lines().take(1000).map(|line| format!("{line}\n")).collect();
    let small = Tokenizer::from_vocab_and_merges(files.vocab.as_bytes(), fewer.as_bytes()).unwrap();
    let ids = small.encode("turquoise", 77);
    assert!(ids.len() > Tokenizer::clip().encode("turquoise", 77).len());
    assert_eq!(small.pieces(&ids).concat(), "<|startoftext|>turquoise</w><|endoftext|>");
}

#[test]
fn pieces_for_people() {
    let clip = Tokenizer::clip();
    let ids = clip.encode("Jackets, 8é", 77);
    let pieces = ["<|startoftext|>", "jackets</w>", ",</w>", "8</w>", "é</w>", "<|endoftext|>"];
    assert_eq!(clip.pieces(&ids), pieces);
    assert_eq!(clip.pieces(&[u32::MAX, 49408]), ["<unknown 4294967295>", "<unknown 49408>"]);
}

#[test]
fn very_long_words_and_texts_take_linear_time() {
    let clip = Tokenizer::clip();
    // A quadratic merge would need minutes for each.
    for text in ["a".repeat(1_000_000), "\u{301}".repeat(300_000), "<|".repeat(1_000_000)] {
        assert!(clip.encode(&text, usize::MAX).len() > 1000);
        assert_eq!(clip.encode(&text, 77).len(), 77);
    }
}

proptest! {
    #[test]
    fn encoding_is_framed_bounded_and_a_prefix(text in any::<String>(), tail in "\\PC{0,40}", max in 0usize..100) {
        let clip = Tokenizer::clip();
        for text in [text, tail] {
            let full = clip.encode(&text, usize::MAX);
            let ids = clip.encode(&text, max);
            prop_assert_eq!(ids[0], 49406);
            prop_assert_eq!(ids[ids.len() - 1], 49407);
            prop_assert!(ids.len() <= max.max(2));
            prop_assert_eq!(&full[..ids.len() - 1], &ids[..ids.len() - 1]);
            prop_assert!(ids.len() == max.max(2) || ids == full);
        }
    }

    #[test]
    fn any_file_gives_a_tokenizer_or_an_error(bytes in any::<Vec<u8>>(), other in any::<Vec<u8>>()) {
        let _ = Tokenizer::from_tokenizer_json(&bytes);
        let _ = Tokenizer::from_vocab_and_merges(&bytes, &other);
    }
}
