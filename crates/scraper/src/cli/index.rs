//! `scraper index`: makes approximate search fast.

use clap::Args;

use super::{Context, StoreArgs};
use scraper_lib::{
    Error,
    embed::blocking,
    report::{EXIT_OK, console::say},
    store::{PostgresStore, StoreTarget},
};

/// Builds an HNSW index on the vectors of a Postgres store, for `scraper search --approximate`
/// and for SQL of your own.
///
/// Exact search needs none. The store keeps the index up to date from then on.
#[derive(Debug, Args)]
pub(super) struct IndexArgs {
    #[command(flatten)]
    store: StoreArgs,
}

impl IndexArgs {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        let StoreTarget::Postgres(url) = self.store.store else {
            return Err(Error::Usage(
                "only a Postgres store has an index; an SQLite file is searched exactly, without \
                 one"
                .into(),
            ));
        };
        context.progress.note(&format!("Indexing {url}; this may take minutes."));
        blocking(move || PostgresStore::open(&url)?.index()).await??;
        say!("The index is ready.")?;
        Ok(EXIT_OK)
    }
}
