//! A model as files for any static host, from which browsers load only what they need.
//!
//! Three safetensors files: the text tower without its token embedding, the vision tower, and the
//! token embedding alone, whose rows are fetched in blocks. Values are stored as f16 where a tensor
//! loses nothing by it and as f32 where one value would: they are never rounded. `manifest.json`
//! holds the SHA-256 of every chunk.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clip_core::trace::sha256;
use clip_core::{
    NUMERICS_VERSION, Tower, Towers,
    tensors::{TensorId, TensorTable},
    weights::{Dtype, Tensor, Weights},
};
use serde_json::{Value, json};

use super::{
    ModelError, ModelFile, ModelFiles,
    load::{configs, preprocess_json, safetensors, tokenizer},
};
use crate::mmap;

/// Version of the layout; `web/js/manifest.ts` reads it.
const FORMAT: u32 = 1;
/// Chunk of the towers: what is lost when a chunk arrives damaged, and held while it is checked.
/// Just below what Chromium's allocator maps anew for each copy: every chunk is copied to be hashed.
const CHUNK: usize = 896 << 10;
/// Rows in a block of the token embedding (128 kB at CLIP's width in f16): what a host can tell
/// about a query is which blocks it needs.
const ROWS: usize = 128;
/// Where the token embedding's values start in their file.
const TOKENS_START: usize = 4096;

/// What [`pack`] has written.
#[derive(Debug)]
pub struct Packed {
    /// Path and size in bytes of each file.
    pub files: Vec<(PathBuf, u64)>,
    /// Names of the tensors that had to stay f32.
    pub kept_f32: Vec<String>,
}

/// Writes the model into `out`, which is created. Files carry a digest in their names, and the
/// manifest is written last, so a folder that is being served can be written over.
///
/// # Errors
/// The model cannot be read or is damaged, has a tokenizer that is not CLIP's, or `out` cannot be
/// written.
pub fn pack(files: &ModelFiles, out: &Path) -> Result<Packed, ModelError> {
    let (config, _) = configs(files)?;
    let tokenizer = tokenizer(files, &config)?;
    if !tokenizer.is_clip() {
        return Err(ModelError::Unpackable {
            model: files.model.clone(),
            reason: "its tokenizer is not CLIP's, the only one in the browser's modules".into(),
        });
    }
    let file_of_weights = safetensors(&files.weights)?;
    let map;
    let bytes: &[u8] = match &file_of_weights {
        ModelFile::Builtin { bytes, .. } => bytes,
        ModelFile::Path(path) => {
            let fail = |source| ModelError::Read { path: path.clone(), source };
            map = mmap::map(path).map_err(fail)?;
            &map
        }
    };
    let weights = Weights::parse(bytes).map_err(|e| file_of_weights.error(e))?;
    weights.check(&config, Towers::Both).map_err(|e| file_of_weights.error(e))?;
    let digest = weights.digest().map_err(|e| file_of_weights.error(e))?;

    let mut written = Packed { files: Vec::new(), kept_f32: Vec::new() };
    create(out)?;
    let known = TensorTable::new(&config);
    // The logit scale, which is of neither tower, goes with both.
    let of = |wanted: &dyn Fn(TensorId) -> bool| -> Vec<&Tensor> {
        let id = |t: &&Tensor| known.get(&t.name).is_some_and(|spec| wanted(spec.id));
        weights.tensors().iter().filter(id).collect()
    };
    let tower = |id: TensorId, tower| id.tower().is_none_or(|own| own == tower);
    let tokens = |id| id == TensorId::TokenEmbedding;
    let text = of(&|id| tower(id, Tower::Text) && !tokens(id));
    let text = file(&text, 8, &mut written.kept_f32);
    let text = written.part("text", out, &text, 0, CHUNK)?;
    let vision = file(&of(&|id| tower(id, Tower::Vision)), 8, &mut written.kept_f32);
    let vision = written.part("vision", out, &vision, 0, CHUNK)?;
    let table = file(&of(&tokens), TOKENS_START, &mut written.kept_f32);
    let tokens = TensorId::TokenEmbedding.name();
    let bits = if written.kept_f32.contains(&tokens) { 32 } else { 16 };
    let block = ROWS * config.text.hidden_size * bits / 8;
    let mut table = written.part("tokens", out, &table, TOKENS_START, block)?;
    table["rows"] = ROWS.into();
    table["bits"] = bits.into();

    let config: Value = serde_json::from_str(&config.to_json()).unwrap_or_default();
    let manifest = json!({
        "format": FORMAT,
        "model": files.model,
        "revision": files.revision,
        "weights": digest,
        "tokenizer": tokenizer.digest(),
        "numerics": NUMERICS_VERSION,
        "config": config,
        "preprocessor": preprocess_json(files)?,
        "parts": { "text": text, "vision": vision, "tokens": table },
    });
    written.write(&out.join("manifest.json"), manifest.to_string().as_bytes())?;
    written.kept_f32.sort();
    written.kept_f32.dedup();
    Ok(written)
}

impl Packed {
    /// Writes a part and describes it for the manifest.
    fn part(
        &mut self,
        name: &str,
        out: &Path,
        bytes: &[u8],
        start: usize,
        chunk: usize,
    ) -> Result<Value, ModelError> {
        let whole = sha256(bytes);
        let file = format!("{name}-{}.safetensors", &whole[..16]);
        self.write(&out.join(&file), bytes)?;
        let values = bytes.get(start..).unwrap_or_default();
        let chunks: Vec<String> = values.chunks(chunk).map(sha256).collect();
        Ok(json!({
            "file": file, "size": bytes.len(), "start": start, "chunk": chunk, "sha256": chunks,
        }))
    }

    /// No reader sees half a file.
    fn write(&mut self, path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
        crate::output::write(path, bytes)
            .map_err(|source| ModelError::Write { path: path.to_owned(), source })?;
        self.files.push((path.to_owned(), bytes.len() as u64));
        Ok(())
    }
}

fn create(out: &Path) -> Result<(), ModelError> {
    fs::create_dir_all(out).map_err(|source| ModelError::Write { path: out.to_owned(), source })
}

/// A safetensors file whose values start at a multiple of `align` bytes, f32 before f16.
fn file(tensors: &[&Tensor], align: usize, kept_f32: &mut Vec<String>) -> Vec<u8> {
    let mut header = json!({ "__metadata__": { "format": "pt" } });
    let (mut wide, mut narrow) = (Vec::new(), Vec::new());
    for tensor in tensors {
        let (dtype, bytes) = tensor.lossless();
        if dtype == Dtype::F32 {
            kept_f32.push(tensor.name.clone());
            wide.push((tensor, "F32", bytes));
        } else {
            narrow.push((tensor, "F16", bytes));
        }
    }
    let mut end = 0;
    let all: Vec<_> = wide.into_iter().chain(narrow).collect();
    for (tensor, dtype, bytes) in &all {
        let start = end;
        end += bytes.len();
        header[&tensor.name] =
            json!({ "dtype": dtype, "shape": tensor.shape, "data_offsets": [start, end] });
    }
    let mut header = header.to_string().into_bytes();
    header.resize((header.len() + 8).next_multiple_of(align) - 8, b' ');
    let mut file = Vec::with_capacity(8 + header.len() + end);
    file.extend((header.len() as u64).to_le_bytes());
    file.append(&mut header);
    all.iter().for_each(|(_, _, bytes)| file.extend_from_slice(bytes));
    file
}
