//! The same bits everywhere: digests of every stage of a fixed set of inputs, computed by each
//! target and path and compared with one golden file.

use std::collections::BTreeMap;

use clip_core::{
    Clip, NUMERICS_VERSION, Tower,
    tensors::{Affine, BlockPart, TensorId},
    trace::Trace,
};
use serde::{Deserialize, Serialize};

use crate::goldens::Golden;

/// The golden file, `goldens/parity.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Blessed {
    /// [`NUMERICS_VERSION`] whose bits these are.
    pub numerics: u32,
    pub inputs: Digests,
}

impl Blessed {
    /// Puts the digests of `models` in the place of theirs, where the version of the numerics lets it:
    /// other bits under the same version would make stores of both look alike.
    ///
    /// # Errors
    /// A digest of an input that was there is another, though the version is not; or the version is
    /// another, and not all models take part.
    pub fn bless(&mut self, models: &[String], got: Digests, version: u32) -> Result<(), String> {
        let of = |input: &str| models.iter().any(|model| input.starts_with(&format!("{model}/")));
        let known = got.keys().filter_map(|k| Some((k.clone(), self.inputs.get(k)?.clone())));
        let known: Digests = known.collect();
        let common = got.iter().filter(|(k, _)| known.contains_key(*k));
        let changed = differences(&known, &common.map(|(k, v)| (k.clone(), v.clone())).collect());
        if version == self.numerics && !changed.is_empty() {
            return Err(format!(
                "{} inputs have other bits under the same NUMERICS_VERSION {version}; raise it in \
                 clip-kernels's lib.rs, or every store mixes both without a word:\n{}",
                changed.len(),
                changed.join("\n")
            ));
        }
        if version != self.numerics && self.inputs.keys().any(|input| !of(input)) {
            return Err(format!(
                "NUMERICS_VERSION is {version}, the file's {}: bless all models at once",
                self.numerics
            ));
        }
        self.inputs.retain(|input, _| !of(input));
        self.inputs.extend(got);
        self.numerics = version;
        Ok(())
    }
}

/// Stages by input name; digests are cut to 16 hexadecimal digits (64 bits).
pub type Digests = BTreeMap<String, Vec<(String, String)>>;

macro_rules! files {
    ($($name:literal)*) => {
        [$(($name, include_bytes!(concat!("../corpus/", $name)).as_slice())),*]
    };
}

/// Corpus files that take part: each decoder, each colour conversion that differs.
pub const FILES: [(&str, &[u8]); 12] = files!(
    "jpeg/photo-420-q75.jpg" "jpeg/progressive-422.jpg" "jpeg/cmyk.jpg" "jpeg/exif-6.jpg"
    "jpeg/grey.jpg" "jpeg/tall-pass-order.jpg" "jpeg/own-440-noninterleaved.jpg"
    "png/exif-3.png" "png/rgba8-gradient.png" "webp/lossy-q50.webp" "gif/interlaced.gif"
    "bmp/rle8.bmp"
);

/// Computes the digests of one model: texts, pixel inputs and corpus files.
///
/// # Errors
/// An input that cannot be embedded.
pub fn digests(golden: &Golden, clip: &Clip) -> Result<Digests, String> {
    let mut all = Digests::new();
    for (i, ids) in golden.facts.texts.iter().enumerate().step_by(4) {
        let vectors = clip.embed_tokens(std::slice::from_ref(ids)).map_err(|e| e.to_string())?;
        all.insert(format!("{}/tokens-{i}", golden.name), embedding_only(&vectors[0]));
    }
    for text in ["", "red floral dress", "Größe 42 👗 naïve café №5"] {
        let (_, trace) = clip.trace_text(text).map_err(|e| e.to_string())?;
        all.insert(format!("{}/text-{text}", golden.name), short(&trace));
    }
    for i in 0..2 {
        let vectors = clip.embed_pixels(&[golden.pixel(i)]).map_err(|e| e.to_string())?;
        all.insert(format!("{}/pixels-{i}", golden.name), embedding_only(&vectors[0]));
    }
    for (file, bytes) in FILES {
        let (_, trace) = clip.trace_image(bytes).map_err(|e| format!("{file}: {e}"))?;
        all.insert(format!("{}/{file}", golden.name), short(&trace));
    }
    Ok(all)
}

fn embedding_only(embedding: &clip_core::Embedding) -> Vec<(String, String)> {
    let digest = clip_core::trace::sha256_f32(embedding.values());
    vec![("embedding".into(), digest[..16].into())]
}

fn short(trace: &Trace) -> Vec<(String, String)> {
    trace.stages.iter().map(|s| (s.name.clone(), s.sha256[..16].to_string())).collect()
}

/// One line per input whose stages differ, naming the first of them.
pub fn differences(expected: &Digests, got: &Digests) -> Vec<String> {
    let mut lines = Vec::new();
    for (input, stages) in got {
        let Some(known) = expected.get(input) else {
            lines.push(format!("{input}: not in the golden file"));
            continue;
        };
        let first = stages.iter().zip(known).find(|(a, b)| a != b);
        if let Some(((stage, digest), (_, golden))) = first {
            lines.push(format!("{input}: first differs at {stage}: {digest}, golden {golden}"));
        } else if stages.len() != known.len() {
            lines.push(format!("{input}: {} stages, golden has {}", stages.len(), known.len()));
        }
    }
    lines
}

/// The checkpoint (f32) with one weight of vision layer 2 moved by one ulp, for tests of the test.
pub fn move_one_weight(mut file: Vec<u8>) -> Vec<u8> {
    let length = file.first_chunk().map_or(0, |b| u64::from_le_bytes(*b) as usize);
    let json: serde_json::Value =
        serde_json::from_slice(&file[8..8 + length]).expect("a safetensors header");
    let id = TensorId::Block(Tower::Vision, 2, BlockPart::Norm1, Affine::Weight);
    let tensor = &json[id.name()];
    let start = tensor["data_offsets"][0].as_u64().expect("the tensor is there") as usize;
    file[8 + length + start] ^= 1;
    file
}

/// The golden file, written by `parity --bless`.
pub fn blessed() -> Blessed {
    serde_json::from_str(include_str!("../goldens/parity.json")).expect("the golden is JSON")
}

/// The golden digests.
///
/// # Panics
/// They are of other numerics than this code says to have: one of the two was not raised.
pub fn expected() -> Digests {
    let Blessed { numerics, inputs } = blessed();
    assert_eq!(
        numerics, NUMERICS_VERSION,
        "goldens/parity.json is of another NUMERICS_VERSION: `parity --bless` writes it anew"
    );
    inputs
}

/// Sizes the global thread pool; call it before anything else.
///
/// # Errors
/// The pool is already running.
#[cfg(feature = "rayon")]
pub fn set_threads(count: usize) -> Result<(), String> {
    rayon::ThreadPoolBuilder::new().num_threads(count).build_global().map_err(|e| e.to_string())
}
