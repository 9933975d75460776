//! A run that several processes share through a [`WorkQueue`].

use std::{
    collections::VecDeque,
    sync::Arc,
    thread::sleep,
    time::{Duration, Instant},
};

use tokio::{
    runtime::Handle,
    sync::mpsc::{self, error::SendTimeoutError},
    task::JoinHandle,
};

use super::{
    Cancel, Input, RunOptions, Setup, join, notes, process,
    sources::{self, Read},
};
use crate::{
    Error,
    embed::blocking,
    model::LoadedModel,
    report::{FailureNote, Progress, Summary},
    scan,
    source::Source,
    store::{Filler, StoreError, Swept, Vanishing, WorkQueue},
};

/// How often an idle process looks whether there is something to do.
const POLL: Duration = Duration::from_millis(100);
/// Changes per transaction while the queue is filled.
const GROUP: usize = 256;

/// How processes share a run.
#[derive(Debug, Clone, Copy)]
pub struct Sharing {
    /// How long a process without sources waits for a run to begin.
    pub wait: Duration,
    /// Changes the store over to this run's model.
    pub reembed: bool,
}

/// Takes part in a run. The first process with `sources` reads them; all embed. When the one that
/// reads dies, another with sources reads them anew.
///
/// The summary counts what this process did.
///
/// # Errors
/// What stops a run: the database cannot be reached, no source can be read, the store holds
/// vectors of another provenance, no run begins in time.
pub async fn share(
    sources: Option<Vec<Box<dyn Source>>>,
    mut queue: Box<dyn WorkQueue>,
    setup: &Setup,
    sharing: Sharing,
) -> Result<Summary, Error> {
    let worker = Worker {
        sources,
        begun: false,
        model: setup.model.clone(),
        vanishing: setup.options.vanishing(),
        batch: setup.options.batch.max(1),
        sharing,
        cancel: setup.cancel.clone(),
        progress: setup.progress.clone(),
        runtime: Handle::current(),
    };
    let provenance = setup.model.provenance.clone();
    let joined = blocking(move || {
        let mut worker = worker;
        worker.join(&mut *queue)?;
        let mut store = queue.store()?;
        let dim = worker.model.clip.config().projection_dim;
        store.begin(&provenance, dim, false)?;
        Ok::<_, Error>((queue, worker, store))
    });
    let (queue, worker, store) = joined.await??;

    // A process takes little more than it has at hand; the rest is for the others.
    let (out, inputs) = mpsc::channel(1);
    let claiming = tokio::task::spawn_blocking(move || worker.run(queue, out));
    let pending = setup.options.pending.min(8 * setup.options.batch.max(1));
    let options = RunOptions { pending, ..setup.options };
    let own = Setup { options, ..setup.clone() };
    let (mut summary, store) = process(inputs, store, &own).await?;
    let Done { mut queue, ended, swept, unsettled, given_up, filled } = join(claiming).await??;
    let progress = setup.progress.clone();
    let release = move || {
        queue.release()?;
        if ended {
            scan::refresh(&*store, &progress);
        }
        Ok::<_, Error>(())
    };
    blocking(release).await??;
    swept.tell(&mut summary);
    sources::settled(unsettled, &summary)?;
    for note in given_up {
        summary.images += 1;
        summary.failed += 1;
        summary.note(note);
    }
    if let Some(filled) = filled {
        summary.absorb(filled.summary);
        sources::conclude(filled.reads, &mut summary, &setup.progress)?;
    }
    Ok(summary)
}

/// How many images are asked for at once: few enough that the others do not wait for what this process
/// has, and as many as last so long that asking takes little of its time.
struct ClaimSize {
    images: usize,
    least: usize,
}

impl ClaimSize {
    /// Claims last between half of it and all of it.
    const LASTS: Duration = Duration::from_secs(8);
    /// A claim is at most so many times the first one.
    const MOST: usize = 32;

    fn of_batch(batch: usize) -> Self {
        ClaimSize { images: 2 * batch, least: 2 * batch }
    }

    /// The last claim, of `taken` images, has lasted `time`. One that took all that there was says nothing.
    fn adapt(&mut self, taken: usize, time: Duration) {
        if taken < self.images {
            return;
        }
        if time < Self::LASTS / 2 {
            self.images = (2 * self.images).min(Self::MOST * self.least);
        } else if time > Self::LASTS {
            self.images = (self.images / 2).max(self.least);
        }
    }
}

/// The part of a process that talks with the queue.
struct Worker {
    /// Until they are read.
    sources: Option<Vec<Box<dyn Source>>>,
    /// This process began the run.
    begun: bool,
    model: Arc<LoadedModel>,
    vanishing: Vanishing,
    batch: usize,
    sharing: Sharing,
    cancel: Cancel,
    progress: Progress,
    runtime: Handle,
}

struct Done {
    queue: Box<dyn WorkQueue>,
    /// This process ended the run.
    ended: bool,
    swept: Swept,
    unsettled: u64,
    given_up: Vec<FailureNote>,
    filled: Option<Filled>,
}

/// What reading the sources came to.
#[derive(Default)]
struct Filled {
    /// Products, records and pages; images are counted by whoever embeds them.
    summary: Summary,
    reads: Vec<Read>,
}

impl Worker {
    /// Begins a run, or waits for one.
    fn join(&mut self, queue: &mut dyn WorkQueue) -> Result<(), Error> {
        let started = Instant::now();
        let provenance = &self.model.provenance;
        while !*self.cancel.borrow() {
            if self.sources.is_some() && queue.try_read()? {
                self.begin(queue)?;
                break;
            }
            if let Some(state) = queue.state()?
                && !state.finished
            {
                if state.provenance.agrees(provenance) {
                    self.progress.note("Another process reads the sources; joining its run.");
                    break;
                }
                if !self.sharing.reembed {
                    let (stored, run) = (Box::new(state.provenance), Box::new(provenance.clone()));
                    return Err(StoreError::Provenance { stored, run }.into());
                }
            }
            if self.sources.is_none() && started.elapsed() > self.sharing.wait {
                return Err(Error::NoRun { waited: self.sharing.wait });
            }
            sleep(POLL);
        }
        Ok(())
    }

    fn begin(&mut self, queue: &mut dyn WorkQueue) -> Result<(), Error> {
        let dim = self.model.clip.config().projection_dim;
        queue.begin(&self.model.provenance, dim, self.sharing.reembed)?;
        self.begun = true;
        Ok(())
    }

    /// Leases images and sends them into the pipeline until the run is over.
    fn run(
        mut self,
        mut queue: Box<dyn WorkQueue>,
        out: mpsc::Sender<Input>,
    ) -> Result<Done, Error> {
        let beat = queue.lease() / 3;
        let mut beaten = Instant::now();
        let mut claimed = VecDeque::new();
        let mut size = ClaimSize::of_batch(self.batch);
        // Images of the last claim, and when it came.
        let (mut taken, mut began) = (0, Instant::now());
        let mut reading: Option<JoinHandle<Result<Filled, Error>>> = None;
        let (mut swept, mut unsettled, mut filled) = (Swept::default(), 0, None);
        let (mut given_up, mut ended) = (Vec::new(), false);
        while !*self.cancel.borrow() && !out.is_closed() {
            if beaten.elapsed() >= beat {
                queue.heartbeat()?;
                beaten = Instant::now();
            }
            if let Some(input) = claimed.pop_front() {
                match self.runtime.block_on(out.send_timeout(input, POLL)) {
                    Ok(()) => {}
                    Err(SendTimeoutError::Timeout(input)) => claimed.push_front(input),
                    Err(SendTimeoutError::Closed(_)) => break,
                }
                continue;
            }
            // First, so that a process that reads leaves nothing in the queue meanwhile.
            if filled.is_none() && self.sources.is_some() && reading.is_none() && self.begun {
                reading = self.read(&*queue)?;
            }
            size.adapt(taken, began.elapsed());
            let claims = queue.claim(size.images)?;
            (taken, began) = (claims.len(), Instant::now());
            if !claims.is_empty() {
                claimed.extend(
                    claims.into_iter().map(|claim| Input::Image(claim.key, Arc::new(claim.base))),
                );
                continue;
            }
            if let Some(task) = reading.take() {
                if task.is_finished() {
                    filled = Some(self.runtime.block_on(join(task))??);
                } else {
                    reading = Some(task);
                    sleep(POLL / 5);
                }
                continue;
            }
            match queue.state()? {
                Some(state) if !state.finished => {
                    if queue.try_read()? {
                        if !state.read {
                            self.take_over(&mut *queue)?;
                        } else if !queue.is_open()? {
                            swept = queue.finish(&self.vanishing)?;
                            unsettled = queue.unsettled()?;
                            given_up = queue.given_up()?;
                            ended = true;
                            break;
                        }
                    }
                }
                _ => break,
            }
            sleep(POLL);
        }
        Ok(Done { queue, ended, swept, unsettled, given_up, filled })
    }

    /// The process that read the sources ended before it was through.
    fn take_over(&mut self, queue: &mut dyn WorkQueue) -> Result<(), Error> {
        if self.sources.is_none() {
            return Err(Error::Usage(
                "the process that read the sources ended before it was through. What it had \
                 found is done; start the run again for the rest"
                    .into(),
            ));
        }
        self.progress.note("The process that read the sources has ended; reading them here.");
        self.begin(queue)
    }

    /// Starts to fill the queue.
    fn read(
        &mut self,
        queue: &dyn WorkQueue,
    ) -> Result<Option<JoinHandle<Result<Filled, Error>>>, Error> {
        let Some(sources) = self.sources.take() else { return Ok(None) };
        let filler = queue.filler()?;
        let (out, inputs) = mpsc::channel(GROUP);
        let cancel = self.cancel.clone();
        Ok(Some(self.runtime.spawn(async move {
            let reading: Vec<_> = sources
                .into_iter()
                .map(|source| tokio::spawn(sources::read(source, None, out.clone())))
                .collect();
            drop(out);
            let cancelled = cancel.clone();
            let filling = blocking(move || fill(filler, inputs, &cancel));
            let (mut filler, mut filled) = filling.await??;
            if *cancelled.borrow() {
                return Ok(filled);
            }
            for source in reading {
                filled.reads.push(join(source).await?);
            }
            let complete = sources::complete(&filled.reads);
            blocking(move || filler.read(&complete)).await??;
            Ok(filled)
        })))
    }
}

/// Writes what the sources tell into the store and the queue.
fn fill(
    mut filler: Box<dyn Filler>,
    mut inputs: mpsc::Receiver<Input>,
    cancel: &Cancel,
) -> Result<(Box<dyn Filler>, Filled), Error> {
    let mut filled = Filled::default();
    let mut group = Vec::with_capacity(GROUP);
    while !*cancel.borrow() && inputs.blocking_recv_many(&mut group, GROUP) > 0 {
        let mut writes = Vec::with_capacity(group.len());
        for input in group.drain(..) {
            match input {
                Input::Note(write) => writes.push(write),
                Input::Product(product, _) => {
                    writes.extend(notes::product(product, &mut filled.summary));
                }
                Input::BadRecord(source, e) => {
                    writes.extend(notes::record(source, &e, &mut filled.summary));
                }
                Input::Image(..) => {}
            }
        }
        filler.add(&writes)?;
        filled.summary.refuse(filler.refused());
    }
    Ok((filler, filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_grow_while_they_are_short_and_shrink_again() {
        let mut size = ClaimSize::of_batch(8);
        let mut after = |taken, seconds| {
            size.adapt(taken, Duration::from_secs_f64(seconds));
            size.images
        };
        assert_eq!(after(0, 0.0), 16, "the queue is empty");
        assert_eq!(after(16, 6.0), 16);
        assert_eq!([after(16, 0.1), after(32, 0.2), after(64, 0.4)], [32, 64, 128]);
        assert_eq!([after(128, 0.8), after(256, 1.6), after(512, 3.2)], [256, 512, 512]);
        assert_eq!(after(90, 0.1), 512, "there were no more");
        assert_eq!([after(512, 16.0), after(256, 9.0), after(128, 8.5)], [256, 128, 64]);
        assert_eq!([after(64, 9.0), after(32, 9.0), after(16, 9.0)], [32, 16, 16]);
    }
}
