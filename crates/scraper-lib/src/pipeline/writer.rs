//! The only stage that writes: collects results, commits them, then reports them.

use tokio::sync::mpsc::Receiver;

use super::{
    in_flight::{Fate, Image, InFlight},
    notes, pause,
};
use crate::{
    Error,
    report::{FailureNote, Progress, Summary, Task},
    source::{Product, SourceError},
    store::{ImageHash, ImageKey, Store, Write},
};

/// Results per transaction at most.
const GROUP: usize = 256;

/// What became of something.
pub(super) enum Outcome {
    Note(Write),
    Product(Product),
    /// An image to come, of a product that is stored already.
    Image,
    BadRecord(String, SourceError),
    NotFetched {
        key: ImageKey,
        kind: String,
        message: String,
    },
    /// The server vouches for the stored vector.
    NotModified(ImageKey),
    /// These bytes have a vector already.
    Known(Image),
    /// These bytes are being worked on for another image.
    Waiting(Image),
    Embedded {
        image: Image,
        values: Vec<f32>,
        damaged: bool,
    },
    /// The bytes are no usable image.
    Refused {
        image: Image,
        kind: String,
        message: String,
    },
    /// A worker could not go on: the run ends.
    Stop(Error),
}

/// Runs until all senders are gone.
pub(super) fn write(
    mut store: Box<dyn Store>,
    mut outcomes: Receiver<Outcome>,
    in_flight: &InFlight,
    task: &Task,
    progress: &Progress,
) -> Result<(Summary, Box<dyn Store>), Error> {
    let mut summary = Summary::default();
    let mut group = Vec::with_capacity(GROUP);
    while outcomes.blocking_recv_many(&mut group, GROUP) > 0 {
        let mut commit = Commit::default();
        for outcome in group.drain(..) {
            commit.add(outcome, in_flight, &mut summary)?;
        }
        // Others with the same bytes share the result; they follow in their own transaction,
        // because they may only be counted once it is safe.
        while !commit.writes.is_empty() {
            pause::block();
            store.apply(&commit.writes)?;
            summary.refuse(store.refused());
            let mut next = Commit::default();
            for (hash, fate) in commit.finished {
                for image in in_flight.finish(&hash, &fate) {
                    next.share(image, &fate, &mut summary);
                }
            }
            commit = next;
        }
        for note in summary.new_failures() {
            progress.note(&format!("failed: {note}"));
        }
        task.set_total(summary.images);
        task.message(format!(
            "({} embedded, {} reused, {} failed)",
            summary.embedded, summary.reused, summary.failed
        ));
        task.set(summary.embedded + summary.reused + summary.failed);
    }
    task.finish();
    Ok((summary, store))
}

/// One transaction, and the bytes whose fate it settles.
#[derive(Default)]
struct Commit {
    writes: Vec<Write>,
    finished: Vec<(ImageHash, Fate)>,
}

impl Commit {
    fn add(
        &mut self,
        outcome: Outcome,
        in_flight: &InFlight,
        summary: &mut Summary,
    ) -> Result<(), Error> {
        match outcome {
            Outcome::Note(write) => self.writes.push(write),
            Outcome::Image => summary.images += 1,
            Outcome::Product(product) => {
                summary.images += (product.images.len() - product.first_new()) as u64;
                self.writes.extend(notes::product(product, summary));
            }
            Outcome::BadRecord(source, e) => self.writes.extend(notes::record(source, &e, summary)),
            Outcome::NotFetched { key, kind, message } => self.fail(key, kind, message, summary),
            Outcome::NotModified(key) => {
                summary.reused += 1;
                summary.not_modified += 1;
                self.writes.push(Write::Unchanged { key });
            }
            Outcome::Known(image) => {
                self.finished.push((image.hash, Ok(())));
                self.share(image, &Ok(()), summary);
            }
            Outcome::Waiting(image) => {
                if let Some((image, fate)) = in_flight.join(image) {
                    self.share(image, &fate, summary);
                }
            }
            Outcome::Embedded { image, values, damaged } => {
                summary.embedded += 1;
                if damaged {
                    summary.damaged += 1;
                    let ImageKey { product, address, .. } = &image.key;
                    tracing::warn!(
                        "product {product}, {address}: damaged; embedded as Pillow reads it"
                    );
                }
                self.finished.push((image.hash, Ok(())));
                self.writes.push(Write::Vector { hash: image.hash, values, damaged });
                self.image(image, summary);
            }
            Outcome::Refused { image, kind, message } => {
                summary.bytes += image.bytes;
                self.finished.push((image.hash, Err((kind.clone(), message.clone()))));
                self.fail(image.key, kind, message, summary);
            }
            Outcome::Stop(e) => return Err(e),
        }
        Ok(())
    }

    /// An image whose bytes had their result from elsewhere.
    fn share(&mut self, image: Image, fate: &Fate, summary: &mut Summary) {
        match fate {
            Ok(()) => {
                summary.reused += 1;
                self.image(image, summary);
            }
            Err((kind, message)) => {
                summary.bytes += image.bytes;
                self.fail(image.key, kind.clone(), message.clone(), summary);
            }
        }
    }

    fn image(&mut self, image: Image, summary: &mut Summary) {
        let Image { key, hash, bytes, validators } = image;
        summary.bytes += bytes;
        self.writes.push(Write::Image { key, hash, bytes, validators });
    }

    fn fail(&mut self, key: ImageKey, kind: String, message: String, summary: &mut Summary) {
        summary.failed += 1;
        summary.note(FailureNote {
            product: key.product.clone(),
            image: key.address.clone(),
            kind: kind.clone(),
            message: message.clone(),
        });
        self.writes.push(Write::Failure { key, kind, message });
    }
}
