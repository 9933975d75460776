//! Tokenizer and towers.

use std::collections::BTreeSet;

use clip_core::{
    Clip, Embedding, Error, KernelPath, Options, StreamingLoader, config::ClipConfig,
    image::PixelValues, packed_bytes, trace::Trace, weights::Dtype,
};
use js_sys::Uint8Array;
use tsify::Ts;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::{
    Failure, Precision, Stage, Towers,
    memory::{reserve, view},
    stage::{all_to_js, stages},
};

fn path_for(precision: Precision) -> Result<KernelPath, Failure> {
    let unfused = if precision == Precision::Auto { KernelPath::unfused() } else { None };
    Ok(unfused.map_or_else(KernelPath::detect, Ok).map_err(Error::from)?)
}

/// Name of the kernel path that will be used, such as `wasm-relaxed`.
///
/// # Errors
/// The machine has none.
#[wasm_bindgen(js_name = kernelPath)]
pub fn kernel_path(precision: Precision) -> Result<String, Failure> {
    Ok(path_for(precision)?.name().into())
}

/// Takes the bytes of a packed model's files, as they arrive, and gives a [`Model`].
#[wasm_bindgen]
#[derive(Debug)]
pub struct Loader(StreamingLoader);

#[wasm_bindgen]
impl Loader {
    /// Nothing has arrived yet. `config` is HF's `config.json`, `weights` the digest of all weights
    /// of the model.
    ///
    /// # Errors
    /// A model that is not a CLIP; too little memory for its weights.
    #[wasm_bindgen(constructor)]
    pub fn new(
        config: &str,
        weights: String,
        towers: Towers,
        precision: Precision,
    ) -> Result<Loader, Failure> {
        let config = ClipConfig::from_json(config.as_bytes()).map_err(Error::from)?;
        let towers = match towers {
            Towers::Text => clip_core::Towers::Text,
            Towers::Vision => clip_core::Towers::Vision,
            _ => clip_core::Towers::Both,
        };
        reserve(packed_bytes(&config, towers))?;
        let path = Some(path_for(precision)?);
        let options = Options { towers, path, ..Options::new(&config) };
        if towers != clip_core::Towers::Vision {
            // Unpacks the vocabulary: now the first bytes are still on their way.
            options.tokenizer.encode("", 0);
        }
        Ok(Loader(StreamingLoader::new(config, options, weights)?))
    }

    /// The token embedding comes later, in blocks of `rows` rows: [`Model::add_block`].
    #[wasm_bindgen(js_name = tokenBlocks)]
    pub fn token_blocks(&mut self, rows: usize) {
        self.0.token_blocks(rows);
    }

    /// A view of the wasm memory into which the next bytes of a safetensors file go: some, but
    /// seldom all. It holds until the next call of anything.
    #[wasm_bindgen(js_name = spareCapacity)]
    pub fn spare_capacity_view(&mut self) -> Uint8Array {
        view(self.0.spare_capacity())
    }

    /// `count` bytes were written to the spare capacity.
    ///
    /// # Errors
    /// A damaged header; a tensor that is unknown, misshaped, of another type, or not finite.
    pub fn advance(&mut self, count: usize) -> Result<(), Failure> {
        Ok(self.0.advance(count)?)
    }

    /// All files have come.
    ///
    /// # Errors
    /// A tensor is missing.
    pub fn finish(self) -> Result<Model, Failure> {
        Ok(Model(self.0.finish()?))
    }
}

impl Loader {
    /// Takes the next bytes, as many as there are; for callers in Rust.
    ///
    /// # Errors
    /// As [`Loader::advance`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.0.push(bytes)?)
    }
}

/// Token ids of texts.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Texts(Vec<Vec<u32>>);

/// A loaded model.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Model(Clip);

#[wasm_bindgen]
impl Model {
    /// `exp(logit_scale)`.
    #[wasm_bindgen(getter, js_name = logitScale)]
    pub fn logit_scale(&self) -> f32 {
        self.0.logit_scale()
    }

    /// Tokenises texts, each cut to the model's length.
    pub fn tokenize(&self, texts: Vec<String>) -> Texts {
        Texts(texts.iter().map(|text| self.0.tokenize(text)).collect())
    }

    /// Blocks of the token embedding that texts need and that have not been added.
    ///
    /// # Errors
    /// The text tower is not loaded.
    #[wasm_bindgen(js_name = missingBlocks)]
    pub fn missing_blocks(&self, texts: &Texts) -> Result<Vec<usize>, Failure> {
        let mut all = BTreeSet::new();
        for ids in &texts.0 {
            all.extend(self.0.missing_token_blocks(ids)?);
        }
        Ok(all.into_iter().collect())
    }

    /// Adds block `index` of the token embedding, `bits` (16 or 32) per value.
    ///
    /// # Errors
    /// The text tower is not loaded, or the block does not fit.
    #[wasm_bindgen(js_name = addBlock)]
    pub fn add_block(&mut self, index: usize, bits: u32, block: &[u8]) -> Result<(), Failure> {
        let dtype = match bits {
            16 => Dtype::F16,
            32 => Dtype::F32,
            _ => return Err(Failure::new("weights.format", format!("{bits} bits per value"))),
        };
        Ok(self.0.add_token_block(index, dtype, block)?)
    }

    /// Embeds texts: of each the raw vector, then the one of unit length.
    ///
    /// # Errors
    /// The text tower is not loaded, or a block of the token embedding is missing.
    #[wasm_bindgen(js_name = embedTexts)]
    pub fn embed_texts(&self, texts: &Texts) -> Result<Vec<f32>, Failure> {
        Ok(vectors(&self.0.embed_tokens(&texts.0)?))
    }

    /// Embeds one image, pixel values f32 `[3, size, size]`: its raw vector, then the one of unit
    /// length.
    ///
    /// # Errors
    /// The vision tower is not loaded, or the image does not have the model's size.
    #[wasm_bindgen(js_name = embedPixels)]
    pub fn embed_pixels(&self, pixels: Vec<f32>) -> Result<Vec<f32>, Failure> {
        Ok(vectors(&self.0.embed_pixels(&[self.pixels(pixels)])?))
    }

    /// The stages of a text.
    ///
    /// # Errors
    /// As [`Model::embed_texts`].
    #[wasm_bindgen(js_name = traceText)]
    pub fn trace_text_to_js(&self, text: &str) -> Result<Vec<Ts<Stage>>, Failure> {
        all_to_js(&self.trace_text(text)?)
    }

    /// The stages of the vision tower for one image; see [`Model::embed_pixels`].
    ///
    /// # Errors
    /// As [`Model::embed_pixels`].
    #[wasm_bindgen(js_name = tracePixels)]
    pub fn trace_pixels_to_js(&self, pixels: Vec<f32>) -> Result<Vec<Ts<Stage>>, Failure> {
        all_to_js(&self.trace_pixels(pixels)?)
    }
}

impl Model {
    /// The stages of a text, as [`Stage`]s of Rust.
    ///
    /// # Errors
    /// As [`Model::embed_texts`].
    pub fn trace_text(&self, text: &str) -> Result<Vec<Stage>, Failure> {
        Ok(stages(self.0.trace_text(text)?.1))
    }

    /// The stages of the vision tower for one image, as [`Stage`]s of Rust.
    ///
    /// # Errors
    /// As [`Model::embed_pixels`].
    pub fn trace_pixels(&self, pixels: Vec<f32>) -> Result<Vec<Stage>, Failure> {
        let (_, trace): (_, Trace) = self.0.trace_pixels(&self.pixels(pixels))?;
        Ok(stages(trace))
    }

    fn pixels(&self, data: Vec<f32>) -> PixelValues {
        PixelValues { size: self.0.config().vision.image_size, data }
    }
}

/// Raw vector, then the normalised one, of each input.
fn vectors(embeddings: &[Embedding]) -> Vec<f32> {
    let pair = |e: &Embedding| [e.values().to_vec(), e.normalized().values().to_vec()].concat();
    embeddings.iter().flat_map(pair).collect()
}
