//! Threads that belong to one process.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use rayon::{ThreadPool, ThreadPoolBuilder};
use scraper_lib::Error;
use tokio::runtime::Runtime;

/// What computes and what reads files.
#[derive(Debug)]
pub(crate) struct Threads {
    /// Computes.
    pub(crate) pool: ThreadPool,
    /// Reads files and addresses.
    pub(crate) runtime: Runtime,
}

/// [`Threads`] made when they are first needed, and again in a process that was forked: there the
/// parent's do not exist.
#[derive(Debug)]
pub(crate) struct Workers {
    count: usize,
    made: Mutex<Option<(u32, Arc<Threads>)>>,
}

impl Workers {
    /// `count` threads compute; 0: as many as there are cores.
    pub(crate) fn new(count: usize) -> Self {
        Workers { count, made: Mutex::default() }
    }

    /// This process's.
    pub(crate) fn threads(&self) -> Result<Arc<Threads>, Error> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        if let Some((owner, threads)) = made.as_ref()
            && *owner == process
        {
            return Ok(threads.clone());
        }
        // Ending threads that are not here would wait for them.
        mem::forget(made.take());
        let threads = Arc::new(Threads { pool: pool(self.count)?, runtime: runtime()? });
        *made = Some((process, threads.clone()));
        Ok(threads)
    }
}

fn pool(count: usize) -> Result<ThreadPool, Error> {
    let named = |index| format!("clip-{index}");
    let pool = ThreadPoolBuilder::new().num_threads(count).thread_name(named).build();
    pool.map_err(|e| Error::Usage(format!("cannot start {count} threads: {e}")))
}

/// A runtime with one thread for the network.
fn runtime() -> Result<Runtime, Error> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.map_err(|e| Error::Usage(format!("cannot start a thread: {e}")))
}
