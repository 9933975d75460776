//! `scraper run`: embeds what a source holds into a store.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use clap::Args;
use clip_core::Towers;
use tokio::sync::watch;

use reqwest::Url;

use super::{
    Context, ModelArgs, StoreArgs,
    outcome::OutcomeArgs,
    verify::{self, EndpointArgs},
};
use crate::{
    Error,
    fetch::{Caps, Fetcher, Retry},
    pipeline::{self, RunOptions, Setup, Sharing},
    report::{EXIT_INTERRUPTED, EXIT_UNVERIFIED},
    source,
    store::{Shard, StoreTarget},
};

/// Embeds every image of a source into a store; what is there already is not embedded again.
///
/// Kill it at any moment: the next run goes on from there. With Postgres, start the same command
/// on several machines: they share the work.
///
/// Examples:
///   scraper run photos/
///   scraper run feed.csv --store shop.db --summary-json summary.json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RunArgs {
    /// A folder of images, or a feed (.csv, .jsonl) with id, image and optionally title, url.
    source: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
    /// Only this share of the products: 2/4 is the second of four. `scraper merge` joins the
    /// stores of all shards.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// For how many runs products are kept that their source no longer tells of; until then they
    /// are hidden from search and export.
    #[arg(long, value_name = "N", default_value_t = 3)]
    keep_vanished: u32,
    /// Images per batch; changes the speed, no bit of any result.
    #[arg(long, value_name = "N", default_value = "8")]
    batch: NonZeroUsize,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    sharing: SharingArgs,
    /// Changes the store over to this run's model and embeds everything anew.
    #[arg(long)]
    reembed: bool,
    #[command(flatten)]
    outcome: OutcomeArgs,
    /// After the run, compares some of the store's images with this Inference Endpoint, as
    /// `scraper verify` does; exit code 3 if they differ.
    #[arg(long, value_name = "URL", help_heading = "Verification before publishing")]
    verify_endpoint: Option<Url>,
    #[command(flatten, next_help_heading = "Verification before publishing")]
    verify: EndpointArgs,
    #[command(flatten)]
    model: ModelArgs,
}

/// How hard servers may be asked.
#[derive(Debug, Args)]
pub(super) struct NetworkArgs {
    /// Downloads at once.
    #[arg(long, value_name = "N", default_value = "16")]
    connections: NonZeroUsize,
    /// Downloads at once from one host.
    #[arg(long, value_name = "N", default_value = "4")]
    per_host: NonZeroUsize,
}

impl NetworkArgs {
    pub(super) fn fetcher(&self, model: &ModelArgs) -> Result<Fetcher, Error> {
        let caps = Caps {
            bytes: model.preprocessing.bytes(),
            connections: self.connections.get(),
            per_host: self.per_host.get(),
            ..Caps::default()
        };
        Ok(Fetcher::new(caps, Retry::default())?)
    }
}

/// How processes share a run.
#[derive(Debug, Args)]
pub(super) struct SharingArgs {
    /// With Postgres: images of a process that has been silent for so many seconds are given to
    /// others.
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    lease: NonZeroU32,
}

impl SharingArgs {
    pub(super) fn with(&self, wait: Duration, reembed: bool) -> Sharing {
        Sharing { lease: Duration::from_secs(self.lease.get().into()), wait, reembed }
    }
}

impl RunArgs {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        let source = source::open(&self.source)?;
        let target = self.store.store.clone();
        if self.shard.is_some() && matches!(target, StoreTarget::Postgres(_)) {
            return Err(Error::Usage(
                "--shard is for machines without a common database; with Postgres, start the same \
                 command on each machine and they share the work"
                    .into(),
            ));
        }
        let (model, files) = self.model.load_files(context, Towers::Vision).await?;
        let setup = Setup {
            fetcher: self.network.fetcher(&self.model)?,
            model: Arc::new(model),
            options: RunOptions {
                batch: self.batch.get(),
                keep_vanished: self.keep_vanished,
                shard: self.shard,
                ..RunOptions::default()
            },
            progress: context.progress.clone(),
            cancel: interruption(context),
        };
        context.progress.note(&format!(
            "{} into {target} with {}",
            source.describe(),
            setup.model.provenance.model
        ));
        let summary = match &target {
            StoreTarget::Postgres(url) => {
                let sharing = self.sharing.with(Duration::ZERO, self.reembed);
                pipeline::share(Some(vec![source]), url, &setup, sharing).await?
            }
            StoreTarget::Sqlite(_) => {
                let (mut store, _lock) = target.open(self.shard)?;
                store.begin(&setup.model.provenance, setup.dim(), self.reembed)?;
                pipeline::run(vec![source], store, &setup).await?
            }
        };
        let code = self.outcome.tell("scraper run", &summary)?;
        let Some(endpoint) = self.verify_endpoint.filter(|_| !summary.interrupted) else {
            return Ok(code);
        };
        let limits = self.model.preprocessing.limits();
        let comparison =
            verify::gate(&endpoint, &self.verify, &target, &setup, &files, limits).await?;
        println!("{comparison}");
        if !comparison.passed() {
            println!("Do not publish the vectors of {target}.");
            return Ok(EXIT_UNVERIFIED);
        }
        Ok(code)
    }
}

/// Turns true at the first Ctrl-C (or SIGTERM); the second one ends the process.
pub(super) fn interruption(context: &Context) -> watch::Receiver<bool> {
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
