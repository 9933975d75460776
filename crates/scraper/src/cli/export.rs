//! `scraper export`: the store's vectors for other programs.

use std::io::Write;

use clap::{Args, ValueEnum};

use super::{OutputArgs, StoreArgs, create, output_error};
use crate::{
    Error,
    embed::blocking,
    export,
    report::EXIT_OK,
    store::{Filter, View},
};

/// Writes all vectors of a store, ordered by source and product, with their provenance.
///
/// Examples:
///   scraper export --output vectors.jsonl
///   scraper export --format parquet --output vectors.parquet
///   scraper export --format npy --output vectors.npy --filter source=shop
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    output: OutputArgs,
    /// The vectors as the model projects them, not normalised.
    #[arg(long)]
    raw: bool,
    /// Only products for which this holds, as in `scraper search`; may be repeated.
    #[arg(long, value_name = "CONDITION")]
    filter: Vec<String>,
    /// Also products that have vanished from their source.
    #[arg(long)]
    vanished: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// One JSON object per vector, with its product and provenance.
    #[default]
    Jsonl,
    /// A NumPy array, one row per vector. A file gets a .rows.jsonl beside it, which says what
    /// each row is.
    Npy,
    /// An Apache Parquet table: columns of the product, and the vector as a list of fixed size.
    Parquet,
}

impl ExportArgs {
    pub(super) async fn run(self) -> Result<u8, Error> {
        blocking(move || self.write()).await?
    }

    fn write(self) -> Result<u8, Error> {
        let filter = Filter::parse(&self.filter).map_err(|e| Error::Usage(e.to_string()))?;
        let view = View { filter, vanished: self.vanished };
        let store = self.store.store.open_existing()?;
        let store = store.as_ref();
        let mut out = self.output.open()?;
        let count = match (self.format, self.output.file()) {
            (Format::Jsonl, _) => export::jsonl(store, &view, self.raw, &mut out)?,
            (Format::Parquet, _) => export::parquet(store, &view, self.raw, &mut out)?,
            (Format::Npy, None) => export::npy(store, &view, self.raw, &mut out, None)?,
            (Format::Npy, Some(path)) => {
                let beside = path.with_extension("rows.jsonl");
                let mut rows = create(&beside)?;
                let count = export::npy(store, &view, self.raw, &mut out, Some(&mut rows))?;
                rows.flush().map_err(output_error(Some(&beside)))?;
                count
            }
        };
        out.flush().map_err(self.output.error())?;
        if let Some(path) = self.output.file() {
            eprintln!("{count} vectors in {}", path.display());
        }
        Ok(EXIT_OK)
    }
}
