//! `scraper run`: embeds what a source holds into a store.

use std::{
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use clap::Args;
use reqwest::Url;

use super::{
    Context, StoreArgs,
    dry_run::dry_run,
    engine::EngineArgs,
    outcome::OutcomeArgs,
    settings::settings,
    values,
    verify::{self, EndpointArgs},
};
use scraper_lib::{
    Error,
    config::SETTINGS_FILE,
    embed::blocking,
    fetch::Fetcher,
    pipeline::{self, RunOptions, Sharing},
    report::{
        EXIT_UNVERIFIED, MaxFailures,
        console::{self, say},
    },
    source::{Distinct, ImageOptions, Kind, Options, Pages, Source, SourceSpec, Web},
    store::{Shard, StoreTarget, WorkQueue},
};

/// Images that may wait for their hosts where no other process could take them; some hundred
/// bytes each.
const ALONE_PENDING: usize = 16_384;

/// Embeds every image of a source into a store; what is there already is not embedded again.
///
/// Kill it at any moment: the next run goes on from there. With Postgres, start the same command
/// on several machines: they share the work.
///
/// Examples:
///   scraper run photos/
///   scraper run feed.csv --store shop.db --summary-json summary.json
///   scraper run https://shop.example --kind shopify --dry-run
///   scraper init && $EDITOR scraper.toml && scraper run
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RunArgs {
    /// A folder of images or a list of addresses (.txt), by its path; a feed (.csv, .tsv, .jsonl,
    /// .xml, also .gz), as a path or an address; or a shop's address with --kind. Without it, the
    /// sources of scraper.toml.
    source: Option<String>,
    /// Kind of SOURCE, where its name does not tell.
    #[arg(long, value_parser = values::kinds(), requires = "source")]
    kind: Option<Kind>,
    #[command(flatten)]
    said: SourceArgs,
    /// Reads the sources and reports what would be fetched; downloads no image, stores nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    store: StoreArgs,
    /// Cache of pages and feeds, so that only what changed is downloaded; may be deleted at any
    /// time. [default: beside the store, as NAME.pages.db]
    #[arg(long, value_name = "FILE")]
    pages: Option<PathBuf>,
    /// Only this share of the products: 2/4 is the second of four. `scraper merge` joins the
    /// stores of all shards.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// For how many runs products are kept that are no longer listed by their source; meanwhile
    /// they are hidden from search and export.
    #[arg(long, value_name = "N", default_value_t = 3)]
    keep_vanished: u32,
    /// How many of a source's products may vanish in one run: a number, or a share such as 30%.
    /// If more would, none does, and the exit code is 2: a source that is broken looks the same.
    /// [default: 30%, or max_vanished of scraper.toml]
    #[arg(long, value_name = "N|PERCENT")]
    max_vanished: Option<MaxFailures>,
    /// Lets products vanish, however many.
    #[arg(long, conflicts_with = "max_vanished")]
    accept_vanished: bool,
    #[command(flatten)]
    engine: EngineArgs,
    #[command(flatten)]
    sharing: SharingArgs,
    /// Switches the store to this run's model and embeds everything again.
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
}

/// What else can be said of SOURCE; what has no effect on its kind is refused.
#[derive(Debug, Args)]
struct SourceArgs {
    /// Of a sitemap, only pages whose address contains this text; may be repeated.
    #[arg(long, value_name = "TEXT", requires = "source")]
    include: Vec<String>,
    /// Currency of a Shopify shop's prices, where it does not say (EUR, USD …).
    #[arg(long, value_name = "CODE", requires = "source")]
    currency: Option<String>,
    /// Follows links that lead out of a folder.
    #[arg(long, requires = "source")]
    follow_symlinks: bool,
    /// Largest size of a gzip feed when unpacked. [default: 16]
    #[arg(long, value_name = "GIB", requires = "source")]
    max_unpacked_gib: Option<NonZeroU32>,
    /// Column of a table that holds a field: price="Regular price"; may be repeated.
    #[arg(long, value_name = "FIELD=COLUMN", requires = "source", value_parser = column)]
    column: Vec<(String, String)>,
    /// CSS selector for a field that pages do not tell: price=.price, image=img.main@src; may be
    /// repeated.
    #[arg(long, value_name = "FIELD=CSS", requires = "source", value_parser = values::selector)]
    select: Vec<(String, String)>,
    /// Width to ask content delivery networks for, at least 224. [default: images as listed]
    #[arg(long, value_name = "PIXELS", requires = "source")]
    image_width: Option<u32>,
}

fn column(text: &str) -> Result<(String, String), String> {
    let pair =
        text.split_once('=').filter(|(field, column)| !field.is_empty() && !column.is_empty());
    let (field, column) = pair.ok_or("a field and a column, as in price=\"Regular price\"")?;
    Ok((field.to_owned(), column.to_owned()))
}

impl SourceArgs {
    /// # Errors
    /// A selector of a field that there is not.
    fn options(&self) -> Result<Options, Error> {
        let select = (!self.select.is_empty()).then(|| values::select(&self.select));
        Ok(Options {
            include: (!self.include.is_empty()).then(|| self.include.clone()),
            currency: self.currency.clone(),
            follow_symlinks: self.follow_symlinks.then_some(true),
            max_unpacked_gib: self.max_unpacked_gib,
            columns: (!self.column.is_empty()).then(|| self.column.iter().cloned().collect()),
            select: select.transpose()?,
            images: self.image_width.map(|width| ImageOptions { width: Some(width) }),
            ..Options::default()
        })
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
    /// The queue of a store that processes can share.
    pub(super) async fn queue(
        &self,
        target: &StoreTarget,
    ) -> Result<Option<Box<dyn WorkQueue>>, Error> {
        let (target, lease) = (target.clone(), Duration::from_secs(self.lease.get().into()));
        Ok(blocking(move || target.work_queue(lease)).await??)
    }
}

impl RunArgs {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        let fetcher = self.engine.fetcher()?;
        let sources = self.sources(&fetcher)?;
        if self.dry_run {
            return dry_run(sources, context).await;
        }
        let target = self.store.store.clone();
        self.outcome.keep(&target, &self.reads()?)?;
        if self.shard.is_some() && matches!(target, StoreTarget::Postgres(_)) {
            return Err(Error::Usage(
                "--shard is for machines without a common database; with Postgres, start the same \
                 command on each machine and they share the work"
                    .into(),
            ));
        }
        let pending = match target {
            // What one process has taken, no other does.
            StoreTarget::Postgres(_) => RunOptions::default().pending,
            StoreTarget::Sqlite(_) => ALONE_PENDING,
        };
        let max_vanished = match self.accept_vanished {
            true => Some(MaxFailures::Percent(100.0)),
            false => self.max_vanished.or(settings()?.max_vanished),
        };
        // One per source, and one that talks with the queue.
        let readers = sources.len() + usize::from(target.is_shared());
        let options = RunOptions {
            keep_vanished: self.keep_vanished,
            max_vanished: max_vanished.unwrap_or(RunOptions::default().max_vanished),
            shard: self.shard,
            pending,
            ..RunOptions::default()
        };
        let (setup, files) = self.engine.setup(context, fetcher, options, readers).await?;
        context.progress.note(&format!(
            "{} into {target} with {}",
            sources.iter().map(|source| source.describe()).collect::<Vec<_>>().join(", "),
            setup.model.provenance.model
        ));
        let summary = match self.sharing.queue(&target).await? {
            Some(queue) => {
                let sharing = Sharing { wait: Duration::ZERO, reembed: self.reembed };
                pipeline::share(Some(sources), queue, &setup, sharing).await?
            }
            None => {
                let (mut store, _lock) = target.open(self.shard)?;
                store.begin(&setup.model.provenance, setup.dim(), self.reembed)?;
                pipeline::run(sources, store, &setup).await?
            }
        };
        let code = self.outcome.tell("scraper run", &summary)?;
        let (endpoint, how) = match (self.verify_endpoint, &settings()?.verify_before_publish) {
            _ if summary.interrupted => return Ok(code),
            (None, None) => return Ok(code),
            (Some(endpoint), None) => (endpoint, self.verify),
            (Some(endpoint), Some(settings)) => (endpoint, self.verify.or(settings)),
            (None, Some(settings)) => {
                (settings.url().map_err(Error::Usage)?, self.verify.or(settings))
            }
        };
        let limits = self.engine.model.preprocessing.limits();
        if !verify::gate(&endpoint, &how, &target, &setup, &files, limits).await? {
            console::done_without(say!("Do not publish the vectors of {target}."));
            return Ok(EXIT_UNVERIFIED);
        }
        Ok(code)
    }
}

impl RunArgs {
    /// The files that the run reads.
    fn reads(&self) -> Result<Vec<PathBuf>, Error> {
        let settings = settings()?;
        let named = self.source.iter().map(PathBuf::from);
        let set = settings.sources().map(|(_, spec)| settings.folder.join(spec.place));
        let own = [settings.folder.join(SETTINGS_FILE)].into_iter().chain(self.pages.clone());
        Ok(named.chain(set).chain(own).collect())
    }

    /// The source of the command line, else those of the settings.
    fn sources(&self, fetcher: &Fetcher) -> Result<Vec<Box<dyn Source>>, Error> {
        let settings = settings()?;
        let (folder, specs): (&Path, Vec<(&str, SourceSpec)>) = match &self.source {
            Some(place) => {
                let (kind, place, options) = (self.kind, place.clone(), self.said.options()?);
                (Path::new(""), vec![("", SourceSpec { kind, place, options })])
            }
            None => (&settings.folder, settings.sources().collect()),
        };
        if specs.is_empty() {
            return Err(Error::Usage(format!(
                "no source: name one (scraper run photos/), or write one into {SETTINGS_FILE} \
                 (scraper init)"
            )));
        }
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
        let usual = || match &self.store.store {
            StoreTarget::Sqlite(path) => path.with_extension("pages.db"),
            StoreTarget::Postgres(_) => "scraper.pages.db".into(),
        };
        let path = self.pages.clone().unwrap_or_else(usual);
        Pages::open(&path)
            .inspect_err(|e| tracing::warn!("{} cannot be used: {e}", path.display()))
            .ok()
            .map(Arc::new)
    }
}
