//! The stages between the source and the store.

use std::{
    sync::mpsc::{Receiver as SyncReceiver, SyncSender},
    time::{Duration, Instant},
};

use clip_core::image::PixelValues;
use reqwest::Url;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::Sender;

use super::{lanes::Lanes, *};
use crate::{embed::blocking, panics::caught};

/// How long a batch waits for more images before it is embedded as it is.
const FILL: Duration = Duration::from_millis(50);

/// An image ready for the tower.
pub(super) struct Decoded {
    image: Image,
    pixels: PixelValues,
    /// Whether the pixels are what Pillow makes of a damaged file.
    damaged: bool,
}

/// Starts a download for every image of every product.
pub(super) async fn fetch(
    context: &Arc<Context>,
    mut inputs: mpsc::Receiver<Input>,
    jobs: &Sender<Job>,
    out: &Sender<Outcome>,
) {
    let mut cancel = context.cancel.clone();
    let mut lanes = Lanes::new(context.options.pending);
    let work = |(key, base): (ImageKey, Arc<Base>)| {
        let (context, jobs, out) = (context.clone(), jobs.clone(), out.clone());
        async move { fetch_one(&context, key, &base, &jobs, &out).await }
    };
    let in_trouble = |host: &str| context.fetcher.in_trouble(host);
    let all = async {
        loop {
            let input = tokio::select! {
                // What is under way comes first.
                biased;
                lost = lanes.next(work), if !lanes.is_empty() => {
                    panicked(lost, out).await;
                    continue;
                }
                input = inputs.recv(), if lanes.has_room(in_trouble) => match input {
                    Some(input) => input,
                    None => break,
                },
            };
            let (keys, base, outcome) = match input {
                Input::Note(write) => (Vec::new(), None, Outcome::Note(write)),
                Input::BadRecord(source, e) => (Vec::new(), None, Outcome::BadRecord(source, e)),
                Input::Image(key, base) => (vec![key], Some(base), Outcome::Image),
                Input::Product(product, base) => {
                    (keys(&product), Some(base), Outcome::Product(product))
                }
            };
            if out.send(outcome).await.is_err() {
                return; // the store failed; its error is the run's
            }
            let Some(base) = base else { continue };
            for key in keys {
                lanes.add(host(&key.address), (key, base.clone()), work);
            }
        }
        while !lanes.is_empty() {
            panicked(lanes.next(work).await, out).await;
        }
    };
    let cancelled = async {
        // Without anybody left who could cancel, nobody does.
        if cancel.wait_for(|&cancelled| cancelled).await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = all => {}
        () = cancelled => {}
    }
    // Dropping the lanes drops the downloads that are still running.
}

/// A defect in a library must not lose the image that met it.
async fn panicked(lost: Option<(ImageKey, Arc<Base>)>, out: &Sender<Outcome>) {
    if let Some((key, _)) = lost {
        let kind = "internal".to_owned();
        let message = "fetching it ended in a panic; please report the address".to_owned();
        let _ = out.send(Outcome::NotFetched { key, kind, message }).await;
    }
}

/// Where an image comes from, as far as its address says; files are one host.
fn host(address: &str) -> String {
    Url::parse(address).map(|url| crate::fetch::host(&url)).unwrap_or_default()
}

fn keys(product: &Product) -> Vec<ImageKey> {
    let Product { source, id, images, .. } = product;
    (0..)
        .zip(images)
        .map(|(position, address)| ImageKey {
            source: source.clone(),
            product: id.clone(),
            position,
            address: address.clone(),
        })
        .skip(product.first_new())
        .collect()
}

/// Brings one image to the decoders. A send fails only when the run is ending.
async fn fetch_one(
    context: &Arc<Context>,
    key: ImageKey,
    base: &Base,
    jobs: &Sender<Job>,
    out: &Sender<Outcome>,
) {
    pause::wait(&key.address).await;
    // The answer may take a round trip to a database.
    let asked = blocking({
        let (context, key) = (context.clone(), key.clone());
        move || {
            let mut lookup = context.lookup.lock().unwrap_or_else(PoisonError::into_inner);
            lookup.validators(&key)
        }
    });
    let known = match asked.await {
        Ok(Ok(known)) => known,
        Ok(Err(e)) => {
            let _ = out.send(Outcome::Stop(e.into())).await;
            return;
        }
        Err(e) => {
            let _ = out.send(Outcome::Stop(e)).await;
            return;
        }
    };
    let fetched = match Location::parse(&key.address, base) {
        Ok(location) => match &known {
            Some(known) => context.fetcher.fetch_if_changed(&location, known).await,
            None => context.fetcher.fetch(&location).await.map(Some),
        },
        Err(e) => Err(e),
    };
    let _ = match fetched {
        Ok(Some(Fetched { bytes, validators, slot })) => {
            let _ = jobs.send(Job { key, bytes, validators, slot }).await;
            return;
        }
        Ok(None) => out.send(Outcome::NotModified(key)).await,
        Err(e) => {
            let (kind, message) = (e.kind().to_owned(), e.to_string());
            out.send(Outcome::NotFetched { key, kind, message }).await
        }
    };
}

/// Hashes, skips what has a vector, decodes and preprocesses the rest.
pub(super) fn decode(
    context: &Context,
    jobs: &Mutex<mpsc::Receiver<Job>>,
    next: &SyncSender<Decoded>,
    out: &Sender<Outcome>,
) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(Job { key, bytes, validators, slot }) = job else { return };
        if *context.cancel.borrow() {
            continue;
        }
        pause::block();
        let hash = Sha256::digest(&bytes).into();
        let image = Image { key, hash, bytes: bytes.len() as u64, validators };
        if !context.in_flight.claim(&image.hash) {
            if out.blocking_send(Outcome::Waiting(image)).is_err() {
                return;
            }
            continue;
        }
        let known = {
            let mut lookup = context.lookup.lock().unwrap_or_else(PoisonError::into_inner);
            lookup.has_vector(&image.hash)
        };
        let outcome = match known {
            Ok(true) => Outcome::Known(image),
            Err(e) => Outcome::Stop(e.into()),
            Ok(false) => match caught(|| context.memory.process(&bytes)) {
                Some(Ok((pixels, info))) => {
                    drop((bytes, slot));
                    if next.send(Decoded { image, pixels, damaged: info.damaged }).is_err() {
                        return;
                    }
                    continue;
                }
                Some(Err(e)) => {
                    let (kind, message) = (e.kind().to_owned(), e.to_string());
                    Outcome::Refused { image, kind, message }
                }
                None => Outcome::Refused {
                    image,
                    kind: "image.panic".into(),
                    message: "the decoder gave up on it; please report the file".into(),
                },
            },
        };
        if out.blocking_send(outcome).is_err() {
            return;
        }
    }
}

/// Embeds in batches: as many as are ready, up to the batch size.
pub(super) fn embed(context: &Context, decoded: &SyncReceiver<Decoded>, out: &Sender<Outcome>) {
    let size = context.options.batch.max(1);
    while let Ok(first) = decoded.recv() {
        let mut batch = vec![first];
        let deadline = Instant::now() + FILL;
        while batch.len() < size {
            match decoded.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(more) => batch.push(more),
                Err(_) => break,
            }
        }
        let (images, pixels): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|d| ((d.image, d.damaged), d.pixels)).unzip();
        pause::block();
        let embedded = caught(|| context.model.embed_pixels(&pixels));
        let refuse = |kind: &str, message: &str| {
            let (kind, message) = (kind.to_owned(), message.to_owned());
            move |(image, _)| Outcome::Refused {
                image,
                kind: kind.clone(),
                message: message.clone(),
            }
        };
        let outcomes: Vec<Outcome> = match embedded {
            Some(Ok(embeddings)) => images
                .into_iter()
                .zip(embeddings)
                .map(|((image, damaged), e)| Outcome::Embedded {
                    image,
                    values: e.values().to_vec(),
                    damaged,
                })
                .collect(),
            // No image is at fault, and the next batch would be no better.
            Some(Err(e @ clip_core::Error::Device(_))) => vec![Outcome::Stop(e.into())],
            Some(Err(e)) => images.into_iter().map(refuse(e.kind(), &e.to_string())).collect(),
            None => images
                .into_iter()
                .map(refuse("internal", "the engine gave up on it; please report the file"))
                .collect(),
        };
        for outcome in outcomes {
            if out.blocking_send(outcome).is_err() {
                return;
            }
        }
    }
}
