//! `scraper export`: the store's vectors for other programs.

use std::{path::PathBuf, time::Instant};

use clap::{Args, ValueEnum};

use super::{Context, OutputArgs, StoreArgs, create, floor, keep};
use scraper_lib::{
    Error,
    embed::blocking,
    export,
    output::{Output, finish_both},
    relevance::Learner,
    report::{EXIT_OK, console::tell},
    store::{Filter, View},
};

/// Writes all vectors of a store, ordered by source and product, with their provenance.
///
/// Examples:
///   scraper export --output vectors.jsonl
///   scraper export --format parquet --output vectors.parquet
///   scraper export --format npy --output vectors.npy --filter source=shop
///   scraper export --format web --output public/catalogue
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
    /// With --format web: the model whose text tower measures the floor of relevance, as in `scraper
    /// search`. It must be on this machine. [default: EMBEDDINGS_MODEL, else the default model]
    #[arg(long, value_name = "ID|DIR")]
    model: Option<String>,
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
    /// A folder for a static host, which the storefront searches.
    Web,
}

impl ExportArgs {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        let learner = match self.format {
            Format::Web => {
                floor::learner(self.store.store.clone(), self.model.as_deref(), context).await?
            }
            _ => None,
        };
        blocking(move || self.write(learner)).await?
    }

    fn write(self, learner: Option<Learner>) -> Result<u8, Error> {
        let filter = Filter::parse(&self.filter).map_err(|e| Error::Usage(e.to_string()))?;
        let view = View { filter, vanished: self.vanished };
        let files = self.store.store.files();
        self.output.keep(files.iter().map(PathBuf::as_path))?;
        let store = self.store.store.open_existing()?;
        let store = store.as_ref();
        let started = Instant::now();
        let count = match (self.format, self.output.file()) {
            (Format::Web, None) => {
                return Err(Error::Usage("--format web needs --output FOLDER".into()));
            }
            (Format::Web, Some(_)) if self.raw => {
                return Err(Error::Usage("--format web holds normalised vectors: no --raw".into()));
            }
            (Format::Web, Some(folder)) => export::web(store, &view, learner, folder)?,
            (Format::Jsonl, _) => self.filling(|out| export::jsonl(store, &view, self.raw, out))?,
            (Format::Parquet, _) => {
                self.filling(|out| export::parquet(store, &view, self.raw, out))?
            }
            (Format::Npy, None) => {
                self.filling(|out| export::npy(store, &view, self.raw, out, None))?
            }
            (Format::Npy, Some(path)) => {
                let beside = path.with_extension("rows.jsonl");
                keep(&beside, files.iter().map(PathBuf::as_path).chain([path]))?;
                let (mut out, mut rows) = (self.output.open()?, create(&beside)?);
                let count = export::npy(store, &view, self.raw, &mut out, Some(&mut rows))?;
                finish_both(rows, out).map_err(self.output.error())?;
                count
            }
        };
        if let Some(path) = self.output.file() {
            let rate = count as f64 / started.elapsed().as_secs_f64().max(1e-3);
            tell!("{count} vectors in {}, {rate:.0} per second", path.display());
        }
        Ok(EXIT_OK)
    }

    /// Opens the output, lets `write` fill it, and sees it written.
    fn filling<T>(&self, write: impl FnOnce(&mut Output) -> Result<T, Error>) -> Result<T, Error> {
        let mut out = self.output.open()?;
        let value = write(&mut out)?;
        out.finish().map_err(self.output.error())?;
        Ok(value)
    }
}
