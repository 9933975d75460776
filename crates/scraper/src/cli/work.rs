//! `scraper work`: takes part in a run of another process.

use std::time::Duration;

use clap::Args;

use super::{Context, StoreArgs, engine::EngineArgs, outcome::OutcomeArgs, run::SharingArgs};
use scraper_lib::{
    Error,
    pipeline::{self, RunOptions, Sharing},
};

/// Helps a run whose store is Postgres: embeds images that another process has found, until the
/// run is over. Needs no access to the sources, only to the images.
///
/// Example:
///   scraper work --store postgres://user@db.example/shop
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct WorkArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// How long to wait for a run to begin, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    wait: u32,
    #[command(flatten)]
    outcome: OutcomeArgs,
    #[command(flatten)]
    sharing: SharingArgs,
    #[command(flatten)]
    engine: EngineArgs,
}

impl WorkArgs {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        let Some(queue) = self.sharing.queue(&self.store.store).await? else {
            return Err(Error::Usage(
                "`scraper work` shares a run through Postgres: --store postgres://…; an SQLite \
                 file has one writer"
                    .into(),
            ));
        };
        self.outcome.keep(&self.store.store, &[])?;
        let fetcher = self.engine.fetcher()?;
        let (setup, _) = self.engine.setup(context, fetcher, RunOptions::default(), 1).await?;
        let sharing = Sharing { wait: Duration::from_secs(self.wait.into()), reembed: false };
        let summary = pipeline::share(None, queue, &setup, sharing).await?;
        self.outcome.tell("scraper work", &summary)
    }
}
