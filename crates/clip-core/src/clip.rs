//! The model: bytes or text in, [`Embedding`] out.

use clip_kernels::{KernelPath, Kernels};

use crate::{
    Embedding, Error, Options,
    config::ClipConfig,
    image::{PixelValues, Processor},
    model::{TextTower, VisionTower},
    text::Tokenizer,
    trace::Trace,
    weights::{Dtype, Tensor},
};

/// A loaded CLIP model. All methods take `&self`: share it between threads.
#[derive(Debug)]
pub struct Clip {
    config: ClipConfig,
    processor: Processor,
    tokenizer: Tokenizer,
    vision: Option<VisionTower>,
    text: Option<TextTower>,
    logit_scale: f32,
    digest: String,
    kernels: Kernels,
}

impl Clip {
    /// From towers that were put together.
    pub(crate) fn new(
        config: ClipConfig,
        options: Options,
        kernels: Kernels,
        (vision, text): (Option<VisionTower>, Option<TextTower>),
        logit_scale: f32,
        digest: String,
    ) -> Self {
        let processor = Processor::new(&options.preprocess, options.profile, options.limits);
        let tokenizer = options.tokenizer;
        Clip { config, processor, tokenizer, vision, text, logit_scale, digest, kernels }
    }

    /// The model's shape.
    pub fn config(&self) -> &ClipConfig {
        &self.config
    }

    /// Bytes to pixel values.
    pub fn processor(&self) -> &Processor {
        &self.processor
    }

    /// Text to token ids.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// SHA-256 (hex) over the values of all tensors, whatever their storage type; see
    /// [`Weights::digest`](crate::weights::Weights::digest).
    pub fn weights_digest(&self) -> &str {
        &self.digest
    }

    /// `exp(logit_scale)`, the factor of [`logits_per_image`](crate::logits_per_image); 1 if the
    /// file has none.
    pub fn logit_scale(&self) -> f32 {
        self.logit_scale
    }

    /// The kernel path in use. It never changes a bit of any result.
    pub fn path(&self) -> KernelPath {
        self.kernels.path()
    }

    /// Decodes, preprocesses and embeds one image file (HF: `get_image_features`).
    ///
    /// # Errors
    /// The image cannot be decoded, or the vision tower is not loaded.
    pub fn embed_image(&self, bytes: &[u8]) -> Result<Embedding, Error> {
        self.one_image(&self.processor.process(bytes)?, None)
    }

    /// Embeds preprocessed images; a batch gives the same bits as one by one.
    ///
    /// # Errors
    /// The vision tower is not loaded, or an image does not have the model's size.
    pub fn embed_pixels(&self, batch: &[PixelValues]) -> Result<Vec<Embedding>, Error> {
        let vision = self.vision()?;
        let batch: Vec<_> = batch.iter().map(|p| self.check_pixels(p)).collect::<Result<_, _>>()?;
        Ok(vision.forward(&batch, None).into_iter().map(Embedding::from_raw).collect())
    }

    /// Tokenises and embeds one text (HF: `get_text_features`).
    ///
    /// # Errors
    /// The text tower is not loaded.
    pub fn embed_text(&self, text: &str) -> Result<Embedding, Error> {
        self.one_text(&self.tokenize(text), None)
    }

    /// Embeds token ids (each with BOS and EOT); a batch gives the same bits as one by one.
    ///
    /// # Errors
    /// The text tower is not loaded, or a sequence is empty, too long, or has an unknown id.
    pub fn embed_tokens(&self, batch: &[Vec<u32>]) -> Result<Vec<Embedding>, Error> {
        let tower = self.text()?;
        let batch: Vec<_> =
            batch.iter().map(|ids| self.check_rows(ids)).collect::<Result<_, _>>()?;
        Ok(tower.forward(&batch, None).into_iter().map(Embedding::from_raw).collect())
    }

    /// [`Clip::embed_image`] with a digest per stage.
    ///
    /// # Errors
    /// As for [`Clip::embed_image`].
    pub fn trace_image(&self, bytes: &[u8]) -> Result<(Embedding, Trace), Error> {
        let stages = self.processor.stages(bytes)?;
        let mut trace = stages.trace();
        let embedding = self.one_image(&stages.pixels, Some(&mut trace))?;
        Ok((embedding, trace))
    }

    /// The stages of the vision tower for an image that is preprocessed already.
    ///
    /// # Errors
    /// As for [`Clip::embed_pixels`].
    pub fn trace_pixels(&self, pixels: &PixelValues) -> Result<(Embedding, Trace), Error> {
        let mut trace = Trace::new();
        let embedding = self.one_image(pixels, Some(&mut trace))?;
        Ok((embedding, trace))
    }

    /// Blocks of the token embedding that `ids` need and that have not been added; see
    /// [`StreamingLoader::token_blocks`](crate::StreamingLoader::token_blocks).
    ///
    /// # Errors
    /// The text tower is not loaded, or an id is unknown.
    pub fn missing_token_blocks(&self, ids: &[u32]) -> Result<Vec<usize>, Error> {
        Ok(self.text()?.tokens().missing(self.check_ids(ids)?))
    }

    /// Adds block `index` of the token embedding, in the file's storage type (f32, f16 or bf16,
    /// little-endian).
    ///
    /// # Errors
    /// The text tower is not loaded, or the block does not fit.
    pub fn add_token_block(
        &mut self,
        index: usize,
        dtype: Dtype,
        data: &[u8],
    ) -> Result<(), Error> {
        let text = self.text.as_mut().ok_or(Error::TowerNotLoaded("text"))?;
        let name = format!("block {index} of the token embedding");
        Ok(text.tokens_mut().add(index, &Tensor::new(name, Vec::new(), dtype, data))?)
    }

    /// [`Clip::embed_text`] with a digest per stage.
    ///
    /// # Errors
    /// As for [`Clip::embed_text`].
    pub fn trace_text(&self, text: &str) -> Result<(Embedding, Trace), Error> {
        let mut trace = Trace::new();
        let ids = self.tokenize(text);
        trace.u32("tokens", &ids);
        let embedding = self.one_text(&ids, Some(&mut trace))?;
        Ok((embedding, trace))
    }

    /// Token ids of `text`, truncated to the model's length.
    pub fn tokenize(&self, text: &str) -> Vec<u32> {
        self.tokenizer.encode(text, self.config.text.max_positions)
    }

    fn one_image(
        &self,
        pixels: &PixelValues,
        mut trace: Option<&mut Trace>,
    ) -> Result<Embedding, Error> {
        let batch = [self.check_pixels(pixels)?];
        self.first(self.vision()?.forward(&batch, trace.as_deref_mut()), trace)
    }

    fn one_text(&self, ids: &[u32], mut trace: Option<&mut Trace>) -> Result<Embedding, Error> {
        let batch = [self.check_rows(ids)?];
        self.first(self.text()?.forward(&batch, trace.as_deref_mut()), trace)
    }

    /// The only vector of a batch of one, with its two last stages traced.
    fn first(&self, vectors: Vec<Vec<f32>>, trace: Option<&mut Trace>) -> Result<Embedding, Error> {
        // A tower returns one vector per input.
        let embedding = Embedding::from_raw(vectors.into_iter().next().unwrap_or_default());
        if let Some(trace) = trace {
            let dim = [self.config.projection_dim];
            trace.f32("embedding", &dim, embedding.values());
            let unit = embedding.normalized_by(&self.kernels);
            trace.f32("normalized", &dim, unit.values());
        }
        Ok(embedding)
    }

    fn vision(&self) -> Result<&VisionTower, Error> {
        self.vision.as_ref().ok_or(Error::TowerNotLoaded("vision"))
    }

    fn text(&self) -> Result<&TextTower, Error> {
        self.text.as_ref().ok_or(Error::TowerNotLoaded("text"))
    }

    fn check_pixels<'a>(&self, pixels: &'a PixelValues) -> Result<&'a PixelValues, Error> {
        let size = self.config.vision.image_size;
        if pixels.size == size && pixels.data.len() == 3 * size * size {
            return Ok(pixels);
        }
        Err(Error::Input(format!(
            "pixel values are {0}x{0}, the model needs {size}x{size}",
            pixels.size
        )))
    }

    fn check_ids<'a>(&self, ids: &'a [u32]) -> Result<&'a [u32], Error> {
        let (max, vocab) = (self.config.text.max_positions, self.config.text.vocab_size);
        if ids.is_empty() || ids.len() > max {
            return Err(Error::Input(format!(
                "{} token ids, the model takes 1 to {max}",
                ids.len()
            )));
        }
        match ids.iter().find(|id| **id as usize >= vocab) {
            Some(id) => {
                Err(Error::Input(format!("token id {id} is outside the vocabulary of {vocab}")))
            }
            None => Ok(ids),
        }
    }

    /// [`Clip::check_ids`], and all rows are here.
    fn check_rows<'a>(&self, ids: &'a [u32]) -> Result<&'a [u32], Error> {
        let missing = self.missing_token_blocks(ids)?;
        if missing.is_empty() {
            return Ok(ids);
        }
        Err(Error::Input(format!("blocks {missing:?} of the token embedding have not been added")))
    }
}
