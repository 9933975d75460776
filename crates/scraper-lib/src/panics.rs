//! Keeps a panic in its place.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `work` returns; `None` if it panicked. One bad input must not end the night, whatever a
/// decoder or a reader thinks of it; what `work` had in its hands is not used again.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(work)).ok()
}
