//! Tasks over threads where the `rayon` feature has them, one after the other where not.

/// Less work than this (in operations) is done before another thread has woken up.
#[cfg(feature = "rayon")]
const WORTH_SHARING: usize = 1 << 18;

/// Runs `task(0..count)`, in any order, on the current rayon pool. `cost` is roughly the number
/// of operations of one task.
#[cfg(feature = "rayon")]
pub(crate) fn for_each(count: usize, cost: usize, task: impl Fn(usize) + Sync + Send) {
    use rayon::prelude::*;
    let small = count.saturating_mul(cost) < WORTH_SHARING;
    if count <= 1 || small || rayon::current_num_threads() == 1 {
        (0..count).for_each(task);
    } else {
        (0..count).into_par_iter().for_each(task);
    }
}

/// Runs `work` on a thread of the current pool. A tower hands out hundreds of small tasks; from
/// outside the pool each of them would wake a sleeping thread.
#[cfg(feature = "rayon")]
pub(crate) fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    if rayon::current_thread_index().is_some() || rayon::current_num_threads() == 1 {
        work()
    } else {
        rayon::scope(|_| work())
    }
}

/// Runs `work`.
#[cfg(not(feature = "rayon"))]
pub(crate) fn in_pool<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Runs `task(0..count)`.
#[cfg(not(feature = "rayon"))]
pub(crate) fn for_each(count: usize, _cost: usize, task: impl Fn(usize)) {
    (0..count).for_each(task);
}
