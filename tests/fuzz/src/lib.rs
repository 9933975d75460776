//! Memory as a budget: an input that makes a target hold more than [`MOST`] bytes is a finding, at
//! the byte where it does, and on any toolchain (`-malloc_limit_mb` needs a sanitizer).

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

/// What a target may hold at once, in bytes: libFuzzer's inputs are at most some kilobytes.
const MOST: usize = 256 << 20;

static HELD: AtomicUsize = AtomicUsize::new(0);

struct Budget;

fn take(bytes: usize) {
    let before = HELD.fetch_add(bytes, Ordering::Relaxed);
    if before + bytes > MOST && before <= MOST {
        eprintln!("memory budget: {before} bytes are held, and {bytes} more are asked for");
        std::process::abort(); // libFuzzer keeps the input
    }
}

// SAFETY: all is left to the system's allocator; only lengths are counted.
unsafe impl GlobalAlloc for Budget {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size);
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static BUDGET: Budget = Budget;

/// A target: `target!(function)`.
#[macro_export]
macro_rules! target {
    ($body:path) => {
        #[allow(unused_imports)]
        use $crate as _;
        libfuzzer_sys::fuzz_target!(|data: &[u8]| $body(data));
    };
}
