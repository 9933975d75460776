//! Whole runs: over sources, and over what failed before.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::mpsc::{self, Sender};

use super::{Input, Setup, join, notes::renamed, process};
use crate::{
    Error,
    embed::blocking,
    report::{FailureNote, Progress, Summary},
    scan,
    source::{Base, Hides, Product, Source, SourceError, SourceItem, through},
    store::{Failure, Shard, Store, Swept, Write},
};

/// How a source ended.
pub(super) struct Read {
    pub(super) name: String,
    /// What it is, for messages.
    described: String,
    /// Products that it told of, those of other shards included.
    products: u64,
    /// Records and pages that gave no product, by kind.
    without: BTreeMap<&'static str, u64>,
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
    let (complete, vanishing) = (complete(&reads), setup.options.vanishing());
    let progress = setup.progress.clone();
    let (swept, unsettled) = blocking(move || {
        let swept = match complete.is_empty() {
            true => Swept::default(),
            false => store.sweep(&complete, &vanishing)?,
        };
        let unsettled = store.unsettled()?;
        scan::refresh(&mut *store, &progress);
        Ok::<_, Error>((swept, unsettled))
    })
    .await??;
    swept.tell(&mut summary);
    settled(unsettled, &summary)?;
    conclude(reads, &mut summary, &setup.progress)?;
    Ok(summary)
}

/// # Errors
/// Images of this run are in the store with neither a vector nor a failure: a defect, which must not
/// look like success.
pub(super) fn settled(unsettled: u64, summary: &Summary) -> Result<(), Error> {
    // What the store could not hold is told as a failure, though not in the store.
    match unsettled.saturating_sub(summary.refused) {
        0 => Ok(()),
        n => Err(Error::Internal(format!(
            "{n} images of this run have neither a vector nor a failure in the store; run the \
             command again"
        ))),
    }
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
    for Read { described, result, products, without, .. } in reads {
        let message = match result {
            Ok(()) if products > 0 => continue,
            Ok(()) => {
                summary.sources_empty += 1;
                format!("{described} returned no products{}", reasons(&without))
            }
            Err(e) if summary.products == 0 => return Err(e.into()),
            Err(e) => {
                summary.sources_failed += 1;
                format!("{described} could not be read to its end: {e}")
            }
        };
        progress.note(&format!("failed: {message}"));
        summary.note(FailureNote {
            product: String::new(),
            image: String::new(),
            kind: "source".into(),
            message,
        });
    }
    Ok(())
}

/// ": 120 x page.gone, 3 x page.no_product (…)", and what may help.
fn reasons(without: &BTreeMap<&'static str, u64>) -> String {
    if without.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = without.iter().map(|(kind, n)| format!("{n} x {kind}")).collect();
    format!(": {}", parts.join(", "))
}

/// Forwards what `source` sends, until it ends or the receiver does.
pub(super) async fn read(
    source: Box<dyn Source>,
    shard: Option<Shard>,
    out: Sender<Input>,
) -> Read {
    // Kept for retries, which may run in another folder.
    let (name, described, base) = (source.name(), source.describe(), source.base().absolute());
    let told = Mutex::new(Told::default());
    let (items, mut received) = mpsc::channel::<SourceItem>(16);
    let forward = async {
        let note = Write::Source { name: name.clone(), base: base.clone() };
        let base = Arc::new(base.clone());
        let mut sent = out.send(Input::Note(note)).await;
        while let (Ok(()), Some(item)) = (&sent, received.recv().await) {
            let input = match item {
                Ok(mut product) => {
                    lock(&told).products += 1;
                    product.source.clone_from(&name);
                    if shard.is_some_and(|shard| !shard.holds(&name, &product.id)) {
                        // Its row here is a copy that must not count as another product.
                        let page = product.page.as_deref();
                        let notes = page.map(|page| renamed(&name, page, &product.id));
                        for note in notes.into_iter().flatten() {
                            sent = out.send(Input::Note(note)).await;
                        }
                        continue;
                    }
                    Input::Product(product, Arc::clone(&base))
                }
                Err(e) => {
                    let mut told = lock(&told);
                    told.gaps |= e.hides() == Hides::Any;
                    *told.without.entry(e.kind()).or_default() += 1;
                    Input::BadRecord(name.clone(), e)
                }
            };
            sent = out.send(input).await;
        }
    };
    let (result, ()) = tokio::join!(source.run(items), forward);
    let Told { products, gaps, without } =
        told.into_inner().unwrap_or_else(PoisonError::into_inner);
    Read { name, described, products, without, gaps, result }
}

/// What a source told so far.
#[derive(Default)]
struct Told {
    products: u64,
    gaps: bool,
    without: BTreeMap<&'static str, u64>,
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fetches the images of `failures` and reads `pages` once more, and nothing else. Pages belong to the
/// source with the name beside them.
///
/// # Errors
/// Those of [`run`].
pub async fn retry(
    failures: Vec<Failure>,
    pages: Vec<(String, Box<dyn Source>)>,
    store: Box<dyn Store>,
    setup: &Setup,
) -> Result<Summary, Error> {
    let (out, inputs) = mpsc::channel::<Input>(64);
    for (name, source) in pages {
        let out = out.clone();
        tokio::spawn(async move {
            let base = Arc::new(source.base());
            let input = |item| {
                Some(match item {
                    Ok(product) => {
                        let product = Product { source: name.clone(), ..product };
                        Input::Product(product, Arc::clone(&base))
                    }
                    Err(e) => Input::BadRecord(name.clone(), e),
                })
            };
            // Its errors came as items: it is a list of pages.
            let _ = through(source, out, input).await;
        });
    }
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
    let (summary, mut store) = process(inputs, store, setup).await?;
    let progress = setup.progress.clone();
    if !summary.interrupted {
        let unsettled = blocking(move || {
            let unsettled = store.unsettled()?;
            scan::refresh(&mut *store, &progress);
            Ok::<_, Error>(unsettled)
        });
        settled(unsettled.await??, &summary)?;
    }
    Ok(summary)
}
