//! One engine for all requests: pictures are decoded side by side, and what is ready is embedded in
//! one batch.

use std::{io, sync::Arc};

use axum::body::Bytes;
use clip_core::{Embedding, image::PixelValues};
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::{ServeOptions, refusal::Refusal};
use crate::{
    Error, embed::blocking, model::LoadedModel, panics::caught, pipeline::Memory, threads,
};

type Answer = Result<Embedding, clip_core::Error>;

/// What the towers take.
enum Ready {
    Pixels(PixelValues),
    Tokens(Vec<u32>),
}

struct Job {
    input: Ready,
    /// Closed where nobody waits any more.
    reply: oneshot::Sender<Option<Answer>>,
}

/// The way to the engine's thread. Cheap to clone.
#[derive(Clone)]
pub(super) struct Engine {
    model: Arc<LoadedModel>,
    memory: Arc<Memory>,
    decoders: Arc<Semaphore>,
    jobs: mpsc::Sender<Job>,
}

impl Engine {
    /// Its thread ends with the last clone.
    pub(super) fn start(
        model: Arc<LoadedModel>,
        options: &ServeOptions,
        batches: Histogram,
    ) -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, |n| n.get());
        let decoders = threads::spare().map_or(cores, |spare| cores.min(spare.max(1)));
        let memory = Arc::new(Memory::new(options.decode_memory, model.clip.processor()));
        let batch = options.batch.max(1);
        // What is ready waits here while a batch is computed; the rest waits undecoded.
        let (jobs, ready) = mpsc::channel(2 * batch);
        let thread = std::thread::Builder::new().name("engine".into());
        let of_thread = model.clone();
        thread.spawn(move || embed(&of_thread, ready, batch, &batches))?;
        Ok(Engine { model, memory, decoders: Arc::new(Semaphore::new(decoders)), jobs })
    }

    /// Embeds an image file.
    pub(super) async fn image(&self, bytes: Bytes) -> Result<Embedding, Refusal> {
        let permit = self.decoders.clone().acquire_owned().await.ok(); // never closed
        let memory = self.memory.clone();
        let decode = move || {
            let _permit = permit;
            caught(|| memory.process(&bytes).map(|(pixels, _)| pixels))
        };
        match blocking(decode).await? {
            Some(Ok(pixels)) => self.ask(Ready::Pixels(pixels)).await,
            Some(Err(e)) => Err(Error::Clip(e.into()).into()),
            None => Err(Refusal::internal("image.panic", &"the decoder gave up on an image")),
        }
    }

    /// Embeds a text.
    pub(super) async fn text(&self, text: &str) -> Result<Embedding, Refusal> {
        self.ask(Ready::Tokens(self.model.clip.tokenize(text))).await
    }

    async fn ask(&self, input: Ready) -> Result<Embedding, Refusal> {
        let (reply, answer) = oneshot::channel();
        let lost = |_| Refusal::internal("internal", &"the engine gave up on a batch");
        self.jobs.send(Job { input, reply }).await.map_err(|e| lost(e.to_string()))?;
        match answer.await {
            Ok(Some(answer)) => answer.map_err(|e| Error::Clip(e).into()),
            Ok(None) => Err(lost(String::new())),
            Err(e) => Err(lost(e.to_string())),
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("decoders", &self.decoders).finish_non_exhaustive()
    }
}

/// As many as are ready, up to `size`: nobody waits for a batch to fill.
fn embed(model: &LoadedModel, mut ready: mpsc::Receiver<Job>, size: usize, batches: &Histogram) {
    while let Some(first) = ready.blocking_recv() {
        let mut jobs = vec![first];
        while jobs.len() < size
            && let Ok(job) = ready.try_recv()
        {
            jobs.push(job);
        }
        // Of a request that was given up.
        jobs.retain(|job| !job.reply.is_closed());
        let (mut pixels, mut tokens) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
        for Job { input, reply } in jobs {
            match input {
                Ready::Pixels(input) => {
                    pixels.0.push(input);
                    pixels.1.push(reply);
                }
                Ready::Tokens(input) => {
                    tokens.0.push(input);
                    tokens.1.push(reply);
                }
            }
        }
        let clip = &model.clip;
        reply(tokens, batches, |batch| clip.embed_tokens(batch));
        reply(pixels, batches, |batch| clip.embed_pixels(batch));
    }
}

type Replies = Vec<oneshot::Sender<Option<Answer>>>;

fn reply<T>(
    (batch, replies): (Vec<T>, Replies),
    batches: &Histogram,
    embed: impl Fn(&[T]) -> Result<Vec<Embedding>, clip_core::Error>,
) {
    if batch.is_empty() {
        return;
    }
    batches.observe(batch.len() as f64);
    // What refuses one input must not refuse those that came along.
    let answers: Vec<Option<Answer>> = match caught(|| embed(&batch)) {
        Some(Ok(all)) => all.into_iter().map(|one| Some(Ok(one))).collect(),
        _ => batch.chunks(1).map(|one| caught(|| first(embed(one)?))).collect(),
    };
    for (to, answer) in replies.into_iter().zip(answers) {
        // Gone meanwhile.
        let _ = to.send(answer);
    }
}

/// The only vector of a batch of one.
fn first(batch: Vec<Embedding>) -> Answer {
    let lost = || clip_core::Error::Input("the tower gave no vector".into());
    batch.into_iter().next().ok_or_else(lost)
}
