//! `scraper run`: embeds what a source holds into a store.

use std::{num::NonZeroUsize, path::PathBuf, sync::Arc};

use clap::Args;
use clip_core::Towers;
use tokio::sync::watch;

use super::{Context, ModelArgs, output_error};
use crate::{
    Error,
    fetch::{Caps, Fetcher, Retry},
    pipeline::{self, RunOptions},
    report::EXIT_INTERRUPTED,
    source,
    store::{RunLock, SqliteStore, Store},
};

/// Embeds every image of a source into a store; what is there already is not embedded again.
///
/// Kill it at any moment: the next run goes on from there.
///
/// Examples:
///   scraper run photos/
///   scraper run feed.csv --store shop.db --summary-json summary.json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RunArgs {
    /// A folder of images, or a feed (.csv, .jsonl) with id, image and optionally title, url.
    source: PathBuf,
    /// The SQLite file that holds the results.
    #[arg(long, value_name = "FILE", default_value = "scraper.db")]
    store: PathBuf,
    /// Images per batch; changes the speed, no bit of any result.
    #[arg(long, value_name = "N", default_value = "8")]
    batch: NonZeroUsize,
    /// Downloads at once.
    #[arg(long, value_name = "N", default_value = "16")]
    connections: NonZeroUsize,
    /// Downloads at once from one host.
    #[arg(long, value_name = "N", default_value = "4")]
    per_host: NonZeroUsize,
    /// Changes the store over to this run's model and embeds everything anew.
    #[arg(long)]
    reembed: bool,
    /// Writes the summary as JSON.
    #[arg(long, value_name = "FILE")]
    summary_json: Option<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
}

impl RunArgs {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        let source = source::open(&self.source)?;
        let _lock = RunLock::acquire(&self.store)?;
        let mut store = SqliteStore::open(&self.store)?;
        let caps = Caps {
            bytes: self.model.preprocessing.bytes(),
            connections: self.connections.get(),
            per_host: self.per_host.get(),
            ..Caps::default()
        };
        let fetcher = Fetcher::new(caps, Retry::default())?;
        let model = self.model.load(context, Towers::Vision).await?;
        store.begin(&model.provenance, self.reembed)?;

        let note = format!(
            "{} into {} with {}",
            source.describe(),
            self.store.display(),
            model.provenance.model
        );
        context.progress.note(&note);
        let options = RunOptions { batch: self.batch.get(), ..RunOptions::default() };
        let summary = pipeline::run(
            source,
            fetcher,
            Arc::new(model),
            Box::new(store),
            options,
            &context.progress,
            interruption(context),
        )
        .await?;
        println!("{summary}");
        if let Some(path) = &self.summary_json {
            let mut json =
                serde_json::to_vec_pretty(&summary).map_err(|e| Error::Internal(e.to_string()))?;
            json.push(b'\n');
            std::fs::write(path, json).map_err(output_error(Some(path)))?;
        }
        if summary.interrupted {
            println!("Interrupted. What is done is stored; run the same command again to go on.");
        }
        Ok(summary.exit_code())
    }
}

/// Turns true at the first Ctrl-C (or SIGTERM); the second one ends the process.
fn interruption(context: &Context) -> watch::Receiver<bool> {
    let (cancel, cancelled) = watch::channel(false);
    let progress = context.progress.clone();
    tokio::spawn(async move {
        signal().await;
        progress.note("Finishing the images at hand; press Ctrl-C again to stop at once.");
        let _ = cancel.send(true);
        signal().await;
        std::process::exit(i32::from(EXIT_INTERRUPTED));
    });
    cancelled
}

async fn signal() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await; // no signals here: never interrupted
    }
}
