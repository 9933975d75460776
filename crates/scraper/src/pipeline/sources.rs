//! Whole runs: over sources, and over what failed before.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use tokio::sync::mpsc::{self, Sender};

use super::{Input, Setup, join, process};
use crate::{
    Error,
    embed::blocking,
    report::{FailureNote, Progress, Summary},
    source::{Base, Source, SourceError, SourceItem},
    store::{Failure, Shard, Store, Write},
};

/// How a source ended.
pub(super) struct Read {
    pub(super) name: String,
    /// What it is, for messages.
    described: String,
    /// Products that it told of, those of other shards included.
    products: u64,
    /// Some of its products may not have been told, though it was read to its end.
    gaps: bool,
    result: Result<(), SourceError>,
}

/// Runs everything that `sources` yield into `store`, which must have begun the provenance of the
/// model. Products that a completely read source no longer tells of are marked or removed.
///
/// # Errors
/// What stops a run: no source can be read, the store cannot be read or written. Failures of
/// single images, and of a source among several, are counted in the summary.
pub async fn run(
    sources: Vec<Box<dyn Source>>,
    store: Box<dyn Store>,
    setup: &Setup,
) -> Result<Summary, Error> {
    let (out, inputs) = mpsc::channel::<Input>(64);
    let reading: Vec<_> = sources
        .into_iter()
        .map(|source| tokio::spawn(read(source, setup.options.shard, out.clone())))
        .collect();
    drop(out);
    let (mut summary, mut store) = process(inputs, store, setup).await?;
    if summary.interrupted {
        return Ok(summary); // what was not seen may just not have been reached
    }
    let mut reads = Vec::new();
    for source in reading {
        reads.push(join(source).await?);
    }
    let (complete, keep) = (complete(&reads), setup.options.keep_vanished);
    if !complete.is_empty() {
        let swept = blocking(move || store.sweep(&complete, keep)).await??;
        (summary.vanished, summary.removed) = (swept.marked, swept.removed);
    }
    conclude(reads, &mut summary, &setup.progress)?;
    Ok(summary)
}

/// The sources that were read to their end. A catalogue is not emptied by a file or an answer
/// that happens to be empty.
pub(super) fn complete(reads: &[Read]) -> Vec<String> {
    let whole = |read: &&Read| read.result.is_ok() && read.products > 0 && !read.gaps;
    let complete = reads.iter().filter(whole);
    complete.map(|read| read.name.clone()).collect()
}

/// Counts the sources that failed.
///
/// # Errors
/// That of a source, if nothing at all came of this run.
pub(super) fn conclude(
    reads: Vec<Read>,
    summary: &mut Summary,
    progress: &Progress,
) -> Result<(), Error> {
    for Read { described, result, products, .. } in reads {
        let message = match result {
            Ok(()) if products > 0 => continue,
            Ok(()) => {
                progress.note(&format!("{described} told of no product"));
                continue;
            }
            Err(e) if summary.products == 0 => return Err(e.into()),
            Err(e) => format!("{described} could not be read to its end: {e}"),
        };
        progress.note(&format!("failed: {message}"));
        summary.sources_failed += 1;
        summary.note(FailureNote {
            product: String::new(),
            image: String::new(),
            kind: "source".into(),
            message,
        });
    }
    Ok(())
}

/// Forwards what `source` sends, until it ends or the receiver does.
pub(super) async fn read(
    source: Box<dyn Source>,
    shard: Option<Shard>,
    out: Sender<Input>,
) -> Read {
    // Kept for retries, which may run in another folder.
    let (name, described, base) = (source.name(), source.describe(), source.base().absolute());
    let products = Arc::new(AtomicU64::new(0));
    let gaps = Arc::new(AtomicBool::new(false));
    let (items, mut received) = mpsc::channel::<SourceItem>(16);
    let forward = {
        let (name, products, gaps) = (name.clone(), products.clone(), gaps.clone());
        async move {
            let note = Write::Source { name: name.clone(), base: base.clone() };
            let base = Arc::new(base);
            let mut sent = out.send(Input::Note(note)).await;
            while let (Ok(()), Some(item)) = (&sent, received.recv().await) {
                let input = match item {
                    Ok(mut product) => {
                        products.fetch_add(1, Ordering::Relaxed);
                        product.source.clone_from(&name);
                        if shard.is_some_and(|shard| !shard.holds(&name, &product.id)) {
                            continue;
                        }
                        Input::Product(product, Arc::clone(&base))
                    }
                    Err(e) => {
                        gaps.fetch_or(e.hides_products(), Ordering::Relaxed);
                        Input::BadRecord(e)
                    }
                };
                sent = out.send(input).await;
            }
        }
    };
    let (result, ()) = tokio::join!(source.run(items), forward);
    let (products, gaps) = (products.load(Ordering::Relaxed), gaps.load(Ordering::Relaxed));
    Read { name, described, products, gaps, result }
}

/// Fetches the images of `failures` once more, and nothing else.
///
/// # Errors
/// Those of [`run`].
pub async fn retry(
    failures: Vec<Failure>,
    store: Box<dyn Store>,
    setup: &Setup,
) -> Result<Summary, Error> {
    let (out, inputs) = mpsc::channel::<Input>(64);
    tokio::spawn(async move {
        for failure in failures {
            // What was refused as an address of the web stays one, whoever has the source's name
            // by now, until a source tells of it anew.
            let base = match failure.kind.as_str() {
                "fetch.address" => Base::Web,
                _ => failure.base,
            };
            let base = Arc::new(base);
            if out.send(Input::Image(failure.key, base)).await.is_err() {
                return;
            }
        }
    });
    Ok(process(inputs, store, setup).await?.0)
}
