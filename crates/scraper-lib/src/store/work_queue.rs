//! The work of a run, shared by several processes: what a store that can do that gives.

use std::{fmt::Debug, time::Duration};

use clip_core::Provenance;

use super::{ImageKey, Store, StoreError, Swept, Vanishing, Write};
use crate::{report::FailureNote, source::Base};

/// An image to embed.
#[derive(Debug)]
pub struct Claim {
    /// The image.
    pub key: ImageKey,
    /// Who wrote the address.
    pub base: Base,
}

/// Where the current run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunState {
    /// What makes its vectors.
    pub provenance: Provenance,
    /// The sources are read.
    pub read: bool,
    /// Nothing is left to do.
    pub finished: bool,
}

/// One process's end of the queue. One process reads the sources; all lease images, a few at a time,
/// and renew their leases while they work. What a process leaves behind when it dies is leased again
/// by the others.
///
/// Every method fails where the store cannot be reached.
pub trait WorkQueue: Debug + Send {
    /// How long an image is leased for.
    fn lease(&self) -> Duration;

    /// Becomes the one process that reads the sources, if there is none.
    ///
    /// # Errors
    /// The store cannot be reached.
    fn try_read(&mut self) -> Result<bool, StoreError>;

    /// Begins a run of vectors of `dim` values. Where others still work for a reader that died, theirs
    /// goes on.
    ///
    /// # Errors
    /// [`StoreError::Provenance`] if the store holds vectors of another provenance.
    fn begin(
        &mut self,
        provenance: &Provenance,
        dim: usize,
        reembed: bool,
    ) -> Result<(), StoreError>;

    /// `None` before the first run.
    ///
    /// # Errors
    /// The store cannot be reached.
    fn state(&mut self) -> Result<Option<RunState>, StoreError>;

    /// Leases up to `count` images.
    ///
    /// # Errors
    /// The store cannot be reached.
    fn claim(&mut self, count: usize) -> Result<Vec<Claim>, StoreError>;

    /// Renews this process's leases.
    ///
    /// # Errors
    /// The store cannot be reached.
    fn heartbeat(&mut self) -> Result<(), StoreError>;

    /// Gives back what this process leased and did not do.
    ///
    /// # Errors
    /// The store cannot be reached.
    fn release(&mut self) -> Result<(), StoreError>;

    /// Whether images are left, leased or not.
    ///
    /// # Errors
    /// The store cannot be reached.
    fn is_open(&mut self) -> Result<bool, StoreError>;

    /// Ends the run: marks and removes what vanished from the sources that were read to their end.
    ///
    /// # Errors
    /// The store cannot be reached.
    fn finish(&mut self, vanishing: &Vanishing) -> Result<Swept, StoreError>;

    /// Images of the run that were given up because worker after worker came to its end over them:
    /// nobody else counts them.
    ///
    /// # Errors
    /// The store cannot be reached.
    fn given_up(&mut self) -> Result<Vec<FailureNote>, StoreError>;

    /// See [`Store::unsettled`].
    ///
    /// # Errors
    /// The store cannot be reached.
    fn unsettled(&mut self) -> Result<u64, StoreError>;

    /// A connection of its own, which fills the queue.
    ///
    /// # Errors
    /// The store cannot be reached.
    fn filler(&self) -> Result<Box<dyn Filler>, StoreError>;

    /// The store that the queue is of.
    ///
    /// # Errors
    /// The store cannot be reached.
    fn store(&self) -> Result<Box<dyn Store>, StoreError>;
}

/// Fills the queue of the current run.
pub trait Filler: Debug + Send {
    /// Stores the products among `writes` and puts their images into the queue.
    ///
    /// # Errors
    /// The store cannot be reached.
    fn add(&mut self, writes: &[Write]) -> Result<(), StoreError>;

    /// See [`Store::refused`].
    fn refused(&mut self) -> Vec<FailureNote>;

    /// All sources are read; those in `complete` to their end.
    ///
    /// # Errors
    /// The store cannot be reached.
    fn read(&mut self, complete: &[String]) -> Result<(), StoreError>;
}
