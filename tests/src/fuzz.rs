//! Bodies of the fuzz targets, so that a plain test can replay what fuzzing found.
//!
//! Each takes any bytes and panics where a promise is broken. Run one with
//! `cargo +nightly fuzz run --fuzz-dir tests/fuzz TARGET tests/fuzz/seeds/TARGET`.

use std::fmt::Write;
use std::sync::LazyLock;

use clip_core::{
    Clip, Options, Towers,
    config::{Activation, ClipConfig, PreprocessConfig, TextConfig, VisionConfig},
    image::PixelValues,
    text::Tokenizer,
    weights::Weights,
};

/// The first byte chooses between a text and tokenizer files.
pub fn tokenizer(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    match mode % 4 {
        0 => {
            let text = String::from_utf8_lossy(rest);
            encode(&Tokenizer::clip(), &text);
            round_trip(&Tokenizer::clip(), &text);
        }
        1 => {
            if let Ok(tokenizer) = Tokenizer::from_tokenizer_json(rest) {
                encode(&tokenizer, "Two red dresses, it's 9.99!");
            }
        }
        2 => {
            let _ = Tokenizer::from_vocab_and_merges(rest, b"a b\n");
        }
        _ => {
            // A fixed vocabulary, so that most lines of merges are accepted.
            if let Ok(tokenizer) = Tokenizer::from_vocab_and_merges(vocabulary(), rest) {
                encode(&tokenizer, "abc cab bacca abacus abba accaba");
                round_trip(&tokenizer, "abc cab bacca abacus abba accaba");
            }
        }
    }
}

/// All bytes and a few longer tokens of a, b and c, several of which can be made in many ways.
fn vocabulary() -> &'static [u8] {
    static VOCABULARY: LazyLock<String> = LazyLock::new(|| {
        let shown = |b: &u8| matches!(b, 33..=126 | 161..=172 | 174..=255);
        let mut tokens: Vec<String> =
            (0..=255u8).filter(shown).map(|b| char::from(b).to_string()).collect();
        tokens.extend(('\u{100}'..).take(256 - tokens.len()).map(|c| c.to_string()));
        for left in ["a", "b", "c", "ab", "ca"] {
            for right in ["a", "b", "c", "ab", "ba", "cab"] {
                tokens.push(format!("{left}{right}"));
            }
        }
        let mut json = String::from("{\"<|startoftext|>\":0,\"<|endoftext|>\":1");
        for (id, token) in (1..).zip(&tokens) {
            let quoted = |text: &str| serde_json::to_string(text).expect("strings are JSON");
            let (inner, last) = (quoted(token), quoted(&format!("{token}</w>")));
            write!(json, ",{inner}:{},{last}:{}", 2 * id, 2 * id + 1).expect("memory suffices");
        }
        json + "}"
    });
    VOCABULARY.as_bytes()
}

fn encode(tokenizer: &Tokenizer, text: &str) {
    let full = tokenizer.encode(text, usize::MAX);
    let ids = tokenizer.encode(text, 77);
    let (frame, cut) = (tokenizer.encode("", 77), ids.len() - 1);
    assert_eq!(frame.len(), 2);
    assert!(ids.len() <= 77 && ids[0] == frame[0] && ids[cut] == frame[1]);
    assert_eq!(full[..cut], ids[..cut], "truncation is a prefix");
    assert!(ids.len() == 77 || ids == full);
}

/// Every byte of every word comes back (white space and literals of special tokens do not).
fn round_trip(tokenizer: &Tokenizer, text: &str) {
    if text.is_ascii() && !text.contains("<|") {
        let words: String = text.split_whitespace().collect();
        let ids = tokenizer.encode(text, usize::MAX);
        let pieces = tokenizer.pieces(&ids[1..ids.len() - 1]);
        let back: String = pieces.iter().map(|p| p.strip_suffix("</w>").unwrap_or(p)).collect();
        assert_eq!(back, words.to_lowercase());
    }
}

/// `config.json` and `preprocessor_config.json`.
pub fn config(data: &[u8]) {
    if let Ok(config) = ClipConfig::from_json(data) {
        let again = ClipConfig::from_json(config.to_json().as_bytes());
        assert_eq!(again.expect("what we write we read"), config);
        let positions = config.vision.positions();
        assert!((2..=4096 * 4096 + 1).contains(&positions));
        assert!(config.text.pooled_position(&[49406, 320, 49407]) < 3);
    }
    for image_size in [224, 336] {
        if let Ok(config) = PreprocessConfig::from_json(data, image_size) {
            assert_eq!(config.crop_size, image_size);
            assert!((image_size..=4096).contains(&config.shortest_edge));
            assert!(config.std.iter().all(|s| s.is_finite() && *s != 0.0));
        }
    }
}

/// A CLIP so small that a whole checkpoint is a few kilobytes.
pub fn tiny_config() -> ClipConfig {
    ClipConfig {
        text: TextConfig {
            vocab_size: 6,
            hidden_size: 4,
            intermediate_size: 4,
            layers: 1,
            heads: 2,
            max_positions: 3,
            activation: Activation::Gelu,
            layer_norm_eps: 1e-5,
            eos_token_id: 5,
        },
        vision: VisionConfig {
            hidden_size: 4,
            intermediate_size: 4,
            layers: 1,
            heads: 1,
            image_size: 4,
            patch_size: 2,
            activation: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
        },
        projection_dim: 3,
    }
}

/// A weights file: whatever its header says, loading gives a model or an error.
pub fn safetensors(data: &[u8]) {
    let config = tiny_config();
    let Ok(weights) = Weights::parse(data) else { return };
    for tensor in weights.tensors() {
        assert_eq!(tensor.to_vec().len(), tensor.len());
        assert_eq!(tensor.len(), tensor.shape.iter().product::<usize>());
    }
    let sound = weights.check(&config, Towers::Both).is_ok();
    let digest = weights.digest();
    match Clip::load(config.clone(), data, Options::new(&config)) {
        Ok(clip) => {
            assert!(sound);
            assert_eq!(clip.weights_digest(), digest.expect("weights that load are finite"));
            let pixels = PixelValues { size: 4, data: vec![0.5; 48] };
            let image = clip.embed_pixels(&[pixels]).expect("pixels of the right size");
            let text = clip.embed_tokens(&[vec![4, 1, 5]]).expect("ids of the vocabulary");
            assert_eq!((image[0].values().len(), text[0].values().len()), (3, 3));
        }
        Err(error) => assert!(!sound || digest.is_err(), "{error}"),
    }
}
