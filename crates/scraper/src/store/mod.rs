//! Where products, vectors and failures are kept between runs.

mod error;
mod lock;
mod schema;
mod sqlite;

use clip_core::Provenance;

pub use error::StoreError;
pub use lock::RunLock;
pub use sqlite::{SqliteLookup, SqliteStore};

use crate::{fetch::Validators, source::Product};

/// SHA-256 of an image file: the same bytes are embedded once, under however many addresses.
pub type ImageHash = [u8; 32];

/// One image of one product.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageKey {
    pub product: String,
    /// Place among the product's images, from 0.
    pub position: u32,
    /// As written in the source. A result for an address that the product no longer has there is
    /// dropped.
    pub address: String,
}

/// A change to be stored. A slice of them is one transaction.
#[derive(Debug)]
pub enum Write {
    /// The product and the addresses of its images, as the source now tells them. What was known
    /// of an image is kept where its address did not change.
    Product(Product),
    /// The address now holds these bytes. Clears the image from the quarantine.
    Image { key: ImageKey, hash: ImageHash, bytes: u64, validators: Validators },
    /// The image is still what was stored. Clears it from the quarantine.
    Unchanged { key: ImageKey },
    /// The vector of these bytes, as projected (not normalised), under the run's provenance.
    Vector { hash: ImageHash, values: Vec<f32> },
    /// The image could not be had or read.
    Failure { key: ImageKey, kind: String, message: String },
}

/// One stored vector with the product it belongs to.
#[derive(Debug)]
pub struct Row {
    pub product: String,
    pub title: Option<String>,
    pub url: Option<String>,
    /// Address of the image.
    pub image: String,
    pub position: u32,
    pub hash: ImageHash,
    /// As projected by the model, not normalised.
    pub values: Vec<f32>,
}

/// An image that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub key: ImageKey,
    pub kind: String,
    pub message: String,
}

/// A store of vectors of *one* provenance at a time.
pub trait Store: Send {
    /// Declares what this run computes. With `reembed` the store changes over to it.
    ///
    /// # Errors
    /// [`StoreError::Provenance`] if the store holds vectors of another provenance.
    fn begin(&mut self, provenance: &Provenance, reembed: bool) -> Result<(), StoreError>;

    /// Stores all of `writes` or nothing. When it returns, a kill loses nothing of them.
    ///
    /// # Errors
    /// Full disk, locked file, damaged file …
    fn apply(&mut self, writes: &[Write]) -> Result<(), StoreError>;

    /// The provenance of the vectors that [`Store::rows`] yields; `None` in an empty store.
    ///
    /// # Errors
    /// The store cannot be read.
    fn provenance(&self) -> Result<Option<Provenance>, StoreError>;

    /// Calls `visit` with every vector, ordered by product and position, until it returns false.
    ///
    /// # Errors
    /// The store cannot be read.
    fn rows(&self, visit: &mut dyn FnMut(Row) -> bool) -> Result<(), StoreError>;

    /// The quarantine, ordered by product and position.
    ///
    /// # Errors
    /// The store cannot be read.
    fn failures(&self) -> Result<Vec<Failure>, StoreError>;

    /// A second view for the workers of a run.
    ///
    /// # Errors
    /// The store cannot be opened again.
    fn lookup(&self) -> Result<Box<dyn Lookup>, StoreError>;
}

/// Questions that the workers of a run ask, about what is committed.
pub trait Lookup: Send {
    /// Whether these bytes have a vector under the run's provenance.
    ///
    /// # Errors
    /// The store cannot be read.
    fn has_vector(&self, hash: &ImageHash) -> Result<bool, StoreError>;

    /// What the server said about the image when it was last fetched, if its vector is there
    /// (else it must be fetched anyway).
    ///
    /// # Errors
    /// The store cannot be read.
    fn validators(&self, key: &ImageKey) -> Result<Option<Validators>, StoreError>;
}
