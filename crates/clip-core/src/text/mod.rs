//! Text to token ids, identical to Hugging Face's fast CLIP tokenizer (`CLIPTokenizer`).
//!
//! Special tokens written out in the text become those tokens; then NFC, one space for white
//! space, lower case, split into words, byte-level BPE. No `ftfy`, no HTML unescaping.

mod bpe;
mod hf;
mod merges;
mod split;
mod tables;
#[cfg(test)]
mod tests;

use std::{
    ops::Deref,
    sync::{Arc, LazyLock},
};

use bpe::Model;
pub use hf::TokenizerError;
use sha2::{Digest, Sha256};
use split::{Part, Words, literals, normalise};

const BOS: &str = "<|startoftext|>";
const EOT: &str = "<|endoftext|>";

/// CLIP's byte-level BPE tokenizer. Cheap to clone.
///
/// ```
/// use clip_core::text::Tokenizer;
///
/// let tokenizer = Tokenizer::clip();
/// let ids = tokenizer.encode("A red dress", 77);
/// assert_eq!(ids, [49406, 320, 736, 2595, 49407]);
/// assert_eq!(tokenizer.pieces(&ids)[1..4], ["a</w>", "red</w>", "dress</w>"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokenizer {
    model: Vocabulary,
    rules: Rules,
}

/// The standard vocabulary takes 15 ms to unpack, in a browser that just started 50, and whoever
/// embeds images only does not need it: the first text unpacks it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Vocabulary {
    Standard,
    /// Another than the standard one.
    Own(Arc<Model>),
}

/// [`Tokenizer::digest`] of [`Tokenizer::clip`].
const CLIP_DIGEST: &str = "7da3be3d22d6c5d9dbe0afa2132884fb4c678118c47446e1d1e6e4cf6e310be1";

static STANDARD: LazyLock<Model> = LazyLock::new(Model::clip);

impl From<Model> for Vocabulary {
    fn from(model: Model) -> Self {
        // No second copy of the standard one.
        if model == *STANDARD { Vocabulary::Standard } else { Vocabulary::Own(model.into()) }
    }
}

impl Deref for Vocabulary {
    type Target = Model;

    fn deref(&self) -> &Model {
        match self {
            Vocabulary::Standard => &STANDARD,
            Vocabulary::Own(model) => model,
        }
    }
}

/// Where published tokenizers differ besides the vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rules {
    /// Look for the literal of BOS (EOT) after normalisation, so in any case (`normalized`).
    bos_normalized: bool,
    eot_normalized: bool,
    /// The pattern of words starts with both literals.
    pattern_has_literals: bool,
}

impl Rules {
    /// `tokenizer.json` of `openai/clip-vit-base-patch32`.
    const CLIP: Rules =
        Rules { bos_normalized: true, eot_normalized: false, pattern_has_literals: true };
    /// `CLIPTokenizer` of transformers 5 made from `vocab.json` and `merges.txt` alone.
    const BARE: Rules =
        Rules { bos_normalized: false, eot_normalized: false, pattern_has_literals: true };
}

impl Tokenizer {
    /// The tokenizer of OpenAI's checkpoints (49,408 tokens), embedded in the crate.
    pub fn clip() -> Self {
        Tokenizer { model: Vocabulary::Standard, rules: Rules::CLIP }
    }

    /// From a checkpoint's `tokenizer.json`.
    ///
    /// # Errors
    /// Invalid JSON, a vocabulary that contradicts itself, or a normaliser, pre-tokenizer,
    /// post-processor or model that is not CLIP's; the message names what was found.
    pub fn from_tokenizer_json(json: &[u8]) -> Result<Self, TokenizerError> {
        hf::from_tokenizer_json(json)
    }

    /// From a checkpoint's `vocab.json` and `merges.txt`, for one that has no `tokenizer.json`.
    ///
    /// Unlike with the `tokenizer.json` of OpenAI's checkpoints, `<|STARTOFTEXT|>` in upper case
    /// is then plain text, as in transformers 5.
    ///
    /// # Errors
    /// Invalid JSON, or a vocabulary that contradicts itself.
    pub fn from_vocab_and_merges(
        vocab_json: &[u8],
        merges_txt: &[u8],
    ) -> Result<Self, TokenizerError> {
        hf::from_vocab_and_merges(vocab_json, merges_txt)
    }

    /// Whether this is exactly [`Tokenizer::clip`], wherever it was read from.
    pub fn is_clip(&self) -> bool {
        *self == Self::clip()
    }

    /// SHA-256 (hex) over all that decides ids: equal digests are equal tokenizers, whichever files
    /// they were read from. Three bytes (1 for each of the rules `bos_normalized`,
    /// `eot_normalized`, `pattern_has_literals`), then as little-endian u32: the ids of BOS and
    /// EOT, of the 256 bytes inside a word and of the 256 at its end, and for each merge, sorted by
    /// the two, its left and right ids, rank and result.
    pub fn digest(&self) -> String {
        match (&self.model, self.rules) {
            // Does not unpack the vocabulary.
            (Vocabulary::Standard, Rules::CLIP) => CLIP_DIGEST.to_owned(),
            _ => self.computed_digest(),
        }
    }

    fn computed_digest(&self) -> String {
        let Rules { bos_normalized, eot_normalized, pattern_has_literals } = self.rules;
        let rules = [bos_normalized, eot_normalized, pattern_has_literals].map(u8::from);
        let mut sha = Sha256::new_with_prefix(rules);
        self.model.numbers(|number| sha.update(number.to_le_bytes()));
        crate::trace::hex(&sha.finalize())
    }

    /// Ids of `text`: BOS, at most `max_len - 2` tokens, EOT. A `max_len` below 2 counts as 2.
    pub fn encode(&self, text: &str, max_len: usize) -> Vec<u32> {
        let limit = max_len.max(2) - 1;
        let specials = [
            (BOS, self.model.bos, self.rules.bos_normalized),
            (EOT, self.model.eot, self.rules.eot_normalized),
        ];
        let of_kind = |normalized| -> Vec<(&str, u32)> {
            specials.iter().filter(|s| s.2 == normalized).map(|s| (s.0, s.1)).collect()
        };
        let (raw, normalized) = (of_kind(false), of_kind(true));

        let mut ids = vec![self.model.bos];
        'text: for part in literals(text, &raw) {
            let text = match part {
                Part::Special(id) => {
                    ids.push(id);
                    continue;
                }
                Part::Text(text) => normalise(text),
            };
            for part in literals(&text, &normalized) {
                match part {
                    Part::Special(id) => ids.push(id),
                    Part::Text(text) => {
                        for word in Words::new(text, self.rules.pattern_has_literals) {
                            self.model.encode(word.as_bytes(), &mut ids);
                            // Words are independent: what follows would be cut off.
                            if ids.len() >= limit {
                                break 'text;
                            }
                        }
                    }
                }
            }
        }
        ids.truncate(limit);
        ids.push(self.model.eot);
        ids
    }

    /// The text of each token, for people: `"jack"`, `"et</w>"` (`</w>` ends a word), the special
    /// tokens as written, invalid UTF-8 as U+FFFD.
    pub fn pieces(&self, ids: &[u32]) -> Vec<String> {
        self.model.pieces(ids)
    }
}
