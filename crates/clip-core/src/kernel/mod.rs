//! The numeric contract: which floating-point operations happen, and in which order.
//!
//! The same inputs and weights give the same bits on every target, in every batch size, at every
//! thread count, because IEEE-754 fixes the result of each add, multiply, divide, square root and
//! fused multiply-add, and this module fixes everything else:
//!
//! - **Fusing.** Every multiply-accumulate is one fused multiply-add: FMA3, `fmla`, or an exact
//!   emulation ([`soft_fma`]) where the machine has none.
//! - **Order.** Matrix products: one chain per output element, from the bias (or +0) over
//!   ascending k ([`linear`], [`attention`]). Reductions: 16 interleaved partial sums, element i
//!   into partial i mod 16, then the tree 8, 4, 2, 1 ([`norm`]).
//! - **Functions.** exp, erf and the GELUs are polynomials in fused operations ([`exp`]). Division
//!   and square root are IEEE; no reciprocal estimates, no flush-to-zero.
//! - **NaN** stays NaN; its payload is not part of the contract.
//!
//! The algorithms are written once over the trait [`isa::Isa`]; a path is an instruction set and
//! the shape of its register tile. `tests.rs` holds every path against plain loops, bit for bit.
//! A change of any operation or order raises [`NUMERICS_VERSION`](crate::NUMERICS_VERSION).

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod attention;
#[cfg(feature = "bench")]
pub mod bench;
mod buffer;
#[cfg(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128")))]
#[cfg_attr(feature = "relaxed-simd", allow(dead_code))]
mod emulated;
mod exp;
mod isa;
mod linear;
mod norm;
mod pack;
mod par;
mod range;
mod rows;
#[cfg_attr(not(test), allow(dead_code))] // only for machines without a fused instruction
mod soft_fma;
#[cfg(test)]
mod tests;
mod tile;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;
#[cfg(target_arch = "x86_64")]
mod x86;

pub(crate) use attention::{Heads, Span, attention};
pub(crate) use buffer::Aligned;
pub(crate) use linear::{Epilogue, Layer, Linear, forward};
pub(crate) use pack::to_f16;
pub(crate) use par::{for_each, in_pool};
pub(crate) use rows::Rows;

use attention::HeadTask;
use buffer::Shared;
use linear::{PanelTask, Scratch};

/// `a * b + c` rounded once, on one float.
#[inline(always)]
#[allow(clippy::disallowed_methods)] // IEEE fusedMultiplyAdd, the operation the contract is made of
fn fused(a: f32, b: f32, c: f32) -> f32 {
    a.mul_add(b, c)
}

/// A way to compute. All paths give the same bits, but for the one that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Path {
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
    /// at most [`UNFUSED_DIFFERENCE`] from the contract's. Never among [`Path::available`].
    WasmUnfused,
}

/// Largest difference of a component of a normalised embedding between [`Path::WasmUnfused`] and the
/// contract, over the corpus of the tests.
pub const UNFUSED_DIFFERENCE: f32 = 1e-5;

impl Path {
    /// Those of the contract.
    const EXACT: [Path; 7] = [
        Path::Scalar,
        Path::Sse2,
        Path::Avx2,
        Path::Avx512,
        Path::Neon,
        Path::WasmEmulated,
        Path::WasmRelaxed,
    ];

    /// Name as in the environment variable `CLIP_KERNEL`.
    pub fn name(self) -> &'static str {
        match self {
            Path::Scalar => "scalar",
            Path::Sse2 => "sse2",
            Path::Avx2 => "avx2",
            Path::Avx512 => "avx512",
            Path::Neon => "neon",
            Path::WasmEmulated => "wasm-emulated",
            Path::WasmRelaxed => "wasm-relaxed",
            Path::WasmUnfused => "wasm-unfused",
        }
    }

    /// The exact paths this machine can run, slowest first.
    pub fn available() -> Vec<Path> {
        Path::EXACT.into_iter().filter(|p| p.is_available()).collect()
    }

    fn is_available(self) -> bool {
        match self {
            Path::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Path::Sse2 => true,
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
            }
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => Path::Avx2.is_available() && is_x86_feature_detected!("avx512f"),
            #[cfg(target_arch = "aarch64")]
            Path::Neon => true,
            #[cfg(all(
                target_arch = "wasm32",
                target_feature = "simd128",
                not(feature = "relaxed-simd")
            ))]
            Path::WasmEmulated => true,
            #[cfg(all(
                target_arch = "wasm32",
                target_feature = "simd128",
                feature = "unfused",
                not(feature = "relaxed-simd")
            ))]
            Path::WasmUnfused => true,
            #[cfg(all(target_arch = "wasm32", feature = "relaxed-simd"))]
            Path::WasmRelaxed => wasm::fuses(),
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }

    /// The fastest exact path, or the one that `CLIP_KERNEL` names.
    ///
    /// # Errors
    /// `CLIP_KERNEL` names a path that does not exist or that this machine cannot run.
    pub fn detect() -> Result<Path, KernelError> {
        let available = Path::available();
        match std::env::var("CLIP_KERNEL") {
            Ok(name) if !name.is_empty() => available
                .iter()
                .copied()
                .find(|p| p.name() == name)
                .ok_or(KernelError { found: name, available }),
            // Scalar is always there.
            _ => Ok(available.last().copied().unwrap_or(Path::Scalar)),
        }
    }

    /// [`Path::WasmUnfused`], where this program has it: for those who asked for speed at the price
    /// of the bits, on a machine whose exact path is emulated.
    pub fn unfused() -> Option<Path> {
        Some(Path::WasmUnfused).filter(|path| path.is_available())
    }

    /// The kernels of this path.
    ///
    /// # Errors
    /// This machine cannot run the path.
    pub(crate) fn kernels(self) -> Result<&'static Kernels, KernelError> {
        if !self.is_available() {
            let available = Path::available();
            return Err(KernelError { found: self.name().into(), available });
        }
        Ok(match self {
            #[cfg(target_arch = "x86_64")]
            Path::Sse2 => &SSE2,
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => &AVX2,
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => &AVX512,
            #[cfg(target_arch = "aarch64")]
            Path::Neon => &NEON,
            #[cfg(all(
                target_arch = "wasm32",
                target_feature = "simd128",
                not(feature = "relaxed-simd")
            ))]
            Path::WasmEmulated => &WASM_EMULATED,
            #[cfg(all(
                target_arch = "wasm32",
                target_feature = "simd128",
                feature = "unfused",
                not(feature = "relaxed-simd")
            ))]
            Path::WasmUnfused => &WASM_UNFUSED,
            #[cfg(all(target_arch = "wasm32", feature = "relaxed-simd"))]
            Path::WasmRelaxed => &WASM_RELAXED,
            _ => &SCALAR,
        })
    }
}

/// A kernel path was asked for that cannot run here.
#[derive(Debug, thiserror::Error)]
#[error(
    "kernel path {found:?} (CLIP_KERNEL) cannot run on this machine; available: {}",
    available.iter().map(|p| p.name()).collect::<Vec<_>>().join(", ")
)]
pub struct KernelError {
    found: String,
    available: Vec<Path>,
}

/// Which panels are stored as f16, where no weight loses a bit by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code)] // no target has all three
enum Halves {
    Never,
    /// Widening takes some instructions, which pay over the many rows of a picture: the text tower,
    /// with its few rows, keeps f32.
    Vision,
    /// There is an instruction that widens.
    Always,
}

/// The operations of one path. A value exists only behind [`Path::kernels`], which checks that
/// the CPU has the instruction set; that is what makes calling the functions sound.
#[derive(Debug)]
pub(crate) struct Kernels {
    #[cfg_attr(not(test), allow(dead_code))] // names the path in a failed test
    path: Path,
    /// Rows of the register tile.
    rows: usize,
    /// Rows that are one tile if there are no more: the weights pass once.
    alone: usize,
    /// Columns of the register tile, the width of a weight panel.
    columns: usize,
    halves: Halves,
    /// Whether tiles want to know the range of their operands.
    watched: bool,
    panel: unsafe fn(&PanelTask, &mut Scratch),
    head: unsafe fn(&HeadTask, &mut Scratch),
    transpose: unsafe fn(&[f32], usize, usize, &mut [f32], usize),
    transpose_halves: unsafe fn(&[u16], usize, usize, &mut [u16], usize),
    layer_norm: unsafe fn(&mut [f32], &[f32], &[f32], f32),
    dot: unsafe fn(&[f32], &[f32]) -> f32,
    dot_i8: unsafe fn(&[i8], &[i16]) -> i32,
    functions: unsafe fn(&mut [f32], Function),
    #[cfg(feature = "bench")]
    lanes: usize,
    #[cfg(feature = "bench")]
    peak: unsafe fn(f32, f32) -> f32,
}

/// Functions of single values, and softmax. Besides exp, for the tests.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(test), allow(dead_code))]
pub(crate) enum Function {
    Exp,
    QuickGelu,
    Gelu,
    Softmax,
    Fma(f32, f32),
}

/// LayerNorm parameters, padded to whole groups of 16.
#[derive(Debug)]
pub(crate) struct LayerNorm {
    n: usize,
    gamma: Aligned<f32>,
    beta: Aligned<f32>,
    eps: f32,
}

impl LayerNorm {
    pub(crate) fn new(gamma: &[f32], beta: &[f32], eps: f32) -> Self {
        assert_eq!(gamma.len(), beta.len(), "LayerNorm shapes");
        let padded = |values: &[f32]| {
            let mut out = Aligned::zeroed(values.len().next_multiple_of(16));
            out[..values.len()].copy_from_slice(values);
            out
        };
        LayerNorm { n: gamma.len(), gamma: padded(gamma), beta: padded(beta), eps }
    }

    /// Normalises each row of `x`, in place.
    pub(crate) fn forward(&self, kernels: &Kernels, x: &mut [f32]) {
        assert_eq!(x.len() % self.n, 0, "whole rows");
        let (n, rows) = (self.n, x.len() / self.n);
        // Some rows per task: one is too little work to hand to a thread.
        const ROWS: usize = 16;
        let x = Shared(x.as_mut_ptr());
        par::for_each(rows.div_ceil(ROWS), ROWS * n * norm::COST, |task| {
            for row in task * ROWS..((task + 1) * ROWS).min(rows) {
                // SAFETY: rows are disjoint and borrowed until for_each returns.
                self.row(kernels, unsafe {
                    std::slice::from_raw_parts_mut(x.ptr().add(row * n), n)
                });
            }
        });
    }

    /// Normalises one row, in place.
    fn row(&self, kernels: &Kernels, row: &mut [f32]) {
        // SAFETY: `kernels` exists only where the CPU has the instruction set.
        unsafe { (kernels.layer_norm)(row, &self.gamma, &self.beta, self.eps) }
    }
}

#[cfg(test)]
thread_local! {
    /// The path of this thread's last dot product: the bits do not tell.
    pub(crate) static LAST_DOT: std::cell::Cell<Option<Path>> = const { std::cell::Cell::new(None) };
}

impl Kernels {
    /// Whether this tensor's panels may be f16. Changes the speed and the memory, no bit of a result.
    pub(crate) fn keeps_halves(&self, tensor: &str) -> bool {
        match self.halves {
            Halves::Never => false,
            Halves::Vision => !tensor.starts_with("text_"),
            Halves::Always => true,
        }
    }

    /// `out[k * width + r] = x[r * stride + k]` for `height <= width` rows, as many k as `out` holds.
    fn transpose(&self, x: &[f32], stride: usize, height: usize, out: &mut [f32], width: usize) {
        // SAFETY: `self` exists only where the CPU has the instruction set.
        unsafe { (self.transpose)(x, stride, height, out, width) }
    }

    /// The same of halves.
    fn transpose_halves(
        &self,
        x: &[u16],
        stride: usize,
        height: usize,
        out: &mut [u16],
        width: usize,
    ) {
        // SAFETY: `self` exists only where the CPU has the instruction set.
        unsafe { (self.transpose_halves)(x, stride, height, out, width) }
    }

    /// Dot product of two vectors of equal length.
    pub(crate) fn dot(&self, a: &[f32], b: &[f32]) -> f32 {
        #[cfg(test)]
        LAST_DOT.set(Some(self.path));
        // SAFETY: `self` exists only where the CPU has the instruction set.
        unsafe { (self.dot)(a, b) }
    }

    /// Integer dot product of vectors of equal length whose sums stay inside i32.
    pub(crate) fn dot_i8(&self, a: &[i8], b: &[i16]) -> i32 {
        // SAFETY: `self` exists only where the CPU has the instruction set.
        unsafe { (self.dot_i8)(a, b) }
    }

    /// e^x in the contract's bits.
    pub(crate) fn exp(&self, x: f32) -> f32 {
        let mut value = [x];
        self.apply(&mut value, Function::Exp);
        value[0]
    }

    /// Applies an element-wise function (softmax: to the whole slice).
    fn apply(&self, x: &mut [f32], function: Function) {
        // SAFETY: `self` exists only where the CPU has the instruction set.
        unsafe { (self.functions)(x, function) }
    }
}

/// # Safety
/// The CPU has `I`.
#[inline(always)]
unsafe fn functions<I: isa::Isa>(x: &mut [f32], function: Function) {
    // SAFETY: `map` stays inside `x` and its padding; the caller guarantees I.
    unsafe {
        match function {
            Function::Exp => norm::map!(I, x, |_, v| exp::exp::<I>(v)),
            Function::QuickGelu => norm::map!(I, x, |_, v| exp::quick_gelu::<I>(v)),
            Function::Gelu => norm::map!(I, x, |_, v| exp::gelu::<I>(v)),
            Function::Softmax => norm::softmax::<I>(x, 1.0),
            Function::Fma(b, c) => {
                norm::map!(I, x, |_, v| I::fma(v, I::splat(b), I::splat(c)));
            }
        }
    }
}

/// Monomorphic entry points of one instruction set, compiled with its features, and their table.
macro_rules! path {
    ($table:ident, $module:ident, $path:expr, $isa:ty, rows $rows:literal, alone $alone:literal,
     vectors $vectors:literal, f16 $f16:ident $(, features $features:literal)?) => {
        mod $module {
            use super::*;

            $(#[target_feature(enable = $features)])?
            pub(super) unsafe fn panel(task: &PanelTask, scratch: &mut Scratch) {
                // SAFETY: the table's reader guarantees the instruction set and the task.
                unsafe { linear::panel::<$isa, $alone, $vectors>(task, scratch) }
            }
            $(#[target_feature(enable = $features)])?
            pub(super) unsafe fn head(task: &HeadTask, scratch: &mut Scratch) {
                // SAFETY: the table's reader guarantees the instruction set and the task.
                unsafe { attention::head::<$isa, $alone, $vectors>(task, scratch) }
            }
            $(#[target_feature(enable = $features)])?
            pub(super) unsafe fn transpose(
                x: &[f32],
                stride: usize,
                height: usize,
                out: &mut [f32],
                width: usize,
            ) {
                // SAFETY: the table's reader guarantees the instruction set.
                unsafe { rows::transpose::<$isa, f32>(x, stride, height, out, width) }
            }
            $(#[target_feature(enable = $features)])?
            pub(super) unsafe fn transpose_halves(
                x: &[u16],
                stride: usize,
                height: usize,
                out: &mut [u16],
                width: usize,
            ) {
                // SAFETY: the table's reader guarantees the instruction set.
                unsafe { rows::transpose::<$isa, u16>(x, stride, height, out, width) }
            }
            $(#[target_feature(enable = $features)])?
            pub(super) unsafe fn layer_norm(x: &mut [f32], gamma: &[f32], beta: &[f32], eps: f32) {
                // SAFETY: the table's reader guarantees the instruction set.
                unsafe { norm::layer_norm::<$isa>(x, gamma, beta, eps) }
            }
            $(#[target_feature(enable = $features)])?
            pub(super) unsafe fn dot(a: &[f32], b: &[f32]) -> f32 {
                // SAFETY: the table's reader guarantees the instruction set.
                unsafe { norm::dot::<$isa>(a, b) }
            }
            $(#[target_feature(enable = $features)])?
            pub(super) unsafe fn dot_i8(a: &[i8], b: &[i16]) -> i32 {
                <$isa as isa::Isa>::dot_i8(a, b)
            }
            $(#[target_feature(enable = $features)])?
            pub(super) unsafe fn functions(x: &mut [f32], function: Function) {
                // SAFETY: the table's reader guarantees the instruction set.
                unsafe { super::functions::<$isa>(x, function) }
            }
            #[cfg(feature = "bench")]
            $(#[target_feature(enable = $features)])?
            pub(super) unsafe fn peak(x: f32, y: f32) -> f32 {
                // SAFETY: the table's reader guarantees the instruction set.
                unsafe { bench::peak::<$isa>(x, y) }
            }
        }

        static $table: Kernels = Kernels {
            path: $path,
            rows: $rows,
            alone: $alone,
            columns: $vectors * <$isa as isa::Isa>::LANES,
            halves: Halves::$f16,
            watched: <$isa as isa::Isa>::WATCHED,
            panel: $module::panel,
            head: $module::head,
            transpose: $module::transpose,
            transpose_halves: $module::transpose_halves,
            layer_norm: $module::layer_norm,
            dot: $module::dot,
            dot_i8: $module::dot_i8,
            functions: $module::functions,
            #[cfg(feature = "bench")]
            lanes: <$isa as isa::Isa>::LANES,
            #[cfg(feature = "bench")]
            peak: $module::peak,
        };
    };
}

path!(SCALAR, scalar_entry, Path::Scalar, isa::Scalar, rows 4, alone 4, vectors 4, f16 Never);
#[cfg(target_arch = "x86_64")]
path!(SSE2, sse2_entry, Path::Sse2, x86::Sse2, rows 3, alone 3, vectors 1, f16 Never);
#[cfg(target_arch = "x86_64")]
path!(AVX2, avx2_entry, Path::Avx2, x86::Avx2, rows 6, alone 6, vectors 2, f16 Always,
      features "avx2,fma,f16c");
#[cfg(target_arch = "x86_64")]
path!(AVX512, avx512_entry, Path::Avx512, x86::Avx512, rows 14, alone 14, vectors 2,
      f16 Always, features "avx2,fma,f16c,avx512f");
#[cfg(target_arch = "aarch64")]
path!(NEON, neon_entry, Path::Neon, aarch64::Neon, rows 8, alone 8, vectors 2, f16 Never);
#[cfg(all(target_arch = "wasm32", target_feature = "simd128", not(feature = "relaxed-simd")))]
path!(WASM_EMULATED, wasm_emulated_entry, Path::WasmEmulated, wasm::Emulated, rows 3, alone 3,
      vectors 1, f16 Vision);
#[cfg(all(
    target_arch = "wasm32",
    target_feature = "simd128",
    feature = "unfused",
    not(feature = "relaxed-simd")
))]
path!(WASM_UNFUSED, wasm_unfused_entry, Path::WasmUnfused, wasm::Unfused, rows 4, alone 4,
      vectors 2, f16 Vision);
#[cfg(all(target_arch = "wasm32", feature = "relaxed-simd"))]
path!(WASM_RELAXED, wasm_relaxed_entry, Path::WasmRelaxed, wasm::Relaxed, rows 5, alone 6,
      vectors 2, f16 Vision, features "relaxed-simd");
