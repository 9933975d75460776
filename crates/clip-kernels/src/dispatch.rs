//! From a [`KernelPath`] to code compiled for it: the one table of instruction sets and the shapes of
//! their register tiles.

use crate::{
    arch,
    isa::{Isa, Work},
    kernels::UsualRows,
    path::{KernelError, KernelPath},
    tile::Tile,
};

/// Something to compute on any path.
pub(crate) trait Operation {
    /// What comes of it.
    type Output;

    /// `MR` rows by `C` vectors are the largest register tile. To be inlined with all that it calls:
    /// that is how it is compiled with the instructions.
    fn run<I: Tile, const MR: usize, const C: usize>(self, isa: I) -> Self::Output;
}

/// Which panels are stored as f16, where no weight loses a bit by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code)] // no target has all three
pub(crate) enum F16Panels {
    Never,
    /// Widening takes some instructions, which pay over many rows.
    ManyRows,
    /// There is an instruction that widens.
    Always,
}

/// What must be known of a path to lay out operands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Rows of the register tile.
    pub(crate) rows: usize,
    /// Rows that are one tile if there are no more: the weights pass once.
    pub(crate) alone: usize,
    /// Columns of the register tile, the width of a weight panel.
    pub(crate) columns: usize,
    /// Floats in a register.
    #[cfg_attr(not(feature = "bench"), allow(dead_code))]
    pub(crate) lanes: usize,
    pub(crate) f16: F16Panels,
    /// Whether tiles want to know the range of their operands.
    pub(crate) watched: bool,
}

/// An operation with the shape of the register tile.
struct Shaped<O, const MR: usize, const C: usize>(O);

impl<I: Tile, O: Operation, const MR: usize, const C: usize> Work<I> for Shaped<O, MR, C> {
    type Output = O::Output;

    #[inline(always)]
    fn run(self, isa: I) -> O::Output {
        self.0.run::<I, MR, C>(isa)
    }
}

macro_rules! paths {
    ($(
        $(#[$compiled:meta])*
        $path:ident: $isa:ty, rows $rows:literal, alone $alone:literal, vectors $vectors:literal,
        f16 $f16:ident
        $(, $(#[$built:meta])* $many:ident: rows $many_rows:literal, vectors $many_vectors:literal)?;
    )*) => {
        /// The instruction set of a path that this machine can run.
        #[derive(Debug, Clone, Copy)]
        pub(crate) enum Token {
            $($(#[$compiled])* $path($isa), $($(#[$built])* $many($isa),)?)*
        }

        impl Token {
            fn of(path: KernelPath) -> Option<Token> {
                match path {
                    $($(#[$compiled])* KernelPath::$path => <$isa>::detect().map(Token::$path),)*
                    #[allow(unreachable_patterns)]
                    _ => None,
                }
            }

            /// The same path, with the shape of its register tile for so many rows.
            pub(crate) fn for_rows(self, rows: UsualRows) -> Token {
                match (self, rows) {
                    $($(
                        $(#[$built])* (Token::$path(isa), UsualRows::Many) => Token::$many(isa),
                        $(#[$built])* (Token::$many(isa), UsualRows::Few) => Token::$path(isa),
                    )?)*
                    (token, _) => token,
                }
            }

            pub(crate) fn layout(self) -> Layout {
                match self {
                    $($(#[$compiled])* Token::$path(_) => Layout {
                        rows: $rows,
                        alone: $alone,
                        columns: $vectors * <$isa>::LANES,
                        lanes: <$isa>::LANES,
                        f16: F16Panels::$f16,
                        watched: <$isa>::WATCHED,
                    },
                    $($(#[$built])* Token::$many(isa) => Layout {
                        rows: $many_rows,
                        alone: $many_rows,
                        columns: $many_vectors * <$isa>::LANES,
                        ..Token::$path(isa).layout()
                    },)?)*
                }
            }

            /// Runs `operation`, compiled with the path's instructions.
            #[inline]
            pub(crate) fn run<O: Operation>(self, operation: O) -> O::Output {
                match self {
                    $($(#[$compiled])* Token::$path(isa) => {
                        isa.vectorize(Shaped::<O, $alone, $vectors>(operation))
                    }
                    $($(#[$built])* Token::$many(isa) => {
                        isa.vectorize(Shaped::<O, $many_rows, $many_vectors>(operation))
                    })?)*
                }
            }
        }
    };
}

paths! {
    Scalar: arch::scalar::Scalar, rows 4, alone 4, vectors 4, f16 Never;
    #[cfg(target_arch = "x86_64")]
    Sse2: arch::x86::sse2::Sse2, rows 3, alone 3, vectors 1, f16 Never;
    #[cfg(target_arch = "x86_64")]
    Avx2: arch::x86::avx2::Avx2, rows 6, alone 6, vectors 2, f16 Always;
    #[cfg(target_arch = "x86_64")]
    Avx512: arch::x86::avx512::Avx512, rows 14, alone 14, vectors 2, f16 Always,
        // Fewer loads for a product: where units are 512 bits wide, their clock depends on the power drawn.
        #[cfg(target_arch = "x86_64")]
        Avx512Many: rows 9, vectors 3;
    #[cfg(target_arch = "aarch64")]
    Neon: arch::neon::Neon, rows 8, alone 8, vectors 2, f16 Never;
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128", not(feature = "relaxed-simd")))]
    WasmEmulated: arch::wasm::emulated::Emulated, rows 3, alone 3, vectors 1, f16 ManyRows;
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128", feature = "relaxed-simd"))]
    WasmRelaxed: arch::wasm::relaxed::Relaxed, rows 5, alone 6, vectors 2, f16 ManyRows;
    #[cfg(all(
        target_arch = "wasm32",
        target_feature = "simd128",
        feature = "unfused",
        not(feature = "relaxed-simd")
    ))]
    WasmUnfused: arch::wasm::unfused::Unfused, rows 4, alone 4, vectors 2, f16 ManyRows;
}

impl KernelPath {
    /// The exact paths this machine can run, slowest first.
    pub fn available() -> Vec<KernelPath> {
        KernelPath::EXACT.into_iter().filter(|path| Token::of(*path).is_some()).collect()
    }

    /// The fastest exact path, or the one that `CLIP_KERNEL` names.
    ///
    /// # Errors
    /// `CLIP_KERNEL` names a path that does not exist or that this machine cannot run.
    pub fn detect() -> Result<KernelPath, KernelError> {
        let available = KernelPath::available();
        match std::env::var("CLIP_KERNEL") {
            Ok(name) if !name.is_empty() => available
                .iter()
                .copied()
                .find(|p| p.name() == name)
                .ok_or(KernelError { found: name, available }),
            // Scalar is always there.
            _ => Ok(available.last().copied().unwrap_or(KernelPath::Scalar)),
        }
    }

    /// [`KernelPath::WasmUnfused`], where this program has it: for those who asked for speed at the
    /// price of the bits, on a machine whose exact path is emulated.
    pub fn unfused() -> Option<KernelPath> {
        Token::of(KernelPath::WasmUnfused).map(|_| KernelPath::WasmUnfused)
    }

    /// The instruction set.
    pub(crate) fn token(self) -> Result<Token, KernelError> {
        Token::of(self).ok_or_else(|| KernelError {
            found: self.name().into(),
            available: KernelPath::available(),
        })
    }
}
