//! Where products, vectors and failures are kept between runs.

mod causes;
mod error;
mod filter;
mod lock;
mod postgres;
mod refused;
mod row;
mod search;
mod shard;
mod sqlite;
mod target;
mod work_queue;

use std::{collections::BTreeMap, path::PathBuf};

use clip_core::{NormalizedEmbedding, Provenance};

pub use error::StoreError;
pub(crate) use filter::{Condition, value};
pub use filter::{Filter, FilterError};
pub use lock::RunLock;
pub use postgres::{PostgresStore, PostgresUrl};
pub use row::{ImageHash, Row, Stamp, State};
pub use search::Hit;
use search::scan;
pub use shard::{Shard, ShardError};
pub use sqlite::{Merged, SqliteLookup, SqliteStore, merge};
pub use target::StoreTarget;
pub use work_queue::{Claim, Filler, RunState, WorkQueue};

use crate::{
    Error,
    fetch::Validators,
    report::{FailureNote, KeptSource, MaxFailures, Summary},
    source::{Base, Product},
};

/// One image of one product.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageKey {
    /// [`Product::source`]; two sources may use the same ids.
    pub source: String,
    /// Id of the product.
    pub product: String,
    /// Place among the product's images, from 0.
    pub position: u32,
    /// As written in the source. A result for an address that the product no longer has there is
    /// dropped.
    pub address: String,
}

/// The attributes of product `id`, as [`written`](attributes_json) into a store.
fn attributes(id: &str, json: &str) -> Result<BTreeMap<String, String>, StoreError> {
    serde_json::from_str(json).map_err(damaged_attributes(id))
}

fn attributes_json(product: &Product) -> Result<String, StoreError> {
    serde_json::to_string(&product.attributes).map_err(damaged_attributes(&product.id))
}

fn damaged_attributes(id: &str) -> impl Fn(serde_json::Error) -> StoreError + '_ {
    move |e| StoreError::Damaged(format!("the attributes of {id}: {e}"))
}

/// A change to be stored. A slice of them is one transaction.
#[derive(Debug)]
pub enum Write {
    /// A source that the run reads, and who writes its addresses. Forgets what failed of it besides
    /// images.
    Source {
        /// As in the settings; empty for the only source.
        name: String,
        /// Who writes its addresses.
        base: Base,
    },
    /// The product and the addresses of its images, as the source now tells them. What was known
    /// of an image is kept where its address did not change.
    Product(Product),
    /// The address now holds these bytes. Clears the image from the quarantine.
    Image {
        /// Which image.
        key: ImageKey,
        /// SHA-256 of the bytes.
        hash: ImageHash,
        /// How many.
        bytes: u64,
        /// For asking whether they have changed.
        validators: Validators,
    },
    /// The image is still what was stored. Clears it from the quarantine.
    Unchanged {
        /// Which image.
        key: ImageKey,
    },
    /// The vector of these bytes, as projected (not normalised), under the run's provenance.
    Vector {
        /// SHA-256 of the bytes.
        hash: ImageHash,
        /// As projected by the model.
        values: Vec<f32>,
        /// Whether the bytes are a damaged file.
        damaged: bool,
    },
    /// The image could not be had or read.
    Failure {
        /// Which image.
        key: ImageKey,
        /// A short stable name for programs.
        kind: String,
        /// For people.
        message: String,
    },
    /// A page, record or product of the source that gave no image; told until the source is read
    /// anew, or the product of that page or id comes.
    SourceFailure {
        /// Name of the source.
        source: String,
        /// Address of the page, place of the record, or id of the product.
        place: String,
        /// A short stable name for programs.
        kind: String,
        /// For people.
        message: String,
    },
    /// The product of a page has another id now: its row and images move there. Where there is a
    /// product of that id, it is dropped. Nothing happens where `from` is the product of another
    /// page.
    Renamed {
        /// Name of the source.
        source: String,
        /// Its id before.
        from: String,
        /// Address of the page.
        page: String,
        /// Its id now.
        to: String,
    },
    /// The page could not be read: the product that was read from it before counts as seen. `id`
    /// is the one of pages in older stores, which do not know the page.
    Unread {
        /// Name of the source.
        source: String,
        /// Its address.
        page: String,
        /// Of the product.
        id: String,
    },
}

/// Which vectors to look at.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Which products.
    pub filter: Filter,
    /// Also products that the last complete read of their source did not tell of.
    pub vanished: bool,
}

/// An image that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which image.
    pub key: ImageKey,
    /// A short stable name for programs.
    pub kind: String,
    /// For people.
    pub message: String,
    /// Who wrote the address.
    pub base: Base,
}

/// A page, record or product that gave no image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFailure {
    /// Name of the source.
    pub source: String,
    /// Address of the page, place of the record, or id of the product.
    pub place: String,
    /// A short stable name for programs.
    pub kind: String,
    /// For people.
    pub message: String,
}

/// What is done with products that their sources no longer tell of.
#[derive(Debug, Clone, Copy)]
pub struct Vanishing {
    /// Runs for which they stay.
    pub keep: u32,
    /// How many of a source's may vanish in one run; of more none does.
    pub most: MaxFailures,
}

/// What became of products that their sources no longer tell of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Missing for the first time: marked.
    pub marked: u64,
    /// Missing for too long: removed, with the vectors that only they used.
    pub removed: u64,
    /// Sources of which too many were missing.
    pub kept: Vec<KeptSource>,
}

impl Swept {
    pub(crate) fn tell(self, summary: &mut Summary) {
        (summary.vanished, summary.removed) = (self.marked, self.removed);
        summary.kept = self.kept;
    }
}

/// A store of vectors of *one* provenance at a time.
pub trait Store: Send {
    /// Begins a run, and declares what it computes: vectors of `dim` values. With `reembed` the
    /// store changes over to it.
    ///
    /// # Errors
    /// [`StoreError::Provenance`] if the store holds vectors of another provenance.
    fn begin(
        &mut self,
        provenance: &Provenance,
        dim: usize,
        reembed: bool,
    ) -> Result<(), StoreError>;

    /// Stores all of `writes` or nothing. When it returns, a kill loses nothing of them. A record
    /// that the store cannot hold is left out, and [`Store::refused`] tells of it.
    ///
    /// # Errors
    /// Full disk, locked file, damaged file …
    fn apply(&mut self, writes: &[Write]) -> Result<(), StoreError>;

    /// The records that the store could not hold since it was asked last.
    fn refused(&mut self) -> Vec<FailureNote> {
        Vec::new()
    }

    /// Marks what is left over of the sources `complete`, which this run read to their end, and
    /// removes what has been missing for too many such runs.
    ///
    /// # Errors
    /// Those of [`Store::apply`].
    fn sweep(&mut self, complete: &[String], vanishing: &Vanishing) -> Result<Swept, StoreError>;

    /// How many images of products that this run saw have neither a vector nor a failure. None has,
    /// once a run is over.
    ///
    /// # Errors
    /// The store cannot be read.
    fn unsettled(&self) -> Result<u64, StoreError>;

    /// The provenance of the vectors that [`Store::rows`] yields; `None` in an empty store.
    ///
    /// # Errors
    /// The store cannot be read.
    fn provenance(&self) -> Result<Option<Provenance>, StoreError>;

    /// Calls `visit` with every vector of `view`, ordered by source, product and position (by
    /// their bytes), until it returns false.
    ///
    /// # Errors
    /// The store cannot be read.
    fn rows(&self, view: &View, visit: &mut dyn FnMut(Row) -> bool) -> Result<(), StoreError>;

    /// The `top` products of `view` closest to `query`, best first; equal scores are ordered by
    /// source and id. Exact, with the same scores to the last bit in every store, unless
    /// `approximate` allows an index (where the store has one) to miss some.
    ///
    /// # Errors
    /// The store cannot be read, or holds vectors of another length.
    fn search(
        &self,
        query: &NormalizedEmbedding,
        top: usize,
        view: &View,
        _approximate: bool,
    ) -> Result<Vec<Hit>, StoreError> {
        scan(query, top, &mut |visit| self.rows(view, visit))
    }

    /// A name of what search finds in it: another one whenever that changes, whoever changes it, and
    /// the same as long as nothing does. `None` where that is not known.
    ///
    /// # Errors
    /// The store cannot be read.
    fn stamp(&self) -> Result<Option<Stamp>, StoreError> {
        Ok(None)
    }

    /// Where its [scan](crate::scan) lies, there or not; `None` if it can have none.
    fn scan_folder(&self) -> Option<PathBuf> {
        None
    }

    /// Whether its scan lies beside it, for whoever searches it. Else it is this machine's alone, and only
    /// made where it was asked for.
    fn scan_is_beside(&self) -> bool {
        true
    }

    /// As [`Store::rows`] of all products that have not vanished, of one state of the store, which is
    /// told; where that is not known, nothing is visited. The values of bytes that are `known` in that
    /// state are left out.
    ///
    /// # Errors
    /// Those of [`Store::rows`].
    fn state(
        &self,
        _known: &dyn Fn(&State, &ImageHash) -> bool,
        _visit: &mut dyn FnMut(&State, Row) -> bool,
    ) -> Result<Option<State>, StoreError> {
        Ok(None)
    }

    /// The products of these sources and ids that are there, without their lists of images.
    ///
    /// # Errors
    /// The store cannot be read.
    fn products(&self, names: &[(&str, &str)]) -> Result<Vec<Option<Product>>, StoreError> {
        let mut found = vec![None; names.len()];
        let mut missing = names.len();
        self.rows(&View { vanished: true, ..View::default() }, &mut |row| {
            let name = (row.product.source.as_str(), row.product.id.as_str());
            let place = names.iter().position(|&other| other == name);
            if let Some(place @ None) = place.and_then(|at| found.get_mut(at)) {
                *place = Some(row.product);
                missing -= 1;
            }
            missing > 0
        })?;
        Ok(found)
    }

    /// The sources that were read, and who writes their addresses.
    ///
    /// # Errors
    /// The store cannot be read.
    fn sources(&self) -> Result<Vec<(String, Base)>, StoreError>;

    /// The quarantine, ordered by source, product and position.
    ///
    /// # Errors
    /// The store cannot be read.
    fn failures(&self) -> Result<Vec<Failure>, StoreError>;

    /// What failed besides images, ordered by source and place.
    ///
    /// # Errors
    /// The store cannot be read.
    fn source_failures(&self) -> Result<Vec<SourceFailure>, StoreError>;

    /// A second view for the workers of a run.
    ///
    /// # Errors
    /// The store cannot be opened again.
    fn lookup(&self) -> Result<Box<dyn Lookup>, StoreError>;
}

/// [`Store::rows`] for a visitor that can fail.
pub(crate) fn try_rows(
    store: &dyn Store,
    view: &View,
    mut each: impl FnMut(Row) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut failure = None;
    store.rows(view, &mut |row| {
        failure = each(row).err();
        failure.is_none()
    })?;
    failure.map_or(Ok(()), Err)
}

/// Questions that the workers of a run ask, about what is committed. They may take as long as a
/// round trip to a database.
pub trait Lookup: Send {
    /// Whether these bytes have a vector under the run's provenance.
    ///
    /// # Errors
    /// The store cannot be read.
    fn has_vector(&mut self, hash: &ImageHash) -> Result<bool, StoreError>;

    /// What the server said about the image when it was last fetched, if its vector is there
    /// (else it must be fetched anyway).
    ///
    /// # Errors
    /// The store cannot be read.
    fn validators(&mut self, key: &ImageKey) -> Result<Option<Validators>, StoreError>;
}
