//! Tasks over threads where the `rayon` feature has them, one after the other where not.

#[cfg(feature = "rayon")]
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

#[cfg(feature = "rayon")]
use crate::team::Team;

/// Less work than this (in operations) is done before another thread has woken up.
#[cfg(feature = "rayon")]
const WORTH_SHARING: usize = 1 << 18;

/// Runs `task(0..count)`, in any order, on the current rayon pool. `cost` is roughly the number
/// of operations of one task.
#[cfg(feature = "rayon")]
pub fn for_each(count: usize, cost: usize, task: impl Fn(usize) + Sync + Send) {
    use rayon::prelude::*;
    if shared(count, cost) {
        (0..count).into_par_iter().with_max_len(piece(cost)).for_each(task);
    } else {
        (0..count).for_each(task);
    }
}

/// Runs `task(index, chunk)` for each `size` elements of `values` (the last chunk may be shorter), in
/// any order, on the current rayon pool. `cost` as for [`for_each`].
#[cfg(feature = "rayon")]
pub fn for_each_chunk<T: Send>(
    values: &mut [T],
    size: usize,
    cost: usize,
    task: impl Fn(usize, &mut [T]) + Sync + Send,
) {
    use rayon::prelude::*;
    let count = values.len().div_ceil(size);
    if shared(count, cost) {
        let chunks = values.par_chunks_mut(size).enumerate().with_max_len(piece(cost));
        chunks.for_each(|(i, chunk)| task(i, chunk));
    } else {
        values.chunks_mut(size).enumerate().for_each(|(i, chunk)| task(i, chunk));
    }
}

/// Threads of the current rayon pool; 1 without the `rayon` feature.
#[cfg(feature = "rayon")]
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// Whether it is worth waking other threads.
#[cfg(feature = "rayon")]
fn shared(count: usize, cost: usize) -> bool {
    let small = count.saturating_mul(cost) < WORTH_SHARING;
    count > 1 && !small && rayon::current_num_threads() > 1
}

/// How many tasks a thread takes on without a chance for others to take some of them: so much work as
/// takes some 10 microseconds. Left to itself, rayon makes pieces of a quarter of all for two threads,
/// and one of them waits for the other's last piece.
#[cfg(feature = "rayon")]
fn piece(cost: usize) -> usize {
    (4 * WORTH_SHARING / cost.max(1)).max(1)
}

/// Runs `work` on a thread of the current pool, whose others stay awake until it ends: a tower hands
/// out hundreds of small tasks, and a thread that went to sleep between two of them would often come
/// too late for the next.
#[cfg(feature = "rayon")]
pub fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let threads = rayon::current_num_threads();
    if threads == 1 {
        return work();
    }
    let done = &AtomicBool::new(false);
    rayon::scope(|scope| {
        let this = rayon::current_thread_index();
        let team = Arc::new(Team::new(threads));
        let helpers = team.clone();
        team.wake(|| {
            scope.spawn_broadcast(move |scope, context| {
                if Some(context.index()) != this {
                    helpers.join(context.index());
                    stay_awake(scope, done);
                }
            });
        });
        let _pass = Pass(done);
        let result = work();
        team.part();
        result
    })
}

/// Looks for work until `done`: as a task that follows itself, since one that waits would hold up
/// whatever lies below it on its thread's stack, perhaps a part of this very pass.
#[cfg(feature = "rayon")]
fn stay_awake<'scope>(scope: &rayon::Scope<'scope>, done: &'scope AtomicBool) {
    if done.load(Ordering::Acquire) {
        return;
    }
    if rayon::yield_now() != Some(rayon::Yield::Executed) {
        // Other programs may need the core more.
        std::thread::yield_now();
    }
    scope.spawn(|scope| stay_awake(scope, done));
}

/// Says when a pass has ended, also by a panic.
#[cfg(feature = "rayon")]
struct Pass<'a>(&'a AtomicBool);

#[cfg(feature = "rayon")]
impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Runs `work`.
#[cfg(not(feature = "rayon"))]
pub fn in_pool<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// 1.
#[cfg(not(feature = "rayon"))]
pub fn threads() -> usize {
    1
}

/// Runs `task(0..count)`.
#[cfg(not(feature = "rayon"))]
pub fn for_each(count: usize, _cost: usize, task: impl Fn(usize)) {
    (0..count).for_each(task);
}

/// Runs `task(index, chunk)` for each `size` elements of `values`.
#[cfg(not(feature = "rayon"))]
pub fn for_each_chunk<T>(
    values: &mut [T],
    size: usize,
    _cost: usize,
    task: impl Fn(usize, &mut [T]),
) {
    values.chunks_mut(size).enumerate().for_each(|(i, chunk)| task(i, chunk));
}

#[cfg(all(test, feature = "rayon"))]
mod tests {
    use std::{panic, sync::atomic::AtomicUsize};

    use super::*;

    const TASKS: usize = 64;
    const REGIONS: usize = 20;

    fn pass(count: &AtomicUsize) {
        in_pool(|| {
            for _ in 0..REGIONS {
                for_each(TASKS, WORTH_SHARING, |_| {
                    count.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
    }

    /// Passes wait for parts of each other's work on the same threads; none may wait for ever.
    #[test]
    fn passes_from_many_threads_end() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let count = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (pool, count) = (&pool, &count);
                scope.spawn(move || {
                    for _ in 0..50 {
                        match thread % 2 {
                            // From outside, into the global pool.
                            0 => pass(count),
                            _ => pool.install(|| rayon::join(|| pass(count), || pass(count))).0,
                        }
                    }
                });
            }
        });
        assert_eq!(count.into_inner(), (4 + 4 * 2) * 50 * REGIONS * TASKS);
    }

    #[test]
    fn a_pass_that_panics_ends() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let count = AtomicUsize::new(0);
        pool.install(|| {
            let panicked = panic::catch_unwind(|| in_pool(|| panic!("on purpose")));
            assert!(panicked.is_err());
            pass(&count);
        });
        assert_eq!(count.into_inner(), REGIONS * TASKS);
    }
}
