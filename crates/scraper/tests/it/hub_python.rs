//! One cache for this program and for Python: what either downloads serves the other offline.
//!
//! Needs a Python with `huggingface_hub`, `transformers` 5, `torch` and `pillow` (gigabytes, so it
//! is not installed for this): `CLIP_HF_PYTHON`, else `python3`. Without one the test says so.

use std::{fs, path::Path, process::Command, sync::LazyLock};

use clip_core::synthetic::{self, Dtype};
use scraper_lib::{model::PinnedFile, report::Progress};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    hub::{COMMIT, FakeHub, Files, NO_FAULT, OTHER, REPO},
    support::{PREPROCESSOR, png, ran, scraper, tiny_config},
};

const TEXT: &str = "a red dress";
const BOS: &str = "<|startoftext|>";
const EOT: &str = "<|endoftext|>";

fn python() -> Command {
    Command::new(std::env::var_os("CLIP_HF_PYTHON").unwrap_or_else(|| "python3".into()))
}

fn has_packages() -> bool {
    let program = "import huggingface_hub, transformers, torch, PIL\n\
                   assert int(transformers.__version__.split('.')[0]) >= 5";
    python().args(["-c", program]).output().is_ok_and(|output| output.status.success())
}

/// A tokenizer of bytes, without merges; as small as CLIP's can be.
fn tokenizer() -> String {
    let mut hidden = '\u{100}'..;
    let shown = |byte: &u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut tokens: Vec<String> = (0..=255u8).filter(shown).map(|b| char::from(b).into()).collect();
    tokens.extend(hidden.by_ref().take(256 - tokens.len()).map(String::from));
    let last: Vec<String> = tokens.iter().map(|token| format!("{token}</w>")).collect();
    tokens.extend(last);
    tokens.extend([BOS.into(), EOT.into()]);
    let vocab: serde_json::Map<String, Value> =
        tokens.iter().enumerate().map(|(id, token)| (token.clone(), id.into())).collect();
    let added = |content: &str, normalized: bool| {
        json!({"id": vocab[content], "special": true, "content": content, "single_word": false,
               "lstrip": false, "rstrip": false, "normalized": normalized})
    };
    let words = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
    json!({
        "version": "1.0", "truncation": null, "padding": null,
        "added_tokens": [added(BOS, true), added(EOT, false)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "},
            {"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": words}, "behavior": "Removed", "invert": true},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true}]},
        "post_processor": {"type": "RobertaProcessing", "sep": [EOT, vocab[EOT]],
            "cls": [BOS, vocab[BOS]], "trim_offsets": false, "add_prefix_space": false},
        "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true},
        "model": {"type": "BPE", "dropout": null, "unk_token": EOT,
            "continuing_subword_prefix": "", "end_of_word_suffix": "</w>", "fuse_unk": false,
            "vocab": vocab, "merges": []},
    })
    .to_string()
}

fn files() -> Files {
    let mut config = tiny_config();
    config.text.vocab_size = 514;
    config.text.eos_token_id = 513;
    let special = json!({"bos_token": BOS, "eos_token": EOT, "unk_token": EOT, "pad_token": EOT});
    let mut tokenizer_config = special.clone();
    tokenizer_config["tokenizer_class"] = "CLIPTokenizer".into();
    tokenizer_config["model_max_length"] = 77.into();
    let mut preprocessor: Value = serde_json::from_str(PREPROCESSOR).unwrap();
    preprocessor["image_processor_type"] = "CLIPImageProcessor".into();
    [
        ("config.json", config.to_json().into_bytes()),
        ("preprocessor_config.json", preprocessor.to_string().into_bytes()),
        ("tokenizer.json", tokenizer().into_bytes()),
        ("tokenizer_config.json", tokenizer_config.to_string().into_bytes()),
        ("special_tokens_map.json", special.to_string().into_bytes()),
        ("model.safetensors", synthetic::safetensors(&config, 7, Dtype::F32).unwrap()),
    ]
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .into()
}

/// Loads everything by its id and prints the two vectors.
const PROGRAM: &str = r#"
import json, sys, torch
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel
name, text = sys.argv[1:]
model = CLIPModel.from_pretrained(name).eval()
tokens = AutoTokenizer.from_pretrained(name)([text], return_tensors="pt")
pixels = AutoImageProcessor.from_pretrained(name, backend="pil")(Image.open("a.png"), return_tensors="pt")
def unit(found):
    found = found if isinstance(found, torch.Tensor) else found.pooler_output
    return (found[0] / found[0].norm()).tolist()
with torch.no_grad():
    print(json.dumps([unit(model.get_image_features(**pixels)), unit(model.get_text_features(**tokens))]))
"#;

fn of_python(folder: &Path, endpoint: Option<&str>) -> Vec<Vec<f64>> {
    let mut command = python();
    command
        .args(["-W", "ignore", "-c", PROGRAM, REPO, TEXT])
        .current_dir(folder)
        .env_remove("HF_HUB_CACHE")
        .env("HF_HOME", folder.join(".cache/huggingface"))
        .env("HF_HUB_DISABLE_XET", "1")
        .env("HF_HUB_DISABLE_TELEMETRY", "1");
    match endpoint {
        Some(url) => command.env("HF_ENDPOINT", url),
        None => command.env("HF_HUB_OFFLINE", "1"),
    };
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn of_us(folder: &Path) -> Vec<Vec<f64>> {
    let mut command = scraper(folder);
    command.args(["embed", "a.png", "--text", TEXT, "--format", "jsonl", "--model", REPO]);
    let lines = ran(command.args(["--profile", "transformers5-pil"])).expect(0).lines();
    lines.iter().map(|line| serde_json::from_value(line["embedding"].clone()).unwrap()).collect()
}

/// As the default model is: the weights at another commit than the rest.
fn pins(repo: &str) -> Option<&'static [PinnedFile]> {
    static PINS: LazyLock<Vec<PinnedFile>> = LazyLock::new(|| {
        let files = files();
        let pin = |name: &'static str, commit| {
            let digest = Sha256::digest(&files[name]);
            let sha256: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            PinnedFile { name, commit, size: None, sha256: sha256.leak() }
        };
        let small = ["config.json", "preprocessor_config.json", "tokenizer.json"];
        let small = small.map(|name| pin(name, COMMIT));
        small.into_iter().chain([pin("model.safetensors", OTHER)]).collect()
    });
    (repo == REPO).then(|| PINS.as_slice())
}

fn assert_same(ours: &[Vec<f64>], theirs: &[Vec<f64>]) {
    assert_eq!(ours.len(), 2);
    for (ours, theirs) in ours.iter().zip(theirs) {
        let delta = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(ours.len() == theirs.len() && delta < 1e-5, "{delta:e}");
    }
}

#[test]
fn what_either_downloads_serves_the_other_offline() {
    if !has_packages() {
        eprintln!(
            "SKIPPED: this needs a Python with huggingface_hub, transformers 5, torch and pillow \
             (CLIP_HF_PYTHON)"
        );
        return;
    }
    let hub = FakeHub::serve(files(), NO_FAULT, NO_FAULT);
    // Downloaded here.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.png"), png(1)).unwrap();
    let mut pull = scraper(dir.path());
    pull.env_remove("HF_HUB_OFFLINE").env("HF_ENDPOINT", &hub.hub.url);
    ran(pull.args(["model", "pull", REPO])).expect(0);
    let ours = of_us(dir.path());
    assert_same(&ours, &of_python(dir.path(), None));
    // Downloaded as the default is.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.png"), png(1)).unwrap();
    let mut client = hub.client(&dir.path().join(".cache/huggingface/hub"));
    client.pins = pins;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pulled = runtime.block_on(client.pull(REPO, None, &Progress::hidden())).unwrap();
    assert_eq!(pulled.revision.as_deref(), Some(OTHER));
    assert_same(&ours, &of_python(dir.path(), None));
    assert_eq!(of_us(dir.path()), ours);
    // Downloaded there.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("a.png"), png(1)).unwrap();
    let theirs = of_python(dir.path(), Some(&hub.hub.url));
    assert_same(&of_us(dir.path()), &theirs);
    assert_eq!(of_us(dir.path()), ours);
}
