//! `scraper retry`: what failed, once more.

use std::collections::BTreeMap;

use clap::Args;
use reqwest::Url;

use super::{Context, StoreArgs, engine::EngineArgs, outcome::OutcomeArgs, settings::settings};
use crate::hints;
use scraper_lib::{
    Error,
    embed::blocking,
    pipeline::{self, RunOptions},
    report::{
        EXIT_OK,
        console::{self, say},
        secrets::redact,
        shown,
    },
    source::{SourceError, Web},
    store::{SourceFailure, StoreError},
};

/// Fetches and embeds the images that failed, reads the pages that could not be read, and nothing
/// else: feeds and shops are not read again.
///
/// Examples:
///   scraper retry --failed --store shop.db
///   scraper retry --failed --kind fetch.status --kind fetch.timeout
///   scraper retry --list
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RetryArgs {
    /// All images that failed and all pages that could not be read.
    #[arg(long, required_unless_present_any = ["kind", "list"])]
    failed: bool,
    /// Only failures of this kind (`--list` shows them); may be repeated.
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Shows what failed and why, as JSON lines, and fetches nothing: images, and after them pages
    /// without a product, records that could not be read, products without an image.
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    outcome: OutcomeArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl RetryArgs {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        self.outcome.keep(&self.store.store, &[])?;
        let target = self.store.store.clone();
        let failures = blocking(move || {
            let store = target.open_existing()?;
            Ok::<_, StoreError>((store.failures()?, store.source_failures()?))
        });
        let (mut failures, mut others) = failures.await??;
        failures.retain(|failure| self.kind.is_empty() || self.kind.contains(&failure.kind));
        others.retain(|failure| self.kind.is_empty() || self.kind.contains(&failure.kind));
        if self.list {
            for failure in failures {
                let line = serde_json::json!({
                    "source": failure.key.source,
                    "id": failure.key.product,
                    "position": failure.key.position,
                    "image": redact(&failure.key.address),
                    "kind": failure.kind,
                    "message": redact(&failure.message),
                    "hint": hints::of_failure(&failure.kind, &failure.message),
                });
                console::print(&format!("{}\n", shown::json(line.to_string())))?;
            }
            for SourceFailure { source, place, kind, message } in others {
                let line = serde_json::json!({
                    "source": source,
                    "place": redact(&place),
                    "kind": kind,
                    "message": redact(&message),
                    "hint": hints::of_failure(&kind, &message),
                });
                console::print(&format!("{}\n", shown::json(line.to_string())))?;
            }
            return Ok(EXIT_OK);
        }
        // Pages that have no product are read again only where somebody asks for them by kind.
        others.retain(|other| !self.kind.is_empty() || other.kind != SourceError::NO_PRODUCT);
        let pages = pages(&others);
        let records = others.len() - pages.values().map(Vec::len).sum::<usize>();
        if records > 0 {
            say!(
                "{records} records or products of feeds and shops are left as they are: `scraper \
                 run` reads those again."
            )?;
        }
        if failures.is_empty() && pages.is_empty() {
            say!("Nothing to retry: no image or page of {} failed.", self.store.store)?;
            return Ok(EXIT_OK);
        }
        let fetcher = self.engine.fetcher()?;
        let (web, settings) = (Web::new(fetcher.clone(), None), settings()?);
        let readers = pages.len();
        let pages = pages
            .into_iter()
            .map(|(name, urls)| {
                let mut specs = settings.sources();
                let spec = specs.find_map(|(known, spec)| (known == name).then_some(spec));
                let source = spec.unwrap_or_default().pages(urls, &web);
                (name, source)
            })
            .collect();
        let (setup, _) =
            self.engine.setup(context, fetcher, RunOptions::default(), readers).await?;
        let (target, provenance, dim) =
            (self.store.store, setup.model.provenance.clone(), setup.dim());
        let open = move || {
            let (mut store, lock) = target.open(None)?;
            store.begin(&provenance, dim, false)?;
            Ok::<_, StoreError>((store, lock))
        };
        let (store, _lock) = blocking(open).await??;
        let summary = pipeline::retry(failures, pages, store, &setup).await?;
        self.outcome.tell("scraper retry", &summary)
    }
}

/// The pages among `failures`, by source.
fn pages(failures: &[SourceFailure]) -> BTreeMap<String, Vec<Url>> {
    let mut pages: BTreeMap<String, Vec<Url>> = BTreeMap::new();
    for SourceFailure { source, place, kind, .. } in failures {
        // Of a source itself: an answer of its interface, a sitemap.
        if kind == SourceError::SOURCE {
            continue;
        }
        // Records, products, and pages that are not the whole of theirs have more than an address as their
        // place.
        let url = Url::parse(place).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https"));
        if let Some(url) = url.filter(|url| url.as_str() == place) {
            pages.entry(source.clone()).or_default().push(url);
        }
    }
    pages
}
