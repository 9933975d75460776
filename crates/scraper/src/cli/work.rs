//! `scraper work`: takes part in a run of another process.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use clap::Args;
use clip_core::Towers;

use super::{
    Context, ModelArgs, StoreArgs,
    outcome::OutcomeArgs,
    run::{NetworkArgs, SharingArgs, interruption},
};
use crate::{
    Error,
    pipeline::{self, RunOptions, Setup},
    store::StoreTarget,
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
    /// Images per batch; changes the speed, no bit of any result.
    #[arg(long, value_name = "N", default_value = "8")]
    batch: NonZeroUsize,
    #[command(flatten)]
    outcome: OutcomeArgs,
    #[command(flatten)]
    network: NetworkArgs,
    #[command(flatten)]
    sharing: SharingArgs,
    #[command(flatten)]
    model: ModelArgs,
}

impl WorkArgs {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        let StoreTarget::Postgres(url) = &self.store.store else {
            return Err(Error::Usage(
                "`scraper work` shares a run through Postgres: --store postgres://…; an SQLite \
                 file has one writer"
                    .into(),
            ));
        };
        let setup = Setup {
            fetcher: self.network.fetcher(&self.model)?,
            model: Arc::new(self.model.load(context, Towers::Vision).await?),
            options: RunOptions { batch: self.batch.get(), ..RunOptions::default() },
            progress: context.progress.clone(),
            cancel: interruption(context),
        };
        let sharing = self.sharing.with(Duration::from_secs(self.wait.into()), false);
        let summary = pipeline::share(None, url, &setup, sharing).await?;
        self.outcome.tell("scraper work", &summary)
    }
}
