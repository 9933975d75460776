//! Embeds single inputs: the library call behind `scraper embed`.

use std::{sync::Arc, time::Duration, time::Instant};

use clip_core::{Embedding, Towers, trace::Trace};

use crate::{
    Error,
    config::Environment,
    fetch::{Caps, Fetcher},
    model::{self, LoadOptions, LoadedModel, ModelSpec},
    report::Progress,
    source::{Base, Location},
};

/// Embeds the image at `url` (http, https, file, or a path) with the model that
/// `EMBEDDINGS_MODEL` names. The vector is *not* normalised, as HF's `get_image_features`.
///
/// Loads the model each time: to embed many images, use [`Embedder`].
///
/// # Errors
/// No weights, no image, or an image that cannot be read; never a vector of zeros.
pub async fn get_image_embedding(url: &str) -> Result<Embedding, Error> {
    let environment = Environment::load().map_err(|e| Error::Usage(e.to_string()))?;
    let spec = ModelSpec::parse(&environment.model)?;
    let files = model::find(&spec, &environment.hub, &Progress::hidden()).await?;
    let location = Location::parse(url, &Base::user())?;
    let load = move || model::load(&files, &LoadOptions::new(Towers::Vision));
    let embedder = Embedder::new(blocking(load).await??)?;
    Ok(embedder.embed_location(&location).await?.embedding)
}

/// A model with a way to fetch what it embeds. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Embedder {
    pub model: Arc<LoadedModel>,
    pub fetcher: Fetcher,
    /// Whether to digest every stage, which is slower.
    pub trace: bool,
}

/// A vector and how long its steps took.
#[derive(Debug)]
pub struct Embedded {
    pub embedding: Embedding,
    pub bytes: usize,
    pub fetch: Duration,
    /// Decoding, preprocessing and the tower.
    pub compute: Duration,
    /// Stage digests, where the [`Embedder`] was asked for them.
    pub trace: Option<Trace>,
}

impl Embedder {
    /// Fetches whatever address it is given: that is for people who name each of them. For
    /// addresses from elsewhere, set a [`Fetcher`] with a guard.
    ///
    /// # Errors
    /// HTTP cannot be set up.
    pub fn new(model: LoadedModel) -> Result<Self, Error> {
        let fetcher = Fetcher::unguarded(Caps::default())?;
        Ok(Embedder { model: Arc::new(model), fetcher, trace: false })
    }

    /// Fetches and embeds one image.
    ///
    /// # Errors
    /// The fetch's or the engine's reason.
    pub async fn embed_location(&self, location: &Location) -> Result<Embedded, Error> {
        let started = Instant::now();
        let bytes = self.fetcher.fetch(location).await?.bytes;
        let fetch = started.elapsed();
        Ok(Embedded { fetch, ..self.embed_bytes(bytes).await? })
    }

    /// Embeds one image file.
    ///
    /// # Errors
    /// The engine's reason.
    pub async fn embed_bytes(&self, bytes: Vec<u8>) -> Result<Embedded, Error> {
        let length = bytes.len();
        let trace = self.trace;
        self.timed(length, move |LoadedModel { clip, .. }| match trace {
            true => clip.trace_image(&bytes).map(|(embedding, trace)| (embedding, Some(trace))),
            false => clip.embed_image(&bytes).map(|embedding| (embedding, None)),
        })
        .await
    }

    /// Embeds one text.
    ///
    /// # Errors
    /// The engine's reason.
    pub async fn embed_text(&self, text: &str) -> Result<Embedded, Error> {
        let (text, trace) = (text.to_owned(), self.trace);
        self.timed(text.len(), move |LoadedModel { clip, .. }| match trace {
            true => clip.trace_text(&text).map(|(embedding, trace)| (embedding, Some(trace))),
            false => clip.embed_text(&text).map(|embedding| (embedding, None)),
        })
        .await
    }

    async fn timed(
        &self,
        bytes: usize,
        compute: impl FnOnce(&LoadedModel) -> Result<(Embedding, Option<Trace>), clip_core::Error>
        + Send
        + 'static,
    ) -> Result<Embedded, Error> {
        let model = self.model.clone();
        blocking(move || {
            let started = Instant::now();
            let (embedding, trace) = compute(&model)?;
            let (fetch, compute) = (Duration::ZERO, started.elapsed());
            Ok(Embedded { embedding, bytes, fetch, compute, trace })
        })
        .await?
    }
}

/// Runs `work` on a thread for blocking work; a panic in it becomes an error.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Error::Internal(e.to_string()))
}
