//! Working memory of the threads.

use crate::buffer::Aligned;

/// Per-thread working memory.
#[derive(Debug)]
pub(crate) struct Scratch {
    /// Accumulators between k blocks.
    pub(crate) acc: Aligned<f32>,
    /// A panel block widened from f16.
    pub(crate) wide: Aligned<f32>,
    pub(crate) more: [Aligned<f32>; 3],
}

/// Runs `f` with this thread's scratch.
pub(crate) fn scratch<R>(f: impl FnOnce(&mut Scratch) -> R) -> R {
    thread_local! {
        static SCRATCH: std::cell::RefCell<Scratch> = std::cell::RefCell::new(Scratch {
            acc: Aligned::zeroed(0),
            wide: Aligned::zeroed(0),
            more: std::array::from_fn(|_| Aligned::zeroed(0)),
        });
    }
    SCRATCH.with_borrow_mut(f)
}
