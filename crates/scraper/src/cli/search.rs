//! `scraper search`: the products closest to a text or an image.

use std::borrow::Cow;

use clap::{Args, ValueEnum};
use clip_core::Towers;

use super::{Context, ModelArgs, StoreArgs};
use scraper_lib::{
    Error,
    embed::{Embedder, blocking},
    report::{
        EXIT_OK, console,
        shown::{self, LONG, SHORT},
    },
    source::{Base, Location},
    store::{Filter, Hit, StoreError, View},
};

/// Finds products by a text or an image (exact cosine similarity).
///
/// Examples:
///   scraper search "red floral dress"
///   scraper search --image photo.jpg --top 5 --format json
///   scraper search "boots" --filter 'price<100' --filter availability=in_stock
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct SearchArgs {
    /// Search text.
    #[arg(required_unless_present = "image", conflicts_with = "image")]
    text: Option<String>,
    /// Image file or address to search for.
    #[arg(long, value_name = "FILE|URL")]
    image: Option<String>,
    /// Number of products to return.
    #[arg(long, value_name = "N", default_value_t = 12)]
    top: usize,
    /// Only products for which this holds; may be repeated. FIELD=VALUE, FIELD!=VALUE,
    /// FIELD~PART, price<NUMBER, <=, >, >=; VALUE|VALUE is one of several. Fields are source, id,
    /// title, description, brand, category, price, currency, availability, and attributes.
    #[arg(long, value_name = "CONDITION")]
    filter: Vec<String>,
    /// Also products that have vanished from their source.
    #[arg(long)]
    vanished: bool,
    /// Lets Postgres use its index (`scraper index`): faster in large stores, and may miss some.
    #[arg(long)]
    approximate: bool,
    #[command(flatten)]
    store: StoreArgs,
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
        let filter = Filter::parse(&self.filter).map_err(|e| Error::Usage(e.to_string()))?;
        let view = View { filter, vanished: self.vanished };
        let target = self.store.store.clone();
        let open = move || {
            let store = target.open_existing()?;
            let provenance = store.provenance()?;
            Ok::<_, StoreError>((store, provenance))
        };
        let (store, stored) = blocking(open).await??;
        let Some(stored) = stored else {
            let store = &self.store.store;
            return Err(Error::Usage(format!(
                "the store {store} is empty: run `scraper run` first"
            )));
        };
        let towers = if self.image.is_some() { Towers::Vision } else { Towers::Text };
        let embedder = Embedder::new(self.model.load(context, towers).await?)?;
        let run = &embedder.model.provenance;
        if !run.agrees(&stored) {
            let (stored, run) = (Box::new(stored), Box::new(run.clone()));
            return Err(StoreError::Provenance { stored, run }.into());
        }
        let query = match (&self.image, &self.text) {
            (Some(image), _) => {
                embedder.embed_location(&Location::parse(image, &Base::user())?).await?
            }
            (None, text) => embedder.embed_text(text.as_deref().unwrap_or_default()).await?,
        };
        let (top, approximate) = (self.top, self.approximate);
        let query = query.embedding.normalized();
        let search = move || store.search(&query, top, &view, approximate);
        let mut hits = blocking(search).await??;
        hits.iter_mut().for_each(Hit::publish);
        match self.format {
            Format::Json => {
                let json = serde_json::to_string_pretty(&hits)
                    .map_err(|e| Error::Internal(e.to_string()))?;
                console::print(&format!("{}\n", shown::json(json)))?;
            }
            Format::Table => console::print(&table(&hits))?,
        }
        Ok(EXIT_OK)
    }
}

fn table(hits: &[Hit]) -> String {
    let width = |text: fn(&Hit) -> Cow<'_, str>, head: usize| {
        hits.iter().map(|hit| text(hit).chars().count()).max().unwrap_or(0).clamp(head, 40)
    };
    let title: fn(&Hit) -> Cow<'_, str> =
        |hit| shown::shown(hit.product.title.as_deref().unwrap_or("-"), SHORT);
    let id: fn(&Hit) -> Cow<'_, str> = |hit| shown::shown(&hit.product.id, SHORT);
    let (id_width, title_width) = (width(id, 7), width(title, 5));
    let mut text =
        format!("  #  cosine  {:<id_width$}  {:<title_width$}  image\n", "product", "title");
    for (rank, hit) in (1..).zip(hits) {
        text += &format!(
            "{rank:>3}  {:>6.4}  {:<id_width$}  {:<title_width$}  {}\n",
            hit.score,
            shown::cut(id(hit), id_width),
            shown::cut(title(hit), title_width),
            shown::shown(&hit.image, LONG)
        );
    }
    text
}
