//! The instruction sets, one file each.

#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
pub(crate) mod scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) mod wasm;
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86;

/// Asks the memory for `bytes`, which are needed soon: a hint, on x86-64.
pub fn prefetch(bytes: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    bytes.chunks(64).for_each(|line| x86::prefetch(line.as_ptr()));
    #[cfg(not(target_arch = "x86_64"))]
    let _ = bytes;
}
