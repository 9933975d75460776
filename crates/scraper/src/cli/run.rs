//! `scraper run`: embeds what a source holds into a store.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use clip_core::Towers;
use tokio::sync::watch;

use super::{Context, ModelArgs, dry_run::dry_run, network::NetworkArgs, output_error};
use crate::{
    Error,
    config::{SETTINGS_FILE, Settings},
    fetch::Fetcher,
    pipeline::{self, RunOptions},
    report::EXIT_INTERRUPTED,
    source::{Distinct, Kind, Pages, Source, SourceSpec, Web},
    store::{RunLock, SqliteStore, Store},
};

/// Embeds every image of a source into a store; what is there already is not embedded again.
///
/// Kill it at any moment: the next run goes on from there.
///
/// Examples:
///   scraper run photos/
///   scraper run feed.csv --store shop.db --summary-json summary.json
///   scraper run https://shop.example --kind shopify --dry-run
///   scraper init && $EDITOR scraper.toml && scraper run
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RunArgs {
    /// A folder of images, a feed (.csv, .tsv, .jsonl, .xml, also .gz) or a list of addresses
    /// (.txt), as a path or an address; or a shop's address with --kind. Without it, the sources
    /// of scraper.toml.
    source: Option<String>,
    /// What SOURCE is, where its name does not tell.
    #[arg(long, value_enum, requires = "source")]
    kind: Option<Kind>,
    /// The settings to use. [default: scraper.toml, if it is in this folder]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Reads the sources and says what would be fetched; downloads no image, stores nothing.
    #[arg(long)]
    dry_run: bool,
    /// The SQLite file that holds the results.
    #[arg(long, value_name = "FILE", default_value = "scraper.db")]
    store: PathBuf,
    /// What pages and feeds said last time, so that only what changed is downloaded; may be
    /// removed at any time. [default: beside the store, as NAME.pages.db]
    #[arg(long, value_name = "FILE")]
    pages: Option<PathBuf>,
    /// Images per batch; changes the speed, no bit of any result.
    #[arg(long, value_name = "N", default_value = "8")]
    batch: NonZeroUsize,
    #[command(flatten)]
    network: NetworkArgs,
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
        let settings = self.settings()?;
        let fetcher = self.network.fetcher(&self.model, &settings.fetch)?;
        let mut sources = self.sources(&settings, &fetcher)?;
        if self.dry_run {
            return dry_run(sources, context).await;
        }
        let source = sources.remove(0);
        let _lock = RunLock::acquire(&self.store)?;
        let mut store = SqliteStore::open(&self.store)?;
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

    fn settings(&self) -> Result<Settings, Error> {
        Ok(match &self.config {
            Some(path) => Settings::read(path)?,
            None => Settings::find()?.unwrap_or_default(),
        })
    }

    /// The source of the command line, else those of the settings.
    fn sources(
        &self,
        settings: &Settings,
        fetcher: &Fetcher,
    ) -> Result<Vec<Box<dyn Source>>, Error> {
        let specs: Vec<(&str, SourceSpec)> = match &self.source {
            Some(place) => vec![("", SourceSpec::of(place, self.kind))],
            None => settings.sources().collect(),
        };
        if specs.is_empty() {
            return Err(Error::Usage(format!(
                "no source: name one (scraper run photos/), or write one into {SETTINGS_FILE} \
                 (scraper init)"
            )));
        }
        let folder = if self.source.is_some() { Path::new("") } else { &settings.folder };
        let pages = specs.iter().any(|(_, spec)| spec.reads_pages()).then(|| self.open_pages());
        let web = Web::new(fetcher.clone(), pages.flatten());
        specs
            .into_iter()
            .map(|(name, spec)| {
                let source = spec.open(folder, &web)?;
                Ok(Box::new(Distinct::new(name, source)) as Box<dyn Source>)
            })
            .collect()
    }

    /// Kept pages only save work: without them the run goes on.
    fn open_pages(&self) -> Option<Arc<Pages>> {
        let path = self.pages.clone().unwrap_or_else(|| self.store.with_extension("pages.db"));
        let opened = Pages::open(&path);
        opened
            .inspect_err(|e| tracing::warn!("{} cannot be used: {e}", path.display()))
            .ok()
            .map(Arc::new)
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
