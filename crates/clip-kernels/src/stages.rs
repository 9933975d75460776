//! Where the time of a forward pass goes: clocks inside the real operations, for `bench core`. Without
//! the feature `stages` they are nothing.

/// A part of the forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The linear layers: chains, and what follows them (activation, residual, the way out), which goes
    /// on while the next tile computes.
    Products,
    /// Attention without its softmax: both products, and their operands' layouts.
    Attention,
    /// Softmax.
    Softmax,
    /// LayerNorm, with the interleaving of the rows it normalises.
    Norm,
    /// Interleaving of rows that are not normalised.
    Rows,
}

impl Stage {
    /// All, in the order of `take`.
    pub const ALL: [Stage; 5] =
        [Stage::Products, Stage::Attention, Stage::Softmax, Stage::Norm, Stage::Rows];
}

/// Ends with the part of the work it stands for.
#[must_use]
pub(crate) struct Clock {
    #[cfg(feature = "stages")]
    running: (Stage, std::time::Instant),
}

/// Starts the clock of `stage` on this thread.
#[inline(always)]
pub(crate) fn clock(stage: Stage) -> Clock {
    #[cfg(not(feature = "stages"))]
    let _ = stage;
    Clock {
        #[cfg(feature = "stages")]
        running: (stage, std::time::Instant::now()),
    }
}

impl Clock {
    /// Ends the part, and starts the next.
    #[inline(always)]
    pub(crate) fn switch(&mut self, stage: Stage) {
        *self = clock(stage);
    }
}

#[cfg(feature = "stages")]
mod spent {
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        time::Duration,
    };

    use super::{Clock, Stage};

    /// Nanoseconds, of all threads together.
    static SPENT: [AtomicU64; Stage::ALL.len()] = [const { AtomicU64::new(0) }; Stage::ALL.len()];

    impl Drop for Clock {
        #[inline(always)]
        fn drop(&mut self) {
            let (stage, since) = self.running;
            SPENT[stage as usize].fetch_add(since.elapsed().as_nanos() as u64, Ordering::Relaxed);
        }
    }

    /// What each of [`Stage::ALL`] took since the last call, on all threads together.
    pub fn take() -> [Duration; Stage::ALL.len()] {
        SPENT.each_ref().map(|spent| Duration::from_nanos(spent.swap(0, Ordering::Relaxed)))
    }
}
#[cfg(feature = "stages")]
pub use spent::take;
