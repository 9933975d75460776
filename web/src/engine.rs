//! Tokenizer and towers.

use std::sync::Mutex;

use clip_core::{
    Clip, Embedding, Error, Incoming, KernelPath, Options, Towers,
    config::ClipConfig,
    image::PixelValues,
    packed_bytes,
    trace::Stage,
    weights::{Dtype, WeightsError},
};
use serde::{Deserialize, Serialize};

use crate::{Failure, answer, bytes_of, json, lock};

static MODEL: Mutex<Model> = Mutex::new(Model::None);

#[derive(Debug)]
enum Model {
    None,
    Loading(Box<Incoming>),
    Ready(Box<Clip>),
}

/// Input of [`begin`].
#[derive(Debug, Deserialize)]
struct Begin {
    /// HF's `config.json`.
    config: serde_json::Value,
    /// `text`, `vision` or `both`.
    towers: String,
    /// Digest of all weights of the model.
    weights: String,
    /// Rows per block of the token embedding, if it comes in blocks.
    token_rows: Option<usize>,
    /// See [`path_for`].
    precision: String,
}

/// Answer of the traces.
#[derive(Debug, Serialize)]
struct Traced {
    stages: Vec<Stage>,
}

fn model<T>(work: impl FnOnce(&mut Clip) -> Result<T, Failure>) -> Result<T, Failure> {
    match &mut *lock(&MODEL) {
        Model::Ready(clip) => work(clip),
        _ => Err(Failure::new("internal", "the model is not loaded")),
    }
}

/// The kernel path for a precision: `exact` bits, or (`auto`) those of another order of rounding where
/// this module would emulate the exact ones.
fn path_for(precision: &str) -> Result<KernelPath, Failure> {
    let unfused = if precision == "auto" { KernelPath::unfused() } else { None };
    unfused.map_or_else(|| Ok(KernelPath::detect().map_err(Error::from)?), Ok)
}

/// Name of the kernel path that will be used for a precision.
#[unsafe(no_mangle)]
pub extern "C" fn path() -> i32 {
    answer(|precision| Ok(path_for(&String::from_utf8_lossy(precision))?.name().into()))
}

/// Starts loading: JSON of [`Begin`].
#[unsafe(no_mangle)]
pub extern "C" fn begin() -> i32 {
    answer(|input| {
        let begin: Begin =
            serde_json::from_slice(input).map_err(|e| Failure::new("manifest", e))?;
        let config = ClipConfig::from_json(begin.config.to_string().as_bytes())?;
        let towers = match begin.towers.as_str() {
            "text" => Towers::Text,
            "vision" => Towers::Vision,
            _ => Towers::Both,
        };
        let needed = packed_bytes(&config, towers);
        reserve(needed)?;
        let path = Some(path_for(&begin.precision)?);
        let options = Options { towers, path, ..Options::new(&config) };
        if towers != Towers::Vision {
            // Unpacks the vocabulary: now the first bytes are still on their way.
            options.tokenizer.encode("", 0);
        }
        let mut incoming = Incoming::new(config, options, begin.weights)?;
        if let Some(rows) = begin.token_rows {
            incoming.token_blocks(rows);
        }
        *lock(&MODEL) = Model::Loading(Box::new(incoming));
        Ok(Vec::new())
    })
}

/// Lets the memory grow to what the weights will need, so that too little of it is an error now
/// and not a crash in the middle.
fn reserve(bytes: u64) -> Result<(), Failure> {
    let mut room = Vec::<u8>::new();
    let fits = usize::try_from(bytes).is_ok_and(|bytes| room.try_reserve_exact(bytes).is_ok());
    if fits {
        return Ok(());
    }
    let mebibytes = bytes >> 20;
    Err(Failure::new(
        "memory",
        format!(
            "there is no memory for {mebibytes} MiB of weights: close other pages, or load one \
             tower only"
        ),
    ))
}

/// Address of the room for the next bytes of a safetensors file, or 0 if no model is being loaded:
/// weights come without a copy on the way.
#[unsafe(no_mangle)]
pub extern "C" fn room() -> *mut u8 {
    match &mut *lock(&MODEL) {
        Model::Loading(incoming) => incoming.room().as_mut_ptr(),
        _ => std::ptr::null_mut(),
    }
}

/// How many bytes fit into the room.
#[unsafe(no_mangle)]
pub extern "C" fn room_size() -> usize {
    match &mut *lock(&MODEL) {
        Model::Loading(incoming) => incoming.room().len(),
        _ => 0,
    }
}

/// `count` bytes were written to the room.
#[unsafe(no_mangle)]
pub extern "C" fn filled(count: usize) -> i32 {
    answer(|_| match &mut *lock(&MODEL) {
        Model::Loading(incoming) => Ok(incoming.filled(count).map(|()| Vec::new())?),
        _ => Err(Failure::new("internal", "no model is being loaded")),
    })
}

/// All files have come.
#[unsafe(no_mangle)]
pub extern "C" fn finish() -> i32 {
    answer(|_| {
        let mut model = lock(&MODEL);
        let Model::Loading(incoming) = std::mem::replace(&mut *model, Model::None) else {
            return Err(Failure::new("internal", "no model is being loaded"));
        };
        *model = Model::Ready(Box::new(incoming.finish()?));
        Ok(Vec::new())
    })
}

/// `exp(logit_scale)`.
#[unsafe(no_mangle)]
pub extern "C" fn logit_scale() -> i32 {
    answer(|_| model(|clip| Ok(clip.logit_scale().to_le_bytes().into())))
}

fn tokens(clip: &Clip, input: &[u8]) -> Result<Vec<Vec<u32>>, Failure> {
    let texts: Vec<String> =
        serde_json::from_slice(input).map_err(|e| Failure::new("internal", e))?;
    Ok(texts.iter().map(|text| clip.tokenize(text)).collect())
}

/// Token ids of a JSON array of texts, as JSON.
#[unsafe(no_mangle)]
pub extern "C" fn tokenize() -> i32 {
    answer(|input| model(|clip| json(&tokens(clip, input)?)))
}

/// Blocks of the token embedding that a JSON array of texts still needs, as JSON.
#[unsafe(no_mangle)]
pub extern "C" fn missing_blocks() -> i32 {
    answer(|input| {
        model(|clip| {
            let ids = tokens(clip, input)?;
            let mut all = std::collections::BTreeSet::new();
            for ids in &ids {
                all.extend(clip.missing_token_blocks(ids)?);
            }
            json(&all)
        })
    })
}

/// Adds a block of the token embedding, `bits` (16 or 32) per value.
#[unsafe(no_mangle)]
pub extern "C" fn add_block(index: usize, bits: usize) -> i32 {
    answer(|input| {
        let dtype = match bits {
            16 => Dtype::F16,
            32 => Dtype::F32,
            _ => return Err(WeightsError::Format(format!("{bits} bits per value")).into()),
        };
        model(|clip| Ok(clip.add_token_block(index, dtype, input).map(|()| Vec::new())?))
    })
}

/// Raw vector, then the normalised one, of each input.
fn vectors(embeddings: &[Embedding]) -> Vec<u8> {
    let mut out = Vec::new();
    for embedding in embeddings {
        out.append(&mut bytes_of(embedding.values()));
        out.append(&mut bytes_of(embedding.normalized().values()));
    }
    out
}

/// Embeds a JSON array of texts.
#[unsafe(no_mangle)]
pub extern "C" fn embed_texts() -> i32 {
    answer(|input| model(|clip| Ok(vectors(&clip.embed_tokens(&tokens(clip, input)?)?))))
}

/// Every stage of one text (a JSON array of one).
#[unsafe(no_mangle)]
pub extern "C" fn trace_text() -> i32 {
    answer(|input| {
        model(|clip| {
            let texts: Vec<String> =
                serde_json::from_slice(input).map_err(|e| Failure::new("internal", e))?;
            let text = texts.first().map_or("", String::as_str);
            json(&Traced { stages: clip.trace_text(text)?.1.stages })
        })
    })
}

fn pixels(clip: &Clip, input: &[u8]) -> PixelValues {
    let float = |b: &[u8]| b.try_into().map_or(f32::NAN, f32::from_le_bytes);
    let data = input.chunks_exact(4).map(float).collect();
    PixelValues { size: clip.config().vision.image_size, data }
}

/// Embeds one preprocessed picture: f32 `[3, size, size]`.
#[unsafe(no_mangle)]
pub extern "C" fn embed_pixels() -> i32 {
    answer(|input| model(|clip| Ok(vectors(&clip.embed_pixels(&[pixels(clip, input)])?))))
}

/// The stages of the vision tower for one preprocessed picture.
#[unsafe(no_mangle)]
pub extern "C" fn trace_pixels() -> i32 {
    answer(|input| {
        model(|clip| json(&Traced { stages: clip.trace_pixels(&pixels(clip, input))?.1.stages }))
    })
}
