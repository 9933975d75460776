//! `scraper search`: the products closest to a text or an image.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use clip_core::Towers;

use super::{Context, ModelArgs};
use crate::{
    Error,
    embed::Embedder,
    report::EXIT_OK,
    search::{Hit, search},
    source::Location,
    store::{SqliteStore, Store, StoreError},
};

/// Finds products by a text or an image (exact cosine similarity).
///
/// Examples:
///   scraper search "red floral dress"
///   scraper search --image photo.jpg --top 5 --format json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct SearchArgs {
    /// What to look for, in words.
    #[arg(required_unless_present = "image", conflicts_with = "image")]
    text: Option<String>,
    /// An image file or address to look for.
    #[arg(long, value_name = "FILE|URL")]
    image: Option<String>,
    /// Number of products.
    #[arg(long, value_name = "N", default_value_t = 12)]
    top: usize,
    /// The store that `scraper run` filled.
    #[arg(long, value_name = "FILE", default_value = "scraper.db")]
    store: PathBuf,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    model: ModelArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    #[default]
    Table,
    Json,
}

impl SearchArgs {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        let store = SqliteStore::open_existing(&self.store)?;
        let Some(stored) = store.provenance()? else {
            let store = self.store.display();
            return Err(Error::Usage(format!(
                "the store {store} is empty: run `scraper run` first"
            )));
        };
        let towers = if self.image.is_some() { Towers::Vision } else { Towers::Text };
        let embedder = Embedder::new(self.model.load(context, towers).await?)?;
        let run = &embedder.model.provenance;
        if *run != stored {
            let (stored, run) = (Box::new(stored), Box::new(run.clone()));
            return Err(StoreError::Provenance { stored, run }.into());
        }
        let query = match (&self.image, &self.text) {
            (Some(image), _) => {
                embedder.embed_location(&Location::parse(image, Path::new(""))?).await?
            }
            (None, text) => embedder.embed_text(text.as_deref().unwrap_or_default()).await?,
        };
        let hits = search(&store, &query.embedding.normalized(), self.top)?;
        match self.format {
            Format::Json => {
                let json = serde_json::to_string_pretty(&hits)
                    .map_err(|e| Error::Internal(e.to_string()))?;
                println!("{json}");
            }
            Format::Table => print!("{}", table(&hits)),
        }
        Ok(EXIT_OK)
    }
}

fn table(hits: &[Hit]) -> String {
    let width = |text: fn(&Hit) -> &str, head: usize| {
        hits.iter().map(|hit| text(hit).chars().count()).max().unwrap_or(0).clamp(head, 40)
    };
    let title: fn(&Hit) -> &str = |hit| hit.title.as_deref().unwrap_or("-");
    let id: fn(&Hit) -> &str = |hit| &hit.id;
    let (id_width, title_width) = (width(id, 7), width(title, 5));
    let mut text =
        format!("  #  cosine  {:<id_width$}  {:<title_width$}  image\n", "product", "title");
    for (rank, hit) in (1..).zip(hits) {
        text += &format!(
            "{rank:>3}  {:>6.4}  {:<id_width$}  {:<title_width$}  {}\n",
            hit.score,
            cut(id(hit), id_width),
            cut(title(hit), title_width),
            hit.image
        );
    }
    text
}

/// At most `width` characters, the last one an ellipsis where something was cut.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}
