//! Threads: the host starts workers on the same memory, each of which runs [`run_thread`].

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex},
};

use rayon::{ThreadBuilder, ThreadPoolBuilder};

use crate::{Failure, answer, lock};

static WAITING: Mutex<VecDeque<ThreadBuilder>> = Mutex::new(VecDeque::new());
static ADDED: Condvar = Condvar::new();

/// Room for a worker's stack and thread-local variables; 0 if there is no memory. It is never given
/// back: workers live as long as the memory.
#[unsafe(no_mangle)]
pub extern "C" fn thread_room(len: usize) -> *mut u8 {
    let mut room: Vec<u128> = Vec::new();
    match room.try_reserve_exact(len.div_ceil(16)) {
        Ok(()) => room.leak().as_mut_ptr().cast(),
        Err(_) => std::ptr::null_mut(),
    }
}

/// A worker's life: waits for its place in the pool and fills it.
#[unsafe(no_mangle)]
pub extern "C" fn run_thread() {
    let mut waiting = lock(&WAITING);
    let thread = loop {
        match waiting.pop_front() {
            Some(thread) => break thread,
            None => {
                waiting = ADDED.wait(waiting).unwrap_or_else(std::sync::PoisonError::into_inner);
            }
        }
    };
    drop(waiting);
    thread.run();
}

/// Makes a pool of this thread and `count - 1` workers, which must be running [`run_thread`].
#[unsafe(no_mangle)]
pub extern "C" fn start_threads(count: usize) -> i32 {
    answer(|_| {
        let pool = ThreadPoolBuilder::new().num_threads(count).use_current_thread();
        let pool = pool.spawn_handler(|thread| {
            lock(&WAITING).push_back(thread);
            ADDED.notify_one();
            Ok(())
        });
        pool.build_global().map_err(|e| Failure::new("threads", e))?;
        Ok(Vec::new())
    })
}
