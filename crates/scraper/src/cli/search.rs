//! `scraper search`: the products closest to a text or an image.

use std::borrow::Cow;

use clap::{Args, ValueEnum};
use clip_core::{Provenance, Towers};

use super::{Context, ModelArgs, StoreArgs};
use scraper_lib::{
    Error,
    embed::{Embedder, blocking},
    report::{
        EXIT_OK,
        console::{self, tell},
        shown::{self, LONG, SHORT},
    },
    search::{self, Answer, Found, Keeping, Question, Searcher},
    source::{Base, Location},
    store::{Filter, StoreError, View},
};

/// Finds products by a text or an image: the storefront's results, in its order.
///
/// A text is searched for by its words (titles, brands, categories, ids, attributes) and by its
/// meaning (cosine similarity); both rankings are fused. Scores are the exact cosines.
///
/// Examples:
///   scraper search "red floral dress"
///   scraper search --mode words norrfold
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
    /// How a text is searched for. [default: hybrid]
    #[arg(long, value_enum, conflicts_with = "image", value_name = "MODE")]
    mode: Option<Mode>,
    /// Also what lies below the floor of relevance: texts that mean nothing find something, too.
    #[arg(long)]
    no_floor: bool,
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
    /// Lets Postgres use its index (`scraper index`): faster in large stores, and may miss some. By
    /// meaning only, and without a floor, for both of which all vectors are read.
    #[arg(long)]
    approximate: bool,
    #[command(flatten)]
    store: StoreArgs,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    model: ModelArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// By words and by meaning, fused.
    Hybrid,
    /// By words; needs no model.
    Words,
    /// By meaning.
    Vector,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    #[default]
    Table,
    Json,
}

impl SearchArgs {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        if self.approximate && matches!(self.mode, Some(Mode::Hybrid | Mode::Words)) {
            let text = "--approximate searches by meaning only: leave --mode out, or say vector";
            return Err(Error::Usage(text.into()));
        }
        let filter = Filter::parse(&self.filter).map_err(|e| Error::Usage(e.to_string()))?;
        let view = View { filter, vanished: self.vanished };
        let target = self.store.store.clone();
        let open = move || {
            let searcher = Searcher::open(&target, Keeping::Store)?;
            let provenance = searcher.provenance()?;
            Ok::<_, StoreError>((searcher, provenance))
        };
        let (searcher, stored) = blocking(open).await??;
        let Some(stored) = stored else {
            let store = &self.store.store;
            return Err(Error::Usage(format!(
                "the store {store} is empty: run `scraper run` first"
            )));
        };
        let Answer { found, suggestions } = match self.mode {
            Some(Mode::Words) => self.words(searcher, view).await?,
            _ => self.meaning(context, searcher, &stored, view).await?,
        };
        match self.format {
            Format::Json => {
                let json = serde_json::to_string_pretty(&found)
                    .map_err(|e| Error::Internal(e.to_string()))?;
                console::print(&format!("{}\n", shown::json(json)))?;
            }
            Format::Table => console::print(&table(&found))?,
        }
        if found.is_empty() && !suggestions.is_empty() {
            let words = suggestions.join(", ");
            tell!("nothing was found; words of these products: {}", shown::shown(&words, LONG));
        }
        Ok(EXIT_OK)
    }

    /// Without a model.
    async fn words(&self, searcher: Searcher, view: View) -> Result<Answer, Error> {
        let (text, top) = (self.text.clone().unwrap_or_default(), self.top);
        let mode = search::Mode::Words;
        let find = move || {
            let question = Question { text: &text, query: None, mode, top, floor: None };
            searcher.find(&view, question)
        };
        blocking(find).await?
    }

    async fn meaning(
        &self,
        context: &Context,
        searcher: Searcher,
        stored: &Provenance,
        view: View,
    ) -> Result<Answer, Error> {
        let towers = if self.image.is_some() { Towers::Vision } else { Towers::Text };
        let embedder = Embedder::new(self.model.load(context, towers).await?)?;
        let run = &embedder.model.provenance;
        if !run.searches(stored) {
            let (stored, run) = (Box::new(stored.clone()), Box::new(run.clone()));
            return Err(StoreError::Provenance { stored, run }.into());
        }
        let text = self.text.clone().unwrap_or_default();
        let query = match &self.image {
            Some(image) => embedder.embed_location(&Location::parse(image, &Base::user())?).await?,
            None => embedder.embed_text(&text).await?,
        };
        let query = query.embedding.normalized();
        let (top, image, approximate) = (self.top, self.image.is_some(), self.approximate);
        let mode = match self.mode {
            _ if image || approximate => search::Mode::Vector,
            Some(Mode::Vector) => search::Mode::Vector,
            _ => search::Mode::Hybrid,
        };
        let floor = !(self.no_floor || image || approximate);
        let target = self.store.store.clone();
        let find = move || {
            if approximate {
                let hits = target.open_existing()?.search(&query, top, &view, true)?;
                let found = hits.into_iter().map(Found::from).collect();
                return Ok(Answer { found, ..Answer::default() });
            }
            let floor = floor.then_some(&*embedder.model);
            searcher.find(&view, Question { text: &text, query: Some(&query), mode, top, floor })
        };
        blocking(find).await?
    }
}

fn table(hits: &[Found]) -> String {
    let width = |text: fn(&Found) -> Cow<'_, str>, head: usize| {
        hits.iter().map(|hit| text(hit).chars().count()).max().unwrap_or(0).clamp(head, 40)
    };
    let title: fn(&Found) -> Cow<'_, str> =
        |hit| shown::shown(hit.product.title.as_deref().unwrap_or("-"), SHORT);
    let id: fn(&Found) -> Cow<'_, str> = |hit| shown::shown(&hit.product.id, SHORT);
    let (id_width, title_width) = (width(id, 7), width(title, 5));
    let mut text =
        format!("  #  cosine  {:<id_width$}  {:<title_width$}  image\n", "product", "title");
    for (rank, hit) in (1..).zip(hits) {
        let score = hit.score.map_or("-".into(), |score| format!("{score:.4}"));
        text += &format!(
            "{rank:>3}  {score:>6}  {:<id_width$}  {:<title_width$}  {}\n",
            shown::cut(id(hit), id_width),
            shown::cut(title(hit), title_width),
            shown::shown(&hit.image, LONG)
        );
    }
    text
}
