//! The operations of one path.

use crate::{
    dispatch::{F16Panels, Layout, Operation, Token},
    exp, norm,
    path::{KernelError, KernelPath},
    tile::Tile,
    transpose::{Element, transpose},
};

/// The kernels of one [`KernelPath`] that this machine can run.
///
/// ```
/// use clip_kernels::Kernels;
///
/// let kernels = Kernels::fastest()?;
/// let x: Vec<f32> = (0..100).map(|i| i as f32 / 7.0).collect();
/// assert_eq!(kernels.dot(&x, &x).to_bits(), Kernels::scalar().dot(&x, &x).to_bits());
/// assert!((kernels.exp(1.0) - std::f32::consts::E).abs() <= 2.0 * f32::EPSILON);
/// # Ok::<(), clip_kernels::KernelError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Kernels {
    path: KernelPath,
    token: Token,
    rows: UsualRows,
    pub(crate) layout: Layout,
}

/// How many rows usually pass through a layer at once. Decides how operands are laid out, which changes the
/// speed and the memory and no bit of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsualRows {
    /// A text's tokens.
    Few,
    /// An image's patches.
    Many,
}

impl Kernels {
    /// The kernels of `path`, for many rows.
    ///
    /// # Errors
    /// This machine cannot run the path.
    pub fn new(path: KernelPath) -> Result<Self, KernelError> {
        Ok(Kernels::with(path, path.token()?, UsualRows::Many))
    }

    /// Those of the fastest exact path, or of the one that `CLIP_KERNEL` names.
    ///
    /// # Errors
    /// As [`KernelPath::detect`].
    pub fn fastest() -> Result<Self, KernelError> {
        Kernels::new(KernelPath::detect()?)
    }

    /// Those that run everywhere, one lane at a time.
    pub fn scalar() -> Self {
        let token = Token::Scalar(crate::arch::scalar::Scalar);
        Kernels::with(KernelPath::Scalar, token, UsualRows::Many)
    }

    /// Those of the same path for so many rows. Weights and rows are packed for the kernels that are to
    /// multiply them.
    #[must_use]
    pub fn for_rows(self, rows: UsualRows) -> Self {
        Kernels::with(self.path, self.token, rows)
    }

    fn with(path: KernelPath, token: Token, rows: UsualRows) -> Self {
        let token = token.for_rows(rows);
        Kernels { path, token, rows, layout: token.layout() }
    }

    /// Which path they are of.
    pub fn path(&self) -> KernelPath {
        self.path
    }

    /// Whether a layer's weights may be stored as f16 (where none loses a bit by it).
    pub fn keeps_f16(&self) -> bool {
        match self.layout.f16 {
            F16Panels::Never => false,
            F16Panels::ManyRows => self.rows == UsualRows::Many,
            F16Panels::Always => true,
        }
    }

    /// Runs `operation`, compiled with this path's instructions.
    #[inline]
    pub(crate) fn run<O: Operation>(&self, operation: O) -> O::Output {
        self.token.run(operation)
    }

    /// Dot product of two vectors of equal length: 16 interleaved chains, then a fixed tree.
    ///
    /// # Panics
    /// The lengths differ.
    pub fn dot(&self, a: &[f32], b: &[f32]) -> f32 {
        self.run(Dot(a, b))
    }

    /// Integer dot product of vectors of equal length whose sums stay inside i32.
    pub fn dot_i8(&self, a: &[i8], b: &[i16]) -> i32 {
        self.run(DotI8(a, b))
    }

    /// e^x in the contract's bits: +0 below -86, +inf above 88, else within 2 ulp.
    pub fn exp(&self, x: f32) -> f32 {
        let mut value = [x];
        self.apply(&mut value, Function::Exp);
        value[0]
    }

    /// Applies a function to each value (softmax: to all together).
    pub(crate) fn apply(&self, x: &mut [f32], function: Function) {
        self.run(Apply(x, function));
    }

    /// `out[k * width + r] = x[r * stride + k]` for `height <= width` rows, as many k as `out` holds.
    pub(crate) fn transpose<T: Element>(
        &self,
        x: &[T],
        stride: usize,
        height: usize,
        out: &mut [T],
        width: usize,
    ) {
        self.run(Transpose { x, stride, height, out, width });
    }
}

struct Dot<'a>(&'a [f32], &'a [f32]);

impl Operation for Dot<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<I: Tile, const MR: usize, const C: usize>(self, isa: I) -> f32 {
        norm::dot(isa, self.0, self.1)
    }
}

struct DotI8<'a>(&'a [i8], &'a [i16]);

impl Operation for DotI8<'_> {
    type Output = i32;

    #[inline(always)]
    fn run<I: Tile, const MR: usize, const C: usize>(self, isa: I) -> i32 {
        isa.dot_i8(self.0, self.1)
    }
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

struct Apply<'a>(&'a mut [f32], Function);

impl Operation for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Tile, const MR: usize, const C: usize>(self, isa: I) {
        let Apply(x, function) = self;
        match function {
            Function::Exp => norm::map!(isa: I, x, |_, v| exp::exp(isa, v)),
            Function::QuickGelu => norm::map!(isa: I, x, |_, v| exp::quick_gelu(isa, v)),
            Function::Gelu => norm::map!(isa: I, x, |_, v| exp::gelu(isa, v)),
            Function::Softmax => norm::softmax(isa, x, 1.0),
            Function::Fma(b, c) => {
                norm::map!(isa: I, x, |_, v| isa.fma(v, isa.splat(b), isa.splat(c)));
            }
        }
    }
}

struct Transpose<'a, T> {
    x: &'a [T],
    stride: usize,
    height: usize,
    out: &'a mut [T],
    width: usize,
}

impl<T: Element> Operation for Transpose<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<I: Tile, const MR: usize, const C: usize>(self, isa: I) {
        transpose(isa, self.x, self.stride, self.height, self.out, self.width);
    }
}
