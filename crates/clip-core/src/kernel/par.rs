//! Tasks over threads where the `rayon` feature has them, one after the other where not.

/// Runs `task(0..count)`, in any order, on the current rayon pool.
#[cfg(feature = "rayon")]
pub(crate) fn for_each(count: usize, task: impl Fn(usize) + Sync + Send) {
    use rayon::prelude::*;
    if count <= 1 || rayon::current_num_threads() == 1 {
        (0..count).for_each(task);
    } else {
        (0..count).into_par_iter().for_each(task);
    }
}

/// Runs `task(0..count)`.
#[cfg(not(feature = "rayon"))]
pub(crate) fn for_each(count: usize, task: impl Fn(usize)) {
    (0..count).for_each(task);
}
