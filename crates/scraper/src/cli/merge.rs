//! `scraper merge`: one store from those of a run's shards.

use std::path::PathBuf;

use clap::Args;

use super::output_error;
use scraper_lib::{
    Error,
    embed::blocking,
    report::{EXIT_OK, console::say},
    store,
};

/// Joins the stores that runs with --shard have written into a new one.
///
/// Of each store only the products of its shard count, so all may start as copies of one store. Parquet
/// files (`scraper export --format parquet --raw`) and folders of them, as Ray or Spark write, are
/// taken as well; a run on the new store goes on from there.
///
/// Examples:
///   scraper merge shard-1.db shard-2.db --store shop.db
///   scraper merge vectors/ --store shop.db
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct MergeArgs {
    /// The stores of all shards; Parquet files, and folders of them.
    #[arg(required = true)]
    parts: Vec<PathBuf>,
    /// SQLite file to create.
    #[arg(long, value_name = "FILE")]
    store: PathBuf,
}

impl MergeArgs {
    pub(super) async fn run(self) -> Result<u8, Error> {
        if let Some(folder) = self.store.parent() {
            std::fs::create_dir_all(folder).map_err(output_error(Some(&self.store)))?;
        }
        let out = self.store.clone();
        let merged = blocking(move || store::merge(&self.parts, &self.store)).await??;
        say!("{} products and {} vectors in {}", merged.products, merged.vectors, out.display())?;
        Ok(EXIT_OK)
    }
}
