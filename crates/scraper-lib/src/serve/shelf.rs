//! The store that is searched. A run that has ended meanwhile is seen by the next question, and no
//! question sees half of two states.

use std::sync::{Arc, PoisonError, RwLock};

use clip_core::NormalizedEmbedding;

use crate::{
    Error,
    embed::blocking,
    model::LoadedModel,
    search::{Answer, Found, Keeping, Mode, Question, Searcher},
    store::{StoreError, StoreTarget, View},
};

/// A store that can be searched with a model.
#[derive(Debug)]
pub(super) struct Shelf {
    target: StoreTarget,
    model: Arc<LoadedModel>,
    opened: RwLock<Opened>,
}

#[derive(Debug, Clone)]
struct Opened {
    /// Which file it is, where it is one.
    file: Option<FileId>,
    searcher: Arc<Searcher>,
}

/// Device and number: another file may come to stand in the place of one.
type FileId = (u64, u64);

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
            let opened = RwLock::new(Opened::open(&target)?);
            let shelf = Shelf { target, model, opened };
            shelf.searcher()?;
            Ok(shelf)
        };
        blocking(open).await?
    }

    /// Of the store as it is now.
    fn searcher(&self) -> Result<Arc<Searcher>, Error> {
        let mut opened = self.opened.read().unwrap_or_else(PoisonError::into_inner).clone();
        if opened.file != file_id(&self.target) {
            opened = Opened::open(&self.target)?;
            *self.opened.write().unwrap_or_else(PoisonError::into_inner) = opened.clone();
        }
        let (searcher, run) = (opened.searcher, &self.model.provenance);
        match searcher.provenance()? {
            Some(stored) if !run.agrees(&stored) => {
                let (stored, run) = (Box::new(stored), Box::new(run.clone()));
                Err(StoreError::Provenance { stored, run }.into())
            }
            _ => Ok(searcher),
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

impl Opened {
    fn open(target: &StoreTarget) -> Result<Self, StoreError> {
        // First: of two files that change about, the older number leads to opening it again.
        let file = file_id(target);
        Ok(Opened { file, searcher: Arc::new(Searcher::open(target, Keeping::LastRun)?) })
    }
}

fn file_id(target: &StoreTarget) -> Option<FileId> {
    let StoreTarget::Sqlite(path) = target else { return None };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let meta = std::fs::metadata(path).ok()?;
        Some((meta.dev(), meta.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}
