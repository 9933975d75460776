//! Models whose files are known to the byte.
//!
//! `openai/clip-vit-base-patch32` has no `model.safetensors` on `main`; its safetensors sit on
//! the commit of the conversion pull request, which never was merged. The weights are pinned
//! there: they hold the same values as `pytorch_model.bin` on `main`, can be memory-mapped, and
//! execute no pickle. The small files are pinned to `main`, where they were last corrected.

/// One file of a known model.
#[derive(Debug, Clone, Copy)]
pub struct PinnedFile {
    pub name: &'static str,
    /// Commit to take it from.
    pub commit: &'static str,
    pub size: Option<u64>,
    pub sha256: &'static str,
}

const MAIN: &str = "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268";
const SAFETENSORS: &str = "b33cedfd0df4e43b8238760678fcc89e1a0d38b3";

const CLIP_VIT_BASE_PATCH32: [PinnedFile; 4] = [
    PinnedFile {
        name: "config.json",
        commit: MAIN,
        size: None,
        sha256: "b575ef3c36f2a057fa19e221650105052d61cc9c1a972ec15019c6261ec98770",
    },
    PinnedFile {
        name: "preprocessor_config.json",
        commit: MAIN,
        size: None,
        sha256: "910e70b3956ac9879ebc90b22fb3bc8a75b6a0677814500101a4c072bd7857bd",
    },
    PinnedFile {
        name: "tokenizer.json",
        commit: MAIN,
        size: Some(2_224_041),
        sha256: "b556ac8c99757ffb677208af34bc8c6721572114111a6e0aaf5fa69ff0b8d842",
    },
    PinnedFile {
        name: "model.safetensors",
        commit: SAFETENSORS,
        size: Some(605_157_884),
        sha256: "99d28a652e6ec46629ab7047a0ac82c69b1fe11e0ce672c43af65d3a9a3fc05d",
    },
];

/// What Python reads besides, from the commit of `main`. It is of no use to this program, and its
/// content is not pinned.
pub(super) const FOR_PYTHON: [&str; 4] =
    ["tokenizer_config.json", "special_tokens_map.json", "vocab.json", "merges.txt"];

/// The PyTorch weights of the same model on `main`, used when they are in the cache already.
const CLIP_VIT_BASE_PATCH32_BIN: PinnedFile = PinnedFile {
    name: "pytorch_model.bin",
    commit: MAIN,
    size: Some(605_247_071),
    sha256: "a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f",
};

/// The files to download of a known model, weights last; `None` for every other model.
pub fn pinned(repo: &str) -> Option<&'static [PinnedFile]> {
    (repo == crate::config::DEFAULT_MODEL).then_some(&CLIP_VIT_BASE_PATCH32)
}

/// What is known of `file` at `commit`.
pub(super) fn pinned_file(repo: &str, commit: &str, file: &str) -> Option<&'static PinnedFile> {
    pinned(repo)?
        .iter()
        .chain([&CLIP_VIT_BASE_PATCH32_BIN])
        .find(|pinned| pinned.name == file && pinned.commit == commit)
}
