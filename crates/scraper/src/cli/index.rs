//! `scraper index`: makes approximate search fast.

use clap::Args;

use super::{Context, StoreArgs};
use scraper_lib::{
    Error,
    embed::blocking,
    report::{EXIT_OK, console::say},
    scan::{self, Made},
    store::{PostgresStore, StoreTarget},
};

/// Builds an HNSW index on the vectors of a Postgres store, for `scraper search --approximate`
/// and for SQL of your own. The store keeps it up to date from then on.
///
/// Beside an SQLite file it makes the folder `STORE.scan`, with which exact search takes
/// milliseconds. A run makes it too; this is for a store that an older version has written.
/// With --scan it makes the same for a Postgres store, in this machine's cache folder; runs on
/// this machine and `scraper serve` keep it up to date.
#[derive(Debug, Args)]
pub(super) struct IndexArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Makes the scan of exact search for this machine, no index.
    #[arg(long)]
    scan: bool,
}

impl IndexArgs {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        match self.store.store {
            StoreTarget::Postgres(url) if !self.scan => {
                context.progress.note(&format!("Indexing {url}; this may take minutes."));
                blocking(move || PostgresStore::open(&url)?.index()).await??;
                say!("The index is ready.")?;
            }
            target => {
                let make = move || {
                    target.open_existing()?; // which is not made here
                    let (store, _lock) = target.open(None)?;
                    scan::make(&*store, 1)
                };
                match blocking(make).await?? {
                    Made::Kept => say!("The scan is that of the store as it is.")?,
                    Made::New { rows, .. } => say!("The scan of {rows} vectors is ready.")?,
                    Made::None => say!(
                        "No scan was made: the store has no vectors to search, or does not say when it changes."
                    )?,
                }
            }
        }
        Ok(EXIT_OK)
    }
}
