//! The store that is searched. A run that has ended meanwhile is seen by the next question, and no
//! question sees half of two states.

use std::sync::Arc;

use clip_core::NormalizedEmbedding;

use crate::{
    Error,
    embed::blocking,
    model::LoadedModel,
    scan::Made,
    search::{Answer, Found, Keeping, Mode, Question, Searcher},
    store::{Stamp, StoreError, StoreTarget, View},
};

/// A store that can be searched with a model.
#[derive(Debug)]
pub(super) struct Shelf {
    searcher: Searcher,
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
        let open = move || {
            let shelf = Shelf { searcher: Searcher::open(&target, Keeping::LastRun)?, model };
            shelf.searcher()?;
            Ok(shelf)
        };
        blocking(open).await?
    }

    /// See [`Store::stamp`](crate::store::Store::stamp). Blocking.
    pub(super) fn stamp(&self) -> Result<Option<Stamp>, Error> {
        self.searcher.stamp()
    }

    /// See [`Searcher::make_scan`]. Blocking.
    pub(super) fn make_scan(&self) -> Result<Made, Error> {
        self.searcher.make_scan()
    }

    /// Where the store holds vectors of this model; a run may have changed it over to another.
    fn searcher(&self) -> Result<&Searcher, Error> {
        let run = &self.model.provenance;
        match self.searcher.provenance()? {
            Some(stored) if !run.agrees(&stored) => {
                let (stored, run) = (Box::new(stored), Box::new(run.clone()));
                Err(StoreError::Provenance { stored, run }.into())
            }
            _ => Ok(&self.searcher),
        }
    }

    /// The results of a search on the command line. Blocking.
    pub(super) fn find(&self, wanted: &Wanted) -> Result<Answer, Error> {
        let Wanted { text, query, mode, top, floor, view } = wanted;
        let floor = floor.then_some(&*self.model);
        let question = Question { text, query: query.as_ref(), mode: *mode, top: *top, floor };
        self.searcher()?.find(view, question)
    }

    /// The products nearest to any image of a product, without itself; `None` where there is no such
    /// product. Blocking.
    pub(super) fn similar(
        &self,
        view: &View,
        source: Option<&str>,
        id: &str,
        top: usize,
    ) -> Result<Option<Vec<Found>>, Error> {
        self.searcher()?.similar(view, source, id, top)
    }
}
