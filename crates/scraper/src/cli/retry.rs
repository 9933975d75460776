//! `scraper retry`: what failed, once more.

use clap::Args;

use super::{Context, StoreArgs, engine::EngineArgs, outcome::OutcomeArgs};
use crate::{
    Error,
    embed::blocking,
    pipeline::{self, RunOptions},
    report::{
        EXIT_OK,
        console::{self, say},
        secrets::redact,
        shown,
    },
    store::StoreError,
};

/// Fetches and embeds the images that failed, and only these. Sources are not read again.
///
/// Examples:
///   scraper retry --failed --store shop.db
///   scraper retry --failed --kind fetch.status --kind fetch.timeout
///   scraper retry --list
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RetryArgs {
    /// All images in the quarantine.
    #[arg(long, required_unless_present_any = ["kind", "list"])]
    failed: bool,
    /// Only failures of this kind (`--list` shows them); may be repeated.
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Shows what failed and why, as JSON lines, and fetches nothing.
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
        let failures = blocking(move || target.open_existing()?.failures());
        let mut failures = failures.await??;
        failures.retain(|failure| self.kind.is_empty() || self.kind.contains(&failure.kind));
        if self.list {
            for failure in failures {
                let line = serde_json::json!({
                    "source": failure.key.source,
                    "id": failure.key.product,
                    "position": failure.key.position,
                    "image": redact(&failure.key.address),
                    "kind": failure.kind,
                    "message": redact(&failure.message),
                });
                console::print(&format!("{}\n", shown::json(line.to_string())))?;
            }
            return Ok(EXIT_OK);
        }
        if failures.is_empty() {
            say!("Nothing to retry: no image of {} failed.", self.store.store)?;
            return Ok(EXIT_OK);
        }
        let fetcher = self.engine.fetcher()?;
        let (setup, _) = self.engine.setup(context, fetcher, RunOptions::default()).await?;
        let (target, provenance, dim) =
            (self.store.store, setup.model.provenance.clone(), setup.dim());
        let open = move || {
            let (mut store, lock) = target.open(None)?;
            store.begin(&provenance, dim, false)?;
            Ok::<_, StoreError>((store, lock))
        };
        let (store, _lock) = blocking(open).await??;
        let summary = pipeline::retry(failures, store, &setup).await?;
        self.outcome.tell("scraper retry", &summary)
    }
}
