//! The store that is searched, as it is when a question comes: a run that has ended meanwhile is seen by
//! the next question, and no question sees half of two states.

use std::{collections::HashMap, sync::Arc};

use clip_core::{Embedding, NormalizedEmbedding};

use crate::{
    Error,
    embed::blocking,
    model::LoadedModel,
    relevance::Learner,
    search::{self, Answer, Found, Mode, Question},
    store::{Hit, Store, StoreError, StoreTarget, View, try_rows},
};

/// A store that can be searched with a model.
#[derive(Debug)]
pub(super) struct Shelf {
    target: StoreTarget,
    model: Arc<LoadedModel>,
}

/// What is looked for.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Empty where an image is looked for.
    pub(super) text: String,
    /// Of the text or image; not needed to search by words.
    pub(super) query: Option<NormalizedEmbedding>,
    pub(super) mode: Mode,
    pub(super) top: usize,
    /// Whether what is no more like a product than nonsense is finds nothing by meaning.
    pub(super) floor: bool,
    pub(super) view: View,
}

impl Shelf {
    /// # Errors
    /// The store cannot be opened, or holds vectors of another model.
    pub(super) async fn open(target: StoreTarget, model: Arc<LoadedModel>) -> Result<Self, Error> {
        let shelf = Shelf { target, model };
        blocking(move || shelf.store().map(|_| shelf)).await?
    }

    fn store(&self) -> Result<Box<dyn Store>, Error> {
        let store = self.target.open_existing()?;
        let run = &self.model.provenance;
        match store.provenance()? {
            Some(stored) if !run.agrees(&stored) => {
                let (stored, run) = (Box::new(stored), Box::new(run.clone()));
                Err(StoreError::Provenance { stored, run }.into())
            }
            _ => Ok(store),
        }
    }

    /// The results of `scraper search`. Blocking.
    pub(super) fn find(&self, wanted: Wanted) -> Result<Answer, Error> {
        let Wanted { text, query, mode, top, floor, view } = wanted;
        let store = self.store()?;
        let learner = floor.then(|| Learner::new(&self.model.clip)).transpose()?;
        let query = query.as_ref();
        search::find(store.as_ref(), &view, Question { text: &text, query, mode, top, learner })
    }

    /// The products nearest to any image of a product, without itself; `None` where there is no such
    /// product. Blocking.
    pub(super) fn similar(
        &self,
        id: &str,
        source: Option<&str>,
        top: usize,
        view: &View,
    ) -> Result<Option<Vec<Found>>, Error> {
        let store = self.store()?;
        let is_it = |product: &crate::source::Product| {
            product.id == id && source.is_none_or(|source| product.source == source)
        };
        let mut own: Vec<NormalizedEmbedding> = Vec::new();
        let mut of_source: Option<String> = None;
        try_rows(store.as_ref(), &View::default(), |row| {
            // Where two sources have the id, the first counts.
            let same = of_source.as_ref().is_none_or(|known| *known == row.product.source);
            if same && is_it(&row.product) {
                of_source = Some(row.product.source);
                own.push(Embedding::from_raw(row.values).normalized());
            }
            Ok(())
        })?;
        let Some(source) = of_source else { return Ok(None) };
        // All of them, as a product that is near to two images counts once.
        let mut best: HashMap<(String, String), Hit> = HashMap::new();
        for query in &own {
            for hit in store.search(query, top.saturating_add(1), view, false)? {
                let Hit { product, .. } = &hit;
                if product.id == id && product.source == source {
                    continue;
                }
                let name = (product.source.clone(), product.id.clone());
                match best.get(&name) {
                    Some(known) if known.score >= hit.score => {}
                    _ => drop(best.insert(name, hit)),
                }
            }
        }
        let mut hits: Vec<Hit> = best.into_values().collect();
        hits.sort_by(Hit::order);
        hits.truncate(top);
        Ok(Some(hits.into_iter().map(Found::from).collect()))
    }
}
