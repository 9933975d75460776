//! A store that stays open to be searched.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use clip_core::{Embedding, NormalizedEmbedding, Provenance};

use super::{Answer, Found, Mode, Question, Ranking, depth, find, rank};
use crate::{
    Error,
    scan::{self, Damaged, Made, Near, Scan, WORTHWHILE},
    source::publish,
    store::{Hit, Stamp, Store, StoreError, StoreTarget, View, try_rows},
};

/// What is searched while a run changes the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// The store as it is, which takes as long as reading all of it.
    Store,
    /// What the last run has left, until this one has ended; what is told of the products is the
    /// store's.
    LastRun,
}

/// Finds products in a store, fast where the store has a [scan](crate::scan) and in any case the same
/// ones. Every question sees the store as it is then; there is nothing to refresh. May be shared by
/// threads.
///
/// ```no_run
/// use scraper_lib::{search::{Keeping, Mode, Question, Searcher}, store::{StoreTarget, View}};
///
/// let target: StoreTarget = "shop.db".parse()?;
/// let searcher = Searcher::open(&target, Keeping::Store)?;
/// let question =
///     Question { text: "red dress", query: None, mode: Mode::Words, top: 12, floor: None };
/// for hit in searcher.find(&View::default(), question)?.found {
///     println!("{:?}", hit.product.title);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Searcher {
    target: StoreTarget,
    folder: Option<PathBuf>,
    keeping: Keeping,
    /// Connections that nobody uses just now.
    idle: Mutex<Vec<Box<dyn Store>>>,
    scan: RwLock<Option<Arc<Scan>>>,
}

impl std::fmt::Debug for Searcher {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "Searcher({}, {:?})", self.target, self.keeping)
    }
}

impl Searcher {
    /// Opens the store, which must be there. Blocking, as all that it does.
    ///
    /// # Errors
    /// Those of [`StoreTarget::open_existing`].
    pub fn open(target: &StoreTarget, keeping: Keeping) -> Result<Self, StoreError> {
        let store = target.open_existing()?;
        Ok(Searcher {
            target: target.clone(),
            folder: store.scan_folder(),
            keeping,
            idle: Mutex::new(vec![store]),
            scan: RwLock::new(None),
        })
    }

    /// What made its vectors; `None` in an empty store.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn provenance(&self) -> Result<Option<Provenance>, StoreError> {
        self.with(|store| store.provenance())
    }

    /// Whether questions are answered from a scan now, and not by reading the store.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn is_quick(&self) -> Result<bool, StoreError> {
        self.with(|store| Ok(self.scan(store, &View::default())?.is_some()))
    }

    /// See [`Store::stamp`].
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn stamp(&self) -> Result<Option<Stamp>, Error> {
        self.with(|store| Ok(store.stamp()?))
    }

    /// Makes the scan of the store as it is now, where that is [`WORTHWHILE`]. Questions are answered
    /// meanwhile.
    ///
    /// # Errors
    /// Those of [`scan::make`].
    pub fn make_scan(&self) -> Result<Made, Error> {
        self.with(|store| scan::make(store, WORTHWHILE))
    }

    /// What [`find`] finds. By vectors alone and without a floor, no words are marked.
    ///
    /// # Errors
    /// Those of [`find`].
    pub fn find(&self, view: &View, question: Question<'_>) -> Result<Answer, Error> {
        self.with(|store| {
            if let Some(scan) = self.scan(store, view)? {
                match quickly(&scan, store, view, &question)? {
                    Ok(Some(answer)) => return Ok(answer),
                    Ok(None) => {}
                    Err(damaged) => self.give_up(&scan, &damaged),
                }
            }
            match question {
                // The database finds the nearest by itself.
                Question { query: Some(query), mode: Mode::Vector, floor: None, top, .. } => {
                    let hits = store.search(query, top, view, false)?;
                    let found = hits.into_iter().map(Found::from).collect();
                    Ok(Answer { found, ..Answer::default() })
                }
                question => find(store, view, question),
            }
        })
    }

    /// The `top` products of `view` nearest to any image of the product `id`, of which source may be
    /// left open, but for itself. `None` if there is no such product.
    ///
    /// # Errors
    /// Those of [`find`].
    pub fn similar(
        &self,
        view: &View,
        source: Option<&str>,
        id: &str,
        top: usize,
    ) -> Result<Option<Vec<Found>>, Error> {
        self.with(|store| {
            if let Some(scan) = self.scan(store, view)? {
                match similar_quickly(&scan, store, view, (source, id), top)? {
                    Ok(Some(found)) => return Ok(found),
                    Ok(None) => {}
                    Err(damaged) => self.give_up(&scan, &damaged),
                }
            }
            similar(store, view, (source, id), top)
        })
    }

    /// With a connection of its own: one that is idle, or a new one.
    fn with<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&dyn Store) -> Result<T, E>,
    ) -> Result<T, E> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let known = idle().pop();
        let store = known.map_or_else(|| self.target.open_existing(), Ok)?;
        let done = work(store.as_ref())?;
        // One that failed is not used again.
        idle().push(store);
        Ok(done)
    }

    /// The scan to search, if it is of the store's state.
    fn scan(&self, store: &dyn Store, view: &View) -> Result<Option<Arc<Scan>>, StoreError> {
        let Some(folder) = self.folder.as_deref().filter(|_| !view.vanished) else {
            return Ok(None);
        };
        let known = self.scan.read().unwrap_or_else(PoisonError::into_inner).clone();
        let stamp = store.stamp()?;
        if let Some(scan) = &known
            && stamp == Some(*scan.stamp())
        {
            return Ok(known.filter(|scan| scan.is_whole()));
        }
        let newer = match stamp {
            Some(stamp) => Scan::open(folder, &stamp),
            None => None,
        };
        if let Some(scan) = newer {
            let scan = Arc::new(scan);
            *self.scan.write().unwrap_or_else(PoisonError::into_inner) = Some(scan.clone());
            return Ok(Some(scan));
        }
        let Some(kept) = known.filter(|scan| scan.is_whole() && self.keeping == Keeping::LastRun)
        else {
            return Ok(None);
        };
        let same = store.provenance()?.is_some_and(|stored| stored == *kept.provenance());
        Ok(same.then_some(kept))
    }

    /// Reads the store from now on, until it has another scan.
    fn give_up(&self, scan: &Scan, damaged: &Damaged) {
        tracing::warn!(
            "the scan of {} cannot be used, the store is read: {}",
            self.target,
            damaged.0
        );
        scan.give_up();
    }
}

/// What became of a try to answer from the scan: not, where only the store can.
type Tried<T> = Result<Result<Option<T>, Damaged>, Error>;

/// Goes on with what a scan gave, or returns that it is damaged.
macro_rules! whole {
    ($tried:expr) => {
        match $tried {
            Ok(value) => value,
            Err(damaged) => return Ok(Err(damaged)),
        }
    };
}

fn quickly(scan: &Scan, store: &dyn Store, view: &View, question: &Question<'_>) -> Tried<Answer> {
    let &Question { query, mode, top, floor, .. } = question;
    if query.is_some_and(|query| query.values().len() != scan.dim()) {
        return Ok(Ok(None)); // the store says it as always
    }
    let Some(passing) = whole!(passing(scan, view)) else { return Ok(Ok(None)) };
    let fits = |product: u32| passing.fits(product);
    let hits_only = mode == Mode::Vector && floor.is_none() && query.is_some();
    let mut near: HashMap<u32, Near> = HashMap::new();
    let mut nearest: Vec<u32> = Vec::new();
    if let Some(query) = query.filter(|_| mode != Mode::Words) {
        let most = if hits_only { top } else { depth(mode, top) };
        let Some(search) = whole!(scan.nearest(query, most, fits)) else { return Ok(Ok(None)) };
        let count = match floor {
            Some(model) => search.above(whole!(scan.relevance(model)?).floor),
            None => search.hits().len(),
        };
        for hit in search.hits().iter().take(count) {
            nearest.push(hit.group);
            near.insert(hit.group, Near { product: hit.group, row: hit.row, score: hit.score });
        }
    }
    let Ranking { found, suggestions } = match hits_only {
        true => Ranking {
            found: nearest.into_iter().map(|product| (product, Vec::new())).collect(),
            suggestions: Vec::new(),
        },
        false => rank(whole!(scan.words()), question, fits, &nearest),
    };
    let mut hits = Vec::with_capacity(found.len());
    for (product, words) in found {
        let near = match (near.get(&product), query) {
            (Some(near), _) => Some(*near),
            (None, Some(query)) => Some(whole!(scan.best(query, product))),
            (None, None) => None,
        };
        let row = near.map(|near| near.row).or_else(|| scan.rows_of(product).next());
        hits.push(Short { product, row, score: near.map(|near| near.score), words });
    }
    let found = whole!(complete(scan, store, hits)?);
    Ok(Ok(Some(Answer { found, suggestions })))
}

/// A hit before the store has told of it.
struct Short {
    product: u32,
    row: Option<u32>,
    score: Option<f32>,
    words: Vec<String>,
}

/// Which products may be found.
enum Passing {
    All,
    Some(Vec<bool>),
}

impl Passing {
    fn fits(&self, product: u32) -> bool {
        match self {
            Passing::All => true,
            Passing::Some(passing) => passing.get(product as usize) == Some(&true),
        }
    }
}

/// `None` where only the store knows what the filter asks.
fn passing(scan: &Scan, view: &View) -> Result<Option<Passing>, Damaged> {
    if view.filter.is_empty() {
        return Ok(Some(Passing::All));
    }
    Ok(scan.facts()?.passing(&view.filter).map(Passing::Some))
}

/// Hits with all that the store knows of them.
fn complete(
    scan: &Scan,
    store: &dyn Store,
    hits: Vec<Short>,
) -> Result<Result<Vec<Found>, Damaged>, Error> {
    let facts = whole!(scan.facts());
    let missing = || Damaged("its facts are damaged".into());
    let names = hits.iter().map(|hit| facts.name(hit.product).ok_or_else(missing));
    let names = whole!(names.collect::<Result<Vec<_>, _>>());
    let mut found = Vec::with_capacity(hits.len());
    for (hit, product) in hits.into_iter().zip(store.products(&names)?) {
        let image = hit.row.and_then(|row| facts.image(row));
        let mut image = whole!(image.ok_or_else(missing)).to_owned();
        // One that has gone in between is no longer found.
        let Some(mut product) = product else { continue };
        publish(&mut image, &mut product);
        found.push(Found { score: hit.score, image, words: hit.words, product });
    }
    Ok(Ok(found))
}

fn similar_quickly(
    scan: &Scan,
    store: &dyn Store,
    view: &View,
    (source, id): (Option<&str>, &str),
    top: usize,
) -> Tried<Option<Vec<Found>>> {
    let Some(passing) = whole!(passing(scan, view)) else { return Ok(Ok(None)) };
    let Some(own) = whole!(scan.facts()).number(source, id) else { return Ok(Ok(Some(None))) };
    let mut best: HashMap<u32, Near> = HashMap::new();
    for row in scan.rows_of(own) {
        let query = NormalizedEmbedding::from_unit(whole!(scan.row(row)));
        let fits = |product: u32| product != own && passing.fits(product);
        let Some(search) = whole!(scan.nearest(&query, top, fits)) else { return Ok(Ok(None)) };
        for hit in search.hits() {
            let near = Near { product: hit.group, row: hit.row, score: hit.score };
            let known = best.entry(hit.group).or_insert(near);
            if near.score > known.score {
                *known = near;
            }
        }
    }
    let mut order: Vec<Near> = best.into_values().collect();
    order.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.product.cmp(&b.product)));
    order.truncate(top);
    let short = |near: Near| Short {
        product: near.product,
        row: Some(near.row),
        score: Some(near.score),
        words: Vec::new(),
    };
    let found = whole!(complete(scan, store, order.into_iter().map(short).collect())?);
    Ok(Ok(Some(Some(found))))
}

/// The same from the store alone.
fn similar(
    store: &dyn Store,
    view: &View,
    (source, id): (Option<&str>, &str),
    top: usize,
) -> Result<Option<Vec<Found>>, Error> {
    let everything = View { vanished: view.vanished, ..View::default() };
    let mut name: Option<(String, String)> = None;
    let mut own: Vec<NormalizedEmbedding> = Vec::new();
    try_rows(store, &everything, |row| {
        let product = &row.product;
        let asked = product.id == id && source.is_none_or(|source| product.source == source);
        let first = name.as_ref().is_none_or(|(known, _)| *known == product.source);
        let values = Embedding::from_raw(row.values).normalized();
        // A vector of zeros points nowhere.
        if asked && first && values.values().iter().all(|x| !x.is_nan()) {
            name = Some((product.source.clone(), product.id.clone()));
            own.push(values);
        }
        Ok(())
    })?;
    let Some((source, id)) = name else { return Ok(None) };
    let mut best: Vec<Hit> = Vec::new();
    for query in own {
        // One more, for the product itself.
        for hit in store.search(&query, top.saturating_add(1), view, false)? {
            let same = |known: &&mut Hit| {
                known.product.id == hit.product.id && known.product.source == hit.product.source
            };
            match best.iter_mut().find(same) {
                Some(known) if hit.score > known.score => *known = hit,
                Some(_) => {}
                None => best.push(hit),
            }
        }
    }
    best.retain(|hit| (&hit.product.source, &hit.product.id) != (&source, &id));
    best.sort_by(Hit::order);
    best.truncate(top);
    Ok(Some(best.into_iter().map(Found::from).collect()))
}
