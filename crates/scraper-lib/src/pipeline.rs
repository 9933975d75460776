//! A run, on one page: `source | fetch | decode | embed | store`.
//!
//! All channels are bounded, so a slow stage slows down those before it and memory stays flat.
//! Downloads run as tasks, decoding on worker threads, embedding in batches on one thread (which
//! spreads over the cores itself), and one thread writes. A result is reported only after it is
//! committed: kill the process at any moment, and the next run goes on from the last commit.

mod in_flight;
mod lanes;
mod memory;
mod notes;
mod pause;
mod shared;
mod sources;
mod stages;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};

use crate::{
    Error,
    fetch::{Fetched, Fetcher, Slot, Validators},
    model::LoadedModel,
    report::{MaxFailures, Progress, Summary, Unit},
    source::{Base, Location, Product, SourceError},
    store::{ImageKey, Lookup, Shard, Store, Vanishing, Write},
};
use in_flight::{Image, InFlight};
pub(crate) use memory::Memory;
pub use shared::{Sharing, share};
pub use sources::{retry, run};
use writer::Outcome;

/// See [`RunOptions::max_vanished`].
const MAX_VANISHED: MaxFailures = MaxFailures::Percent(30.0);

/// Sizes of the stages, and what a run is about.
#[derive(Debug, Clone, Copy)]
pub struct RunOptions {
    /// Images per call of the engine. Changes the speed, never a bit of a result.
    pub batch: usize,
    /// Threads that decode.
    pub decoders: usize,
    /// Memory of the pictures that are being decoded, over all decoders, in bytes; a picture that
    /// needs more is decoded alone.
    pub decode_memory: u64,
    /// Images that may wait for their host at once.
    pub pending: usize,
    /// For how many runs products stay in the store that their source no longer tells of.
    pub keep_vanished: u32,
    /// How many of a source's products may vanish in one run; of more none does, because a source
    /// that is broken looks the same.
    pub max_vanished: MaxFailures,
    /// Only this share of the products.
    pub shard: Option<Shard>,
}

/// Default of [`RunOptions::decode_memory`]: some dozen usual pictures, or one large one.
pub const DECODE_MEMORY: u64 = 512 << 20;

impl Default for RunOptions {
    fn default() -> Self {
        let decoders = std::thread::available_parallelism().map_or(2, |n| n.get());
        RunOptions {
            batch: 8,
            decoders,
            decode_memory: DECODE_MEMORY,
            pending: 256,
            keep_vanished: 3,
            max_vanished: MAX_VANISHED,
            shard: None,
        }
    }
}

impl RunOptions {
    fn vanishing(&self) -> Vanishing {
        Vanishing { keep: self.keep_vanished, most: self.max_vanished }
    }
}

/// Set to `true` to end a run early: what is decoded is still embedded and stored.
pub type Cancel = watch::Receiver<bool>;

/// What a run works with.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Gets the bytes of images.
    pub fetcher: Fetcher,
    /// Embeds them.
    pub model: Arc<LoadedModel>,
    /// How much at once, and what is skipped.
    pub options: RunOptions,
    /// Told to people.
    pub progress: Progress,
    /// Ends the run early, with what is under way stored.
    pub cancel: Cancel,
}

impl Setup {
    /// Values per vector.
    pub fn dim(&self) -> usize {
        self.model.clip.config().projection_dim
    }
}

/// Something to do.
#[derive(Debug)]
pub(crate) enum Input {
    /// Goes to the store as it is.
    Note(Write),
    /// A product to store, whose images are to be embedded.
    Product(Product, Arc<Base>),
    /// An image of a product that is stored already.
    Image(ImageKey, Arc<Base>),
    /// A record or a page of the named source that gave no product.
    BadRecord(String, SourceError),
}

/// An image whose bytes are at hand.
struct Job {
    key: ImageKey,
    bytes: Vec<u8>,
    validators: Validators,
    slot: Slot,
}

/// What the stages share.
struct Context {
    fetcher: Fetcher,
    model: Arc<LoadedModel>,
    lookup: Mutex<Box<dyn Lookup>>,
    in_flight: InFlight,
    memory: Memory,
    options: RunOptions,
    cancel: Cancel,
}

/// Brings everything that `inputs` yields into `store`, which must have begun the provenance of
/// the model ([`Store::begin`]). Gives the store back.
///
/// # Errors
/// What stops a run: the store cannot be read or written. Failures of single images are counted
/// in the summary and kept in the store's quarantine.
pub(crate) async fn process(
    inputs: mpsc::Receiver<Input>,
    store: Box<dyn Store>,
    setup: &Setup,
) -> Result<(Summary, Box<dyn Store>), Error> {
    let started = Instant::now();
    let options = setup.options;
    let (store, lookup) = crate::embed::blocking(move || {
        let lookup = store.lookup();
        (store, lookup)
    })
    .await?;
    let context = Arc::new(Context {
        fetcher: setup.fetcher.clone(),
        model: setup.model.clone(),
        lookup: Mutex::new(lookup?),
        in_flight: InFlight::default(),
        memory: Memory::new(options.decode_memory, setup.model.clip.processor()),
        options,
        cancel: setup.cancel.clone(),
    });
    let task = setup.progress.task("images", Some(0), Unit::Items);

    let (job_tx, jobs) = mpsc::channel::<Job>(2 * options.decoders.max(1));
    let (decoded_tx, decoded) = std::sync::mpsc::sync_channel(2 * options.batch.max(1));
    let (outcome_tx, outcomes) = mpsc::channel::<Outcome>(256);

    let writing = thread({
        let (context, progress) = (context.clone(), setup.progress.clone());
        move || writer::write(store, outcomes, &context.in_flight, &task, &progress)
    });
    let embedding = thread({
        let (context, out) = (context.clone(), outcome_tx.clone());
        move || stages::embed(&context, &decoded, &out)
    });
    let jobs = Arc::new(Mutex::new(jobs));
    let decoding: Vec<_> = (0..options.decoders.max(1))
        .map(|_| {
            let (context, jobs) = (context.clone(), jobs.clone());
            let (next, out) = (decoded_tx.clone(), outcome_tx.clone());
            thread(move || stages::decode(&context, &jobs, &next, &out))
        })
        .collect();
    drop((jobs, decoded_tx)); // each stage ends when the one before it has

    stages::fetch(&context, inputs, &job_tx, &outcome_tx).await;
    drop((job_tx, outcome_tx));
    for worker in decoding {
        join(worker).await?;
    }
    join(embedding).await?;
    // First the writer's error: it is the cause when the other stages stopped early.
    let (mut summary, store) = join(writing).await??;
    summary.interrupted = *setup.cancel.borrow();
    summary.seconds = started.elapsed().as_secs_f64();
    // Nothing is lost in silence: the sum is right, or the run did not succeed.
    let settled = summary.embedded + summary.reused + summary.failed;
    if !summary.interrupted && settled != summary.images + summary.refused {
        return Err(Error::Internal(format!(
            "{} images were listed, but {settled} have a result; run the command again",
            summary.images
        )));
    }
    Ok((summary, store))
}

fn thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    tokio::task::spawn_blocking(work)
}

async fn join<T>(handle: JoinHandle<T>) -> Result<T, Error> {
    handle.await.map_err(|e| Error::Internal(e.to_string()))
}
