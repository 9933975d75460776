//! Hugging Face's tokenizer files.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{BOS, EOT, Rules, Tokenizer, bpe};

/// Ids at or above this are refused: no CLIP has them, and memory grows with the largest.
const MAX_ID: u32 = 1 << 20;

/// A tokenizer file that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// No JSON.
    #[error("{file} is not valid: {source}; download the checkpoint's tokenizer files again")]
    Json {
        /// Its usual name.
        file: &'static str,
        /// Where and why.
        source: serde_json::Error,
    },
    /// Another kind of tokenizer.
    #[error(
        "tokenizer.json: {field} is {found}; supported is the tokenizer of CLIP models: {supported}"
    )]
    Unsupported {
        /// Path of the field.
        field: &'static str,
        /// Its value.
        found: String,
        /// CLIP's.
        supported: String,
    },
    /// A vocabulary that contradicts itself.
    #[error("{file}: {problem}; download the checkpoint's tokenizer files again")]
    Vocabulary {
        /// Its usual name.
        file: &'static str,
        /// How.
        problem: String,
    },
}

impl TokenizerError {
    /// A short stable name for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            TokenizerError::Json { .. } => "tokenizer.json",
            TokenizerError::Unsupported { .. } => "tokenizer.unsupported",
            TokenizerError::Vocabulary { .. } => "tokenizer.vocabulary",
        }
    }
}

const TOKENIZER: &str = "tokenizer.json";
const VOCAB: &str = "vocab.json";
const MERGES: &str = "merges.txt";

pub(super) fn from_vocab_and_merges(
    vocab_json: &[u8],
    merges_txt: &[u8],
) -> Result<Tokenizer, TokenizerError> {
    let vocab: HashMap<String, u32> = serde_json::from_slice(vocab_json)
        .map_err(|source| TokenizerError::Json { file: VOCAB, source })?;
    let text = std::str::from_utf8(merges_txt)
        .map_err(|e| vocabulary(MERGES, format!("not UTF-8 after byte {}", e.valid_up_to())))?;
    let lines = text.lines().filter(|l| !l.starts_with("#version") && !l.is_empty());
    let pairs = lines.map(pair_of(MERGES)).collect::<Result<Vec<_>, _>>()?;
    let id = |token| {
        vocab.get(token).copied().ok_or_else(|| vocabulary(VOCAB, format!("{token} is missing")))
    };
    let (bos, eot) = (id(BOS)?, id(EOT)?);
    Ok(Tokenizer { model: model(VOCAB, &vocab, &pairs, bos, eot)?.into(), rules: Rules::BARE })
}

pub(super) fn from_tokenizer_json(json: &[u8]) -> Result<Tokenizer, TokenizerError> {
    let invalid = |source| TokenizerError::Json { file: TOKENIZER, source };
    let raw: RawTokenizer = serde_json::from_slice(json).map_err(invalid)?;

    let normalizer = json!({"type": "Sequence", "normalizers": [
        {"type": "NFC"},
        {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "},
        {"type": "Lowercase"},
    ]});
    expect("normalizer", &raw.normalizer, &normalizer)?;
    let pattern_has_literals = pre_tokenizer(&raw.pre_tokenizer)?;
    let RawPost { sep, cls } = post_processor(raw.post_processor)?;
    let (bos_normalized, eot_normalized) = added_tokens(&raw.added_tokens, &cls, &sep)?;

    let kind = raw.model.get("type").cloned().unwrap_or(Value::Null);
    expect("model.type", &kind, &json!("BPE"))?;
    let bpe: RawModel = serde_json::from_value(raw.model).map_err(invalid)?;
    expect("model.end_of_word_suffix", &bpe.end_of_word_suffix, &json!("</w>"))?;
    if bpe.continuing_subword_prefix.as_str() != Some("") {
        expect("model.continuing_subword_prefix", &bpe.continuing_subword_prefix, &Value::Null)?;
    }
    expect("model.dropout", &bpe.dropout, &Value::Null)?;
    for (field, value) in
        [("model.byte_fallback", &bpe.byte_fallback), ("model.ignore_merges", &bpe.ignore_merges)]
    {
        if !value.is_null() {
            expect(field, value, &json!(false))?;
        }
    }
    let pairs = match &bpe.merges {
        RawMerges::Lines(lines) => {
            lines.iter().map(String::as_str).map(pair_of(TOKENIZER)).collect::<Result<_, _>>()?
        }
        RawMerges::Pairs(pairs) => {
            pairs.iter().map(|(l, r)| (l.as_str(), r.as_str())).collect::<Vec<_>>()
        }
    };
    let model = model(TOKENIZER, &bpe.vocab, &pairs, cls.1, sep.1)?;
    let rules = Rules { bos_normalized, eot_normalized, pattern_has_literals };
    Ok(Tokenizer { model: model.into(), rules })
}

#[derive(Deserialize)]
struct RawTokenizer {
    #[serde(default)]
    added_tokens: Vec<RawAdded>,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    model: Value,
}

#[derive(Deserialize)]
struct RawAdded {
    id: u32,
    content: String,
    #[serde(default)]
    single_word: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    normalized: bool,
}

#[derive(Deserialize)]
struct RawPost {
    sep: (String, u32),
    cls: (String, u32),
}

#[derive(Deserialize)]
struct RawModel {
    vocab: HashMap<String, u32>,
    merges: RawMerges,
    #[serde(default)]
    dropout: Value,
    #[serde(default)]
    continuing_subword_prefix: Value,
    #[serde(default)]
    end_of_word_suffix: Value,
    #[serde(default)]
    byte_fallback: Value,
    #[serde(default)]
    ignore_merges: Value,
}

/// Older files write a merge as `"left right"`, newer ones as `["left", "right"]`.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawMerges {
    Lines(Vec<String>),
    Pairs(Vec<(String, String)>),
}

/// Checks the pre-tokenizer; says whether its pattern starts with the special tokens' literals.
fn pre_tokenizer(found: &Value) -> Result<bool, TokenizerError> {
    const WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
    const LITERALS: &str = r"<\|startoftext\|>|<\|endoftext\|>|";
    let pattern = found.pointer("/pretokenizers/0/pattern/Regex").and_then(Value::as_str);
    let literals = pattern.is_some_and(|p| p.starts_with(LITERALS));
    let pattern = if literals { format!("{LITERALS}{WORDS}") } else { WORDS.to_owned() };
    let supported = json!({"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Removed", "invert": true},
        {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    ]});
    let mut comparable = found.clone();
    if let Some(bytes) =
        comparable.pointer_mut("/pretokenizers/1").and_then(|bytes| bytes.as_object_mut())
    {
        // Offsets only; and older files leave the default away.
        bytes.remove("trim_offsets");
        bytes.entry("use_regex").or_insert(Value::Bool(true));
    }
    expect("pre_tokenizer", &comparable, &supported)?;
    Ok(literals)
}

fn post_processor(found: Value) -> Result<RawPost, TokenizerError> {
    let supported = format!("RobertaProcessing with cls {BOS} and sep {EOT}");
    let error = || TokenizerError::Unsupported {
        field: "post_processor",
        found: shortened(&found),
        supported: supported.clone(),
    };
    if found.get("type") != Some(&json!("RobertaProcessing")) {
        return Err(error());
    }
    match RawPost::deserialize(&found) {
        Ok(post) if post.cls.0 == BOS && post.sep.0 == EOT => Ok(post),
        _ => Err(error()),
    }
}

/// Checks the added tokens; gives the `normalized` of BOS and of EOT.
fn added_tokens(
    tokens: &[RawAdded],
    cls: &(String, u32),
    sep: &(String, u32),
) -> Result<(bool, bool), TokenizerError> {
    let (mut bos, mut eot) = (None, None);
    for token in tokens {
        let stripped = token.single_word || token.lstrip || token.rstrip;
        let same = |(content, id): &(String, u32)| *content == token.content && *id == token.id;
        match token {
            t if same(cls) && !stripped => bos = Some(t.normalized),
            t if same(sep) && !stripped => eot = Some(t.normalized),
            other => {
                return Err(TokenizerError::Unsupported {
                    field: "added_tokens",
                    found: format!("{:?} (id {})", other.content, other.id),
                    supported: format!("{BOS} and {EOT} with the post-processor's ids, no strip"),
                });
            }
        }
    }
    bos.zip(eot).ok_or_else(|| vocabulary(TOKENIZER, format!("{BOS} or {EOT} is not added")))
}

fn model(
    file: &'static str,
    vocab: &HashMap<String, u32>,
    pairs: &[(&str, &str)],
    bos: u32,
    eot: u32,
) -> Result<bpe::Model, TokenizerError> {
    let id = |token: &str| match vocab.get(token) {
        Some(&id) if id < MAX_ID => Ok(id),
        Some(id) => Err(vocabulary(file, format!("token {token:?} has the absurd id {id}"))),
        None => Err(vocabulary(file, format!("token {token:?} is missing"))),
    };
    // GPT-2's printable stand-in of each byte: itself, or the next character from U+0100 on.
    let hidden = |byte: u8| !matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut stand_ins = ('\u{100}'..).take(256);
    let (mut inner, mut last) = ([0; 256], [0; 256]);
    for byte in bpe::byte_order() {
        let stand_in = if hidden(byte) { stand_ins.next() } else { None };
        let token = stand_in.unwrap_or(char::from(byte)).to_string();
        inner[usize::from(byte)] = id(&token)?;
        last[usize::from(byte)] = id(&format!("{token}</w>"))?;
    }
    let triple = |&(l, r): &(&str, &str)| Ok((id(l)?, id(r)?, id(&format!("{l}{r}"))?));
    let triples = pairs.iter().map(triple).collect::<Result<Vec<_>, _>>()?;
    Ok(bpe::Model::new(inner, last, &triples, bos, eot))
}

fn pair_of<'a>(
    file: &'static str,
) -> impl Fn(&'a str) -> Result<(&'a str, &'a str), TokenizerError> {
    move |line| match line.split_once(' ') {
        Some((left, right)) if !right.contains(' ') => Ok((left, right)),
        _ => Err(vocabulary(file, format!("{line:?} is not a merge of two tokens"))),
    }
}

fn expect(field: &'static str, found: &Value, supported: &Value) -> Result<(), TokenizerError> {
    if found == supported {
        return Ok(());
    }
    Err(TokenizerError::Unsupported {
        field,
        found: shortened(found),
        supported: supported.to_string(),
    })
}

fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn vocabulary(file: &'static str, problem: String) -> TokenizerError {
    TokenizerError::Vocabulary { file, problem }
}
