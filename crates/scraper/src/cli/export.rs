//! `scraper export`: the store's vectors for other programs.

use std::{io::Write, path::PathBuf};

use clap::{Args, ValueEnum};

use super::{output, output_error};
use crate::{Error, export, report::EXIT_OK, store::SqliteStore};

/// Writes all vectors of a store, ordered by product.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The store that `scraper run` filled.
    #[arg(long, value_name = "FILE", default_value = "scraper.db")]
    store: PathBuf,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Where to write [default: standard output]. An .npy gets a .rows.jsonl beside it, which
    /// says what each row is.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The vectors as the model projects them, not normalised.
    #[arg(long)]
    raw: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// One JSON object per vector, with its product and provenance.
    #[default]
    Jsonl,
    /// A NumPy array, one row per vector.
    Npy,
}

impl ExportArgs {
    pub(super) fn run(self) -> Result<u8, Error> {
        let store = SqliteStore::open_existing(&self.store)?;
        let mut out = output(self.output.as_deref())?;
        let count = match (self.format, &self.output) {
            (Format::Jsonl, _) => export::jsonl(&store, self.raw, &mut out)?,
            (Format::Npy, None) => export::npy(&store, self.raw, &mut out, None)?,
            (Format::Npy, Some(path)) => {
                let beside = path.with_extension("rows.jsonl");
                let mut rows = output(Some(&beside))?;
                let count = export::npy(&store, self.raw, &mut out, Some(&mut rows))?;
                rows.flush().map_err(output_error(Some(&beside)))?;
                count
            }
        };
        out.flush().map_err(output_error(self.output.as_ref()))?;
        if let Some(path) = &self.output {
            eprintln!("{count} vectors in {}", path.display());
        }
        Ok(EXIT_OK)
    }
}
