//! Threads: the host starts workers on the same memory, each of which runs [`run_thread`].

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

use rayon::{ThreadBuilder, ThreadPoolBuilder};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::Failure;

static WAITING: Mutex<VecDeque<ThreadBuilder>> = Mutex::new(VecDeque::new());
static ADDED: Condvar = Condvar::new();

fn waiting() -> MutexGuard<'static, VecDeque<ThreadBuilder>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A worker's life: waits for its place in the pool and fills it.
#[wasm_bindgen(js_name = runThread)]
pub fn run_thread() {
    let mut queue = waiting();
    let thread = loop {
        match queue.pop_front() {
            Some(thread) => break thread,
            None => queue = ADDED.wait(queue).unwrap_or_else(PoisonError::into_inner),
        }
    };
    drop(queue);
    thread.run();
}

/// Makes a pool of this thread and `count - 1` workers, which must be running [`run_thread`].
///
/// # Errors
/// There is a pool already.
#[wasm_bindgen(js_name = startThreads)]
pub fn start_threads(count: usize) -> Result<(), Failure> {
    let pool = ThreadPoolBuilder::new().num_threads(count).use_current_thread();
    let pool = pool.spawn_handler(|thread| {
        waiting().push_back(thread);
        ADDED.notify_one();
        Ok(())
    });
    pool.build_global().map_err(|e| Failure::new("threads", e))
}
