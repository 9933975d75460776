//! clip-core for wasm hosts: plain functions that take bytes through [`input`] and answer with
//! bytes through [`output`].
//!
//! No binding generator: what crosses the boundary are byte ranges, and weights shall go into wasm
//! memory without a copy on the way. `wasm.ts` is the other side.

#[cfg(feature = "engine")]
pub mod engine;
#[cfg(feature = "images")]
pub mod images;
#[cfg(feature = "inspect")]
pub mod inspect;
#[cfg(feature = "search")]
pub mod search;
#[cfg(feature = "threads")]
pub mod threads;

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

static INPUT: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static OUTPUT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// What the host gets instead of an answer.
#[derive(Debug, Serialize)]
struct Failure {
    /// A short stable name for programs.
    kind: &'static str,
    message: String,
}

impl Failure {
    fn new(kind: &'static str, message: impl ToString) -> Self {
        Failure { kind, message: message.to_string() }
    }
}

impl<E: Into<clip_core::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        Failure::new(error.kind(), error)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes room for `len` bytes of input and returns their address, or 0 if there is no memory.
#[unsafe(no_mangle)]
pub extern "C" fn input(len: usize) -> *mut u8 {
    let mut input = lock(&INPUT);
    input.clear();
    if input.try_reserve_exact(len).is_err() {
        return std::ptr::null_mut();
    }
    input.resize(len, 0);
    input.as_mut_ptr()
}

/// Address of the last answer.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    lock(&OUTPUT).as_ptr()
}

/// SHA-256 (hex) of the input, for pages on which the browser offers none.
#[cfg(any(feature = "engine", feature = "search"))]
#[unsafe(no_mangle)]
pub extern "C" fn sha256() -> i32 {
    answer(|input| Ok(clip_core::trace::sha256(input).into()))
}

/// Runs `work` on the input. Returns the answer's length; for a failure, the bitwise complement of
/// the length of its JSON. A large input gives its memory back.
fn answer(work: impl FnOnce(&[u8]) -> Result<Vec<u8>, Failure>) -> i32 {
    const KEPT: usize = 1 << 16;
    std::panic::set_hook(Box::new(|panic| {
        // The program ends after this; the host reads what is here.
        if let Ok(mut output) = OUTPUT.try_lock() {
            *output = panic.to_string().into_bytes();
        }
    }));
    let mut input = lock(&INPUT);
    let result = work(&input);
    if input.capacity() > KEPT {
        *input = Vec::new();
    }
    drop(input);
    let (bytes, failed) = match result {
        Ok(bytes) => (bytes, false),
        Err(failure) => (serde_json::to_vec(&failure).unwrap_or_default(), true),
    };
    let mut output = lock(&OUTPUT);
    *output = bytes;
    // wasm32 has no answers of 2 GiB.
    let length = i32::try_from(output.len()).unwrap_or(0);
    if failed { !length } else { length }
}

/// Floats as little-endian bytes.
#[cfg(any(feature = "engine", feature = "images"))]
fn bytes_of<'a>(values: impl IntoIterator<Item = &'a f32>) -> Vec<u8> {
    values.into_iter().flat_map(|x| x.to_le_bytes()).collect()
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value).map_err(|e| Failure::new("internal", e))
}
