//! How many threads this process may have: `ulimit -u`, a cgroup's `pids.max` or a container may allow
//! a handful, where the libraries below expect as many as they like, and panic or wait for ever.

use std::{
    io,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
    time::Duration,
};

use crate::Error;

/// Threads besides the main one, where fewer can be had than are wanted; `None`: enough.
static SPARE: OnceLock<Option<usize>> = OnceLock::new();
/// Idle threads must not be given back: others of this user might take their places.
const KEPT: Duration = Duration::from_secs(365 * 24 * 3600);

/// Threads that this process may have besides the main one, where [`runtime`] found them to be few.
pub fn spare() -> Option<usize> {
    SPARE.get().copied().flatten()
}

/// The runtime of the program. Where threads are few, the main thread does what it can alone, the
/// engine computes on the thread that calls it, and what blocks shares the threads there are.
///
/// # Errors
/// There is no thread to be had at all.
pub fn runtime() -> io::Result<tokio::runtime::Runtime> {
    let cores = thread::available_parallelism().map_or(2, |n| n.get());
    // The runtime's, the engine's, the decoders', and some for files and databases.
    let found = probe(3 * cores + 16);
    let _ = SPARE.set(found.as_ref().err().map(|(spare, _)| *spare));
    let (spare, why) = match found {
        Ok(()) => return tokio::runtime::Runtime::new(),
        Err(few) => few,
    };
    if spare == 0 {
        return Err(io::Error::new(why.kind(), format!("no thread can be started: {why}{HINT}")));
    }
    tracing::warn!("only {spare} threads can be started ({why}{HINT}): this will be slower");
    // One thread, this one: the kernels then compute where they are called.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(spare)
        .thread_keep_alive(KEPT)
        .build()
}

/// Where to look.
pub const HINT: &str = "; `ulimit -u` or the container's limit of processes is too low";

/// How many decoders a run can have, of those it wants, with `readers` threads for its sources.
///
/// # Errors
/// There are not even threads for one of each.
pub fn decoders(wanted: usize, readers: usize) -> Result<usize, Error> {
    let Some(spare) = spare() else { return Ok(wanted) };
    share(spare, wanted, readers).ok_or_else(|| {
        let needed = OTHERS + readers + 1;
        Error::Usage(format!("a run needs {needed} threads, and only {spare} can be started{HINT}"))
    })
}

/// The writer, the engine, and one for questions to the store and to resolvers.
const OTHERS: usize = 3;

fn share(spare: usize, wanted: usize, readers: usize) -> Option<usize> {
    let left = spare.checked_sub(OTHERS + readers)?;
    (left > 0).then(|| wanted.min(left).max(1))
}

/// Whether `wanted` threads can be had at once; else how many, and why not more.
fn probe(wanted: usize) -> Result<(), (usize, io::Error)> {
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().unwrap_or_else(PoisonError::into_inner);
    let mut threads = Vec::new();
    let mut why = None;
    while threads.len() < wanted && why.is_none() {
        let gate = gate.clone();
        let wait = move || drop(gate.lock().unwrap_or_else(PoisonError::into_inner));
        match thread::Builder::new().stack_size(64 << 10).spawn(wait) {
            Ok(thread) => threads.push(thread),
            Err(e) => why = Some(e),
        }
    }
    drop(closed);
    let count = threads.len();
    threads.into_iter().for_each(|thread| drop(thread.join()));
    let Some(why) = why else { return Ok(()) };
    // A thread that was joined still counts for a moment.
    thread::sleep(Duration::from_millis(100));
    Err((count, why))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_shared_out_or_missed() {
        assert_eq!(share(100, 8, 1), Some(8));
        assert_eq!(share(7, 8, 1), Some(3));
        assert_eq!(share(5, 8, 1), Some(1));
        assert_eq!(share(4, 8, 1), None);
        assert_eq!(share(0, 8, 0), None);
        assert!(probe(3).is_ok());
    }
}
