//! What a store keeps beside itself to be searched fast: a folder `STORE.scan`.
//!
//! | file | what it holds |
//! |---|---|
//! | `manifest.json` | the stamp of the store, and the names, sizes and checksums of the others |
//! | `scan-….safetensors` | int8 codes of all vectors ([`clip_core::index`]), as in the web export |
//! | `exact-….safetensors` | the vectors, of unit length, row by row |
//! | `words-….columns` | the words of all products ([`shop_words::Index`]) |
//! | `facts-….columns` | what filters ask, and addresses of images, by column ([`shop_words::flat`]) |
//! | `floor.json` | the floor of relevance ([`crate::relevance`]), once it is measured |
//!
//! That of a Postgres store lies in the cache folder of a machine that searches it, where it was asked for.
//! All of it can be thrown away at any time. The store is the truth: a scan counts only as long as the
//! store says the stamp that it said when the scan was made ([`crate::store::Store::stamp`]), and a file that is not
//! what the manifest says is not used. Files are mapped, so that a search reads what it needs and a
//! process holds next to nothing. Their names carry the digest of their content, and the manifest is
//! replaced last, in one step: searches that are under way keep the files of the scan before.

mod build;
mod codes;
mod facts;
mod summed;

use std::{
    path::{Path, PathBuf},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use clip_core::{
    NormalizedEmbedding, Provenance,
    index::{self, EXACT_HEADER, Index},
};
use memmap2::Mmap;
use serde::{Deserialize, Serialize};

pub use build::{Made, make, refresh};
pub(crate) use codes::Codes;
pub(crate) use facts::Facts;

use crate::{
    Error,
    mmap::map,
    model::LoadedModel,
    named::{Kinds, MANIFEST, Written},
    relevance::{Learner, Relevance},
    store::{ImageHash, Stamp},
};

/// Stores with fewer vectors are read as quickly.
pub const WORTHWHILE: usize = 2000;
/// Of the layout, and of what is computed from rows.
const VERSION: u32 = 1;
const KINDS: Kinds = &[
    ("scan", "safetensors"),
    ("exact", "safetensors"),
    ("words", "columns"),
    ("facts", "columns"),
];
const FLOOR: &str = "floor.json";
/// Rows asked for at once: what is nearest is decided by few.
const AHEAD: usize = 64;

/// A file, and the checksum of its content, which is quicker to look at than its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Checked {
    #[serde(flatten)]
    written: Written,
    crc: u32,
}

/// `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Manifest {
    version: u32,
    stamp: Stamp,
    /// See [`crate::store::State::vectors`].
    vectors: Stamp,
    provenance: Provenance,
    dim: usize,
    rows: usize,
    products: usize,
    scan: Checked,
    /// Each of its rows has a digest in the scan file.
    exact: String,
    words: Checked,
    facts: Checked,
}

impl Manifest {
    fn files(&self) -> [&str; 4] {
        let Manifest { scan, exact, words, facts, .. } = self;
        [&scan.written.file, exact, &words.written.file, &facts.written.file]
    }

    /// `None` if there is none, or a damaged one, or one of another version.
    fn read(folder: &Path) -> Option<Self> {
        let manifest: Manifest = summed::read(&folder.join(MANIFEST))?;
        (manifest.version == VERSION).then_some(manifest)
    }
}

/// What has been measured of these vectors with a model's text tower.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Floor {
    /// Name of the scan file: what it says of the vectors.
    scan: String,
    model: Provenance,
    relevance: Relevance,
}

/// A scan, open to be searched.
#[derive(Debug)]
pub(crate) struct Scan {
    folder: PathBuf,
    manifest: Manifest,
    index: Index,
    exact: Mmap,
    facts: OnceLock<Option<Facts>>,
    words: OnceLock<Option<shop_words::Index>>,
    floor: Mutex<Option<Floor>>,
    /// Something was damaged.
    given_up: AtomicBool,
}

/// Something of the scan is not what the manifest says: the store must be read.
#[derive(Debug)]
pub(crate) struct Damaged(pub(crate) String);

/// A row that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Near {
    pub(crate) product: u32,
    pub(crate) row: u32,
    pub(crate) score: f32,
}

impl Scan {
    /// The scan in `folder`, if there is one of the store's state `stamp`.
    pub(crate) fn open(folder: &Path, stamp: &Stamp) -> Option<Self> {
        let manifest = Manifest::read(folder).filter(|manifest| manifest.stamp == *stamp)?;
        let opened = Self::with(folder, manifest);
        if opened.is_none() {
            tracing::warn!("the scan in {} is damaged: the store is read", folder.display());
        }
        opened
    }

    fn with(folder: &Path, manifest: Manifest) -> Option<Self> {
        let scan = checked(folder, &manifest.scan)?;
        let index = Index::parse(scan).ok()?;
        let exact = map(&folder.join(&manifest.exact)).ok()?;
        let fits = (index.rows(), index.groups()) == (manifest.rows, manifest.products)
            && index.dim() == manifest.dim
            && index.provenance() == &manifest.provenance
            && exact.len() == EXACT_HEADER + 4 * manifest.rows * manifest.dim;
        fits.then(|| Scan {
            folder: folder.to_owned(),
            manifest,
            index,
            exact,
            facts: OnceLock::new(),
            words: OnceLock::new(),
            floor: Mutex::new(None),
            given_up: AtomicBool::new(false),
        })
    }

    pub(crate) fn stamp(&self) -> &Stamp {
        &self.manifest.stamp
    }

    /// Values of a vector.
    pub(crate) fn dim(&self) -> usize {
        self.manifest.dim
    }

    /// It is not searched again.
    pub(crate) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Whether nothing of it was seen to be damaged.
    pub(crate) fn is_whole(&self) -> bool {
        !self.given_up.load(Ordering::Relaxed)
    }

    pub(crate) fn provenance(&self) -> &Provenance {
        &self.manifest.provenance
    }

    /// Columns of the products, which are looked at when they are needed.
    pub(crate) fn facts(&self) -> Result<&Facts, Damaged> {
        let Manifest { rows, products, facts, .. } = &self.manifest;
        let open = || Facts::open(checked(&self.folder, facts)?, *rows, *products);
        self.facts.get_or_init(open).as_ref().ok_or_else(|| damaged("facts"))
    }

    /// Words of the products, which are looked at when they are needed.
    pub(crate) fn words(&self) -> Result<&shop_words::Index, Damaged> {
        let open = || {
            let words =
                shop_words::Index::open(checked(&self.folder, &self.manifest.words)?).ok()?;
            (words.products() == self.manifest.products).then_some(words)
        };
        self.words.get_or_init(open).as_ref().ok_or_else(|| damaged("words"))
    }

    /// A vector, if it is what the scan file says.
    pub(crate) fn row(&self, row: u32) -> Result<Vec<f32>, Damaged> {
        let values = self.values(row).ok_or_else(|| damaged("vectors"))?;
        match self.index.is_row(row as usize, &values) {
            true => Ok(values),
            false => Err(damaged("vectors")),
        }
    }

    fn values(&self, row: u32) -> Option<Vec<f32>> {
        let start = EXACT_HEADER + row as usize * 4 * self.manifest.dim;
        let bytes = self.exact.get(start..start + 4 * self.manifest.dim)?.as_chunks().0;
        Some(bytes.iter().map(|&b| f32::from_le_bytes(b)).collect())
    }

    /// The rows of a product's images.
    pub(crate) fn rows_of(&self, product: u32) -> impl Iterator<Item = u32> + use<> {
        self.index.rows_of(product)
    }

    /// The `top` products nearest to `query`, among those that `allowed` lets through. `None` for a
    /// query that is not of unit length.
    pub(crate) fn nearest(
        &self,
        query: &NormalizedEmbedding,
        top: usize,
        allowed: impl Fn(u32) -> bool + Sync + Send,
    ) -> Result<Option<index::Search>, Damaged> {
        let Ok(mut search) = self.index.search(query, top, allowed) else { return Ok(None) };
        loop {
            let wanted: Vec<u32> = search.wanted(AHEAD).collect();
            if wanted.is_empty() {
                return Ok(Some(search));
            }
            let mut vectors = Vec::with_capacity(wanted.len() * self.manifest.dim);
            for row in wanted {
                vectors.extend(self.row(row)?);
            }
            search.rescore(&vectors).map_err(|e| Damaged(e.to_string()))?;
        }
    }

    /// The product's image that fits best. Of those with equal scores the first counts.
    pub(crate) fn best(&self, query: &NormalizedEmbedding, product: u32) -> Result<Near, Damaged> {
        let mut best: Option<Near> = None;
        for row in self.rows_of(product) {
            let score = query.cosine(&NormalizedEmbedding::from_unit(self.row(row)?));
            if best.is_none_or(|best| score > best.score) {
                best = Some(Near { product, row, score });
            }
        }
        best.ok_or_else(|| damaged("vectors"))
    }

    /// What a text must reach to be found by meaning, measured once for these vectors.
    pub(crate) fn relevance(
        &self,
        model: &LoadedModel,
    ) -> Result<Result<Relevance, Damaged>, Error> {
        let scan = &self.manifest.scan.written.file;
        let fits = |floor: &Floor| floor.scan == *scan && floor.model == model.provenance;
        let mut known = self.floor.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.folder.join(FLOOR);
        let kept = || summed::read::<Floor>(&path);
        if let Some(floor) = known.take().filter(fits).or_else(kept).filter(fits) {
            return Ok(Ok(known.insert(floor).relevance));
        }
        let relevance = match self.learned(Learner::new(&model.clip)?) {
            Ok(relevance) => relevance,
            Err(damaged) => return Ok(Err(damaged)),
        };
        let floor = Floor { scan: scan.clone(), model: model.provenance.clone(), relevance };
        // It only saves the next one the time.
        let _ = summed::write(&path, &floor);
        *known = Some(floor);
        Ok(Ok(relevance))
    }

    /// What `learner` learns of all vectors.
    pub(crate) fn learned(&self, learner: Learner) -> Result<Relevance, Damaged> {
        let learner = learner.learn(|text| {
            let search = self.nearest(text, 1, |_| true)?;
            let best = search.and_then(|search| search.hits().first().map(|hit| hit.score));
            best.ok_or_else(|| damaged("vectors"))
        })?;
        Ok(learner.relevance(&NormalizedEmbedding::from_unit(self.index.mean().to_vec())))
    }

    /// Vectors.
    pub(crate) fn rows(&self) -> usize {
        self.manifest.rows
    }

    /// The scan file and the beginning of the exact file, which [`Scan::row`] follow.
    pub(crate) fn files(&self) -> (&[u8], &[u8]) {
        (self.index.bytes(), self.exact.get(..EXACT_HEADER).unwrap_or_default())
    }

    /// Rows by the digests of their image files, for [`make`].
    fn by_hash(&self) -> Option<impl Fn(&ImageHash) -> Option<u32> + use<'_>> {
        let hashes = self.facts().ok()?.hashes();
        let mut order: Vec<u32> = (0u32..).take(hashes.len()).collect();
        let of = |row: u32| hashes.get(row as usize);
        order.sort_unstable_by_key(|&row| of(row));
        Some(move |hash: &ImageHash| {
            let at = order.partition_point(|&row| of(row) < Some(hash));
            order.get(at).copied().filter(|&row| of(row) == Some(hash))
        })
    }
}

fn damaged(what: &str) -> Damaged {
    Damaged(format!("its {what} are damaged"))
}

/// Maps a file whose content has its size and checksum.
fn checked(folder: &Path, file: &Checked) -> Option<Mmap> {
    let map = map(&folder.join(&file.written.file)).ok()?;
    let fits = map.len() as u64 == file.written.bytes && summed::crc(&map) == file.crc;
    fits.then_some(map)
}
