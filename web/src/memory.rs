//! The wasm memory: room for weights, and a view into which the host writes them.

#![allow(unsafe_code, reason = "a view of memory, for weights without a copy")]

use js_sys::Uint8Array;

use crate::Failure;

/// A view of bytes of the wasm memory, to be written before anything else is called.
pub(crate) fn view(bytes: &mut [u8]) -> Uint8Array {
    // SAFETY: as long as the array is used, nothing else is called (see `spare_capacity_view`), so
    // the bytes stay where they are.
    unsafe { Uint8Array::view_mut_raw(bytes.as_mut_ptr(), bytes.len()) }
}

/// Lets the memory grow to what the weights will need, so that too little of it is an error now
/// and not a crash in the middle.
pub(crate) fn reserve(bytes: u64) -> Result<(), Failure> {
    let mut room = Vec::<u8>::new();
    let fits = usize::try_from(bytes).is_ok_and(|bytes| room.try_reserve_exact(bytes).is_ok());
    if fits {
        return Ok(());
    }
    let mebibytes = bytes >> 20;
    Err(Failure::new(
        "memory",
        format!(
            "there is no memory for {mebibytes} MiB of weights: close other pages, or load one \
             tower only"
        ),
    ))
}
