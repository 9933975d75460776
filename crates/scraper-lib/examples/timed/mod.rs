//! A queue that notes how long it was asked.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use clip_core::Provenance;
use scraper_lib::{
    report::FailureNote,
    store::{Claim, Filler, RunState, Store, StoreError, Swept, Vanishing, WorkQueue},
};

/// What was asked.
#[derive(Debug, Default)]
pub(crate) struct Times {
    /// Claims that found something.
    pub(crate) claims: u64,
    /// Images of theirs.
    pub(crate) claimed: u64,
    /// In which the process waited for leases: all claims, empty ones too, and renewals.
    pub(crate) claiming: Duration,
}

#[derive(Debug)]
pub(crate) struct Timed {
    queue: Box<dyn WorkQueue>,
    times: Arc<Mutex<Times>>,
}

impl Timed {
    pub(crate) fn new(queue: Box<dyn WorkQueue>) -> (Self, Arc<Mutex<Times>>) {
        let times = Arc::new(Mutex::new(Times::default()));
        (Timed { queue, times: times.clone() }, times)
    }

    fn note(&self, started: Instant, claimed: usize) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.claiming += started.elapsed();
        times.claims += u64::from(claimed > 0);
        times.claimed += claimed as u64;
    }
}

impl WorkQueue for Timed {
    fn lease(&self) -> Duration {
        self.queue.lease()
    }

    fn try_read(&mut self) -> Result<bool, StoreError> {
        self.queue.try_read()
    }

    fn begin(
        &mut self,
        provenance: &Provenance,
        dim: usize,
        reembed: bool,
    ) -> Result<(), StoreError> {
        self.queue.begin(provenance, dim, reembed)
    }

    fn state(&mut self) -> Result<Option<RunState>, StoreError> {
        self.queue.state()
    }

    fn claim(&mut self, count: usize) -> Result<Vec<Claim>, StoreError> {
        let started = Instant::now();
        let claims = self.queue.claim(count)?;
        self.note(started, claims.len());
        Ok(claims)
    }

    fn heartbeat(&mut self) -> Result<(), StoreError> {
        let started = Instant::now();
        self.queue.heartbeat()?;
        self.note(started, 0);
        Ok(())
    }

    fn release(&mut self) -> Result<(), StoreError> {
        self.queue.release()
    }

    fn is_open(&mut self) -> Result<bool, StoreError> {
        self.queue.is_open()
    }

    fn finish(&mut self, vanishing: &Vanishing) -> Result<Swept, StoreError> {
        self.queue.finish(vanishing)
    }

    fn given_up(&mut self) -> Result<Vec<FailureNote>, StoreError> {
        self.queue.given_up()
    }

    fn unsettled(&mut self) -> Result<u64, StoreError> {
        self.queue.unsettled()
    }

    fn filler(&self) -> Result<Box<dyn Filler>, StoreError> {
        self.queue.filler()
    }

    fn store(&self) -> Result<Box<dyn Store>, StoreError> {
        self.queue.store()
    }
}
