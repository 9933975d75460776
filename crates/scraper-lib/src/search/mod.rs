//! Products by words, by meaning, or by both: the search of the storefront, in a store.
//!
//! [`find`] reads the whole store; a [`Searcher`] finds the same with the [scan](crate::scan) that the
//! store keeps beside itself, where there is one.

mod searcher;

use clip_core::{Embedding, NormalizedEmbedding, index::Mean};
use serde::Serialize;
use shop_words::{Columns, DEPTH, Index};

pub use searcher::{Keeping, Searcher};

use crate::{
    Error,
    model::LoadedModel,
    relevance::Learner,
    source::{Facts, Product, publish},
    store::{Hit, Store, StoreError, View, try_rows},
};

/// Words that are suggested.
const SUGGESTED: usize = 5;

/// How a text is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// By words and by meaning, fused.
    #[default]
    Hybrid,
    /// By the words of titles, brands, categories, ids and attributes. Needs no model.
    Words,
    /// By what its vector means.
    Vector,
}

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Empty where an image is looked for.
    pub text: &'a str,
    /// Of the text or image; not needed to search by words.
    pub query: Option<&'a NormalizedEmbedding>,
    /// How.
    pub mode: Mode,
    /// Products at most.
    pub top: usize,
    /// Its text tower measures what a text must reach to be found by meaning; without it there is no
    /// floor.
    pub floor: Option<&'a LoadedModel>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// Best first.
    pub found: Vec<Found>,
    /// Where a text found nothing: words of the catalogue that are near to its own.
    pub suggestions: Vec<String>,
}

/// A product that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// Cosine similarity, where there is a query; -1 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
    /// Address of the image that fits best.
    pub image: String,
    /// Words of the title that match.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
    /// Without its list of images.
    #[serde(flatten, serialize_with = "facts")]
    pub product: Product,
}

impl From<Hit> for Found {
    /// Addresses as they may be shown.
    fn from(mut hit: Hit) -> Self {
        hit.publish();
        let Hit { score, image, product } = hit;
        Found { score: Some(score), image, words: Vec::new(), product }
    }
}

fn facts<S: serde::Serializer>(product: &Product, to: S) -> Result<S::Ok, S::Error> {
    Facts::of(product).serialize(to)
}

/// What is known of a product before it is found.
struct Candidate {
    /// Source and id.
    name: (String, String),
    fits: bool,
    score: Option<f32>,
    image: String,
}

/// The products of `view` that `question` finds, best first. The words of all products count for how
/// rare a word is, and all vectors for the floor, so that filters take products away and change nothing
/// else.
///
/// # Errors
/// The store cannot be read, or holds vectors of another length.
pub fn find(store: &dyn Store, view: &View, question: Question<'_>) -> Result<Answer, Error> {
    let Question { query, mode, top, floor, .. } = question;
    let mut learner = floor.map(|model| Learner::new(&model.clip)).transpose()?;
    let everything = View { vanished: view.vanished, ..View::default() };
    let mut columns = Columns::default();
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut mean: Option<Mean> = None;
    try_rows(store, &everything, |row| {
        let values = Embedding::from_raw(row.values).normalized();
        if values.values().iter().any(|x| x.is_nan()) {
            return Ok(()); // a vector of zeros points nowhere
        }
        if let Some(learner) = &mut learner {
            learner.add(values.values())?;
            let mean = mean.get_or_insert_with(|| Mean::new(values.values().len()));
            mean.add(values.values()).map_err(|e| StoreError::Damaged(e.to_string()))?;
        }
        let score = match query {
            Some(query) if query.values().len() != values.values().len() => {
                let (found, wanted) = (values.values().len(), query.values().len());
                let id = row.product.id;
                let what = format!("the vector of {id} has {found} values, the query's {wanted}");
                return Err(StoreError::Damaged(what).into());
            }
            query => query.map(|query| query.cosine(&values)),
        };
        let name = (row.product.source.clone(), row.product.id.clone());
        match candidates.last_mut() {
            // Of images with equal scores the first counts.
            Some(known) if known.name == name => {
                if score > known.score {
                    (known.score, known.image) = (score, row.image);
                }
            }
            _ => {
                push(&mut columns, &row.product);
                let fits = view.filter.holds(&row.product);
                candidates.push(Candidate { name, fits, score, image: row.image });
            }
        }
        Ok(())
    })?;

    let fits = |product: u32| candidates.get(product as usize).is_some_and(|it| it.fits);
    let mut nearest: Vec<(f32, u32)> = (0u32..)
        .zip(&candidates)
        .filter(|(_, it)| it.fits && mode != Mode::Words)
        .filter_map(|(product, it)| Some((it.score?, product)))
        .collect();
    nearest.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    nearest.truncate(depth(mode, top));
    if let (Some(learner), Some(mean), Some(query)) = (learner, &mean, query) {
        let floor = learner.finish(mean).floor;
        let base = query.cosine(&NormalizedEmbedding::from_unit(mean.values()));
        nearest.retain(|(score, _)| score - base >= floor);
    }
    let nearest: Vec<u32> = nearest.into_iter().map(|(_, product)| product).collect();
    let index = Index::new(columns).map_err(|e| Error::Internal(e.to_string()))?;
    let Ranking { found, suggestions } = rank(&index, &question, fits, &nearest);
    let found = complete(store, &candidates, found)?;
    Ok(Answer { found, suggestions })
}

/// The products to show, with the words of their titles that match.
struct Ranking {
    found: Vec<(u32, Vec<String>)>,
    suggestions: Vec<String>,
}

/// By the rule of [`shop_words`], with what is nearest by vectors.
fn rank(
    index: &Index,
    question: &Question<'_>,
    fits: impl Fn(u32) -> bool,
    nearest: &[u32],
) -> Ranking {
    let matches = index.search(question.text);
    let mut order = match question.mode {
        Mode::Vector => nearest.to_vec(),
        Mode::Words | Mode::Hybrid => matches.fuse(fits, nearest),
    };
    order.truncate(question.top);
    let marked = |product| matches.marked(index, product).into_iter().map(str::to_owned).collect();
    let found: Vec<(u32, Vec<String>)> = order.iter().map(|&p| (p, marked(p))).collect();
    let nothing = found.is_empty() && matches.is_empty();
    let suggestions = if nothing { index.suggest(question.text, SUGGESTED) } else { Vec::new() };
    Ranking { found, suggestions }
}

/// Products by vectors that are ranked, so that a filter and a floor leave enough.
fn depth(mode: Mode, top: usize) -> usize {
    if mode == Mode::Hybrid { DEPTH } else { DEPTH.max(top) }
}

/// Products with all that the store knows of them, which the first reading did not keep.
fn complete(
    store: &dyn Store,
    candidates: &[Candidate],
    found: Vec<(u32, Vec<String>)>,
) -> Result<Vec<Found>, Error> {
    let of = |(product, words)| Some((candidates.get(product as usize)?, words));
    let found: Vec<(&Candidate, Vec<String>)> = found.into_iter().filter_map(of).collect();
    let names: Vec<(&str, &str)> =
        found.iter().map(|(it, _)| (it.name.0.as_str(), it.name.1.as_str())).collect();
    let products = store.products(&names)?;
    // One that has gone in between is no longer found.
    let there = found.into_iter().zip(products).filter_map(|(it, product)| Some((it, product?)));
    let found = there.map(|((Candidate { score, image, .. }, words), mut product)| {
        let mut image = image.clone();
        publish(&mut image, &mut product);
        Found { score: *score, image, words, product }
    });
    Ok(found.collect())
}

/// Adds what is searched of a product.
pub(crate) fn push(columns: &mut Columns, product: &Product) {
    columns.push(&searched(product));
}

/// What is searched of a product.
pub(crate) fn searched(product: &Product) -> shop_words::Product<'_> {
    let attributes = product.attributes.iter();
    shop_words::Product {
        source: &product.source,
        id: &product.id,
        title: product.title.as_deref(),
        brand: product.brand.as_deref(),
        category: product.category.as_deref(),
        attributes: attributes.map(|(name, value)| (name.as_str(), value.as_str())).collect(),
    }
}
