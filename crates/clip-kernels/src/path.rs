//! The ways to compute, by name.

/// A way to compute. All paths give the same bits, but for the one that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KernelPath {
    /// One lane, the standard library's fused multiply-add; every target.
    Scalar,
    /// x86-64 without FMA3: SSE2 with an exact emulation of the fused operation.
    Sse2,
    /// x86-64 with AVX2, FMA3 and F16C.
    Avx2,
    /// x86-64 with AVX-512F.
    Avx512,
    /// aarch64.
    Neon,
    /// wasm32 with an exact emulation of the fused operation.
    WasmEmulated,
    /// wasm32 with relaxed SIMD, on an engine that fuses `relaxed_madd`.
    WasmRelaxed,
    /// wasm32 with a multiplication and an addition in place of the fused operation: **other bits**,
    /// at most [`UNFUSED_DIFFERENCE`] from the contract's. Never among [`KernelPath::available`].
    WasmUnfused,
}

/// Largest difference of a component of a normalised embedding between [`KernelPath::WasmUnfused`]
/// and the contract, over the corpus of the tests.
pub const UNFUSED_DIFFERENCE: f32 = 1e-5;

impl KernelPath {
    /// Those of the contract, slowest first.
    pub(crate) const EXACT: [KernelPath; 7] = [
        KernelPath::Scalar,
        KernelPath::Sse2,
        KernelPath::Avx2,
        KernelPath::Avx512,
        KernelPath::Neon,
        KernelPath::WasmEmulated,
        KernelPath::WasmRelaxed,
    ];

    /// Name as in the environment variable `CLIP_KERNEL`.
    pub fn name(self) -> &'static str {
        match self {
            KernelPath::Scalar => "scalar",
            KernelPath::Sse2 => "sse2",
            KernelPath::Avx2 => "avx2",
            KernelPath::Avx512 => "avx512",
            KernelPath::Neon => "neon",
            KernelPath::WasmEmulated => "wasm-emulated",
            KernelPath::WasmRelaxed => "wasm-relaxed",
            KernelPath::WasmUnfused => "wasm-unfused",
        }
    }

    /// Whether its bits are the contract's.
    pub fn is_exact(self) -> bool {
        self != KernelPath::WasmUnfused
    }
}

/// A kernel path was asked for that cannot run here.
#[derive(Debug, thiserror::Error)]
#[error(
    "kernel path {found:?} (CLIP_KERNEL) cannot run on this machine; available: {}",
    available.iter().map(|p| p.name()).collect::<Vec<_>>().join(", ")
)]
pub struct KernelError {
    pub(crate) found: String,
    pub(crate) available: Vec<KernelPath>,
}
