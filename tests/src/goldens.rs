//! The vectors that `transformers` computed from the synthetic checkpoints and from the small real
//! model, and the models.

use std::borrow::Cow;

use clip_core::{
    Clip, KernelPath, Options,
    config::ClipConfig,
    image::PixelValues,
    synthetic::{self, Dtype},
};
use serde::Deserialize;

use crate::inputs;

/// One model and what is known about it; see `reference/model.py`.
#[derive(Debug)]
pub struct Golden {
    pub name: &'static str,
    pub config: ClipConfig,
    pub facts: Facts,
    /// Raw vectors (not normalised) of the images, then of the texts.
    pub images: Vec<Vec<f32>>,
    pub texts: Vec<Vec<f32>>,
    /// The safetensors file; `None`: made from the seed.
    file: Option<&'static [u8]>,
}

/// The JSON part of a golden.
#[derive(Debug, Deserialize)]
pub struct Facts {
    /// Of a synthetic checkpoint.
    #[serde(default)]
    pub seed: u64,
    pub pixel_seed: u64,
    pixels_sha256: Vec<String>,
    pub texts: Vec<Vec<u32>>,
    pub logits_per_image: Logits,
}

/// `logits_per_image` of some images (rows) and texts (columns), by index.
#[derive(Debug, Deserialize)]
pub struct Logits {
    pub images: Vec<usize>,
    pub texts: Vec<usize>,
    pub values: Vec<Vec<f32>>,
}

impl Golden {
    /// Names that [`Golden::named`] knows, largest model first.
    pub const NAMES: [&'static str; 3] = ["vit_b_32", "second_shape", "tiny"];

    pub fn named(name: &str) -> Option<Self> {
        match name {
            "vit_b_32" => Some(Golden::vit_b_32()),
            "second_shape" => Some(Golden::second_shape()),
            "tiny" => Some(Golden::tiny()),
            _ => None,
        }
    }

    /// The full-size ViT-B/32.
    pub fn vit_b_32() -> Self {
        let json = include_str!("../goldens/model-vit_b_32.json");
        let vectors = include_bytes!("../goldens/model-vit_b_32.f32");
        Golden::new("vit_b_32", synthetic::vit_b_32(), json, vectors)
    }

    /// The small second shape: patch 16, `gelu`.
    pub fn second_shape() -> Self {
        let json = include_str!("../goldens/model-second_shape.json");
        let vectors = include_bytes!("../goldens/model-second_shape.f32");
        Golden::new("second_shape", synthetic::second_shape(), json, vectors)
    }

    /// The small real model that comes with the scraper.
    pub fn tiny() -> Self {
        let config = include_bytes!("../../crates/scraper-lib/models/tiny/config.json");
        let config = ClipConfig::from_json(config).expect("the model's configuration");
        let json = include_str!("../goldens/model-tiny.json");
        let vectors = include_bytes!("../goldens/model-tiny.f32");
        let file = include_bytes!("../../crates/scraper-lib/models/tiny/model.safetensors");
        Golden { file: Some(file), ..Golden::new("tiny", config, json, vectors) }
    }

    fn new(name: &'static str, config: ClipConfig, json: &str, vectors: &[u8]) -> Self {
        let facts: Facts = serde_json::from_str(json).expect("the golden is JSON");
        let floats: Vec<f32> = vectors
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().expect("four bytes")))
            .collect();
        let mut images: Vec<_> =
            floats.chunks_exact(config.projection_dim).map(<[f32]>::to_vec).collect();
        let texts = images.split_off(facts.pixels_sha256.len());
        assert_eq!(texts.len(), facts.texts.len(), "{name}: one vector per text");
        Golden { name, config, facts, images, texts, file: None }
    }

    /// The checkpoint as a safetensors file; a real one is as it is, whatever `dtype`.
    pub fn checkpoint(&self, dtype: Dtype) -> Cow<'static, [u8]> {
        match self.file {
            Some(file) => file.into(),
            None => synthetic::safetensors(&self.config, self.facts.seed, dtype)
                .expect("fits in memory")
                .into(),
        }
    }

    /// The model on a kernel path (`None`: the fastest).
    pub fn load(&self, path: Option<KernelPath>) -> Clip {
        let options = Options { path, ..Options::new(&self.config) };
        Clip::load(self.config.clone(), &self.checkpoint(Dtype::F16), options)
            .expect("the checkpoint loads")
    }

    /// The pixel inputs, as many as there are golden vectors.
    pub fn pixels(&self) -> Vec<PixelValues> {
        (0..self.images.len()).map(|i| self.pixel(i)).collect()
    }

    /// One pixel input.
    pub fn pixel(&self, index: usize) -> PixelValues {
        PixelValues { size: inputs::SIDE, data: inputs::pixels(self.facts.pixel_seed, index) }
    }
}
