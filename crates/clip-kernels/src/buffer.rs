//! Cache-line aligned buffers: a vector load of a packed panel never straddles two lines.

/// One cache line; its alignment makes a `Vec<Line>` start on a line.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Plain numbers that may live in an [`Aligned`] buffer.
///
/// # Safety
/// Any bit pattern is a value, and the alignment is at most that of a cache line.
pub unsafe trait Plain: Copy + Default + Send + Sync + 'static {}
// SAFETY: any bits are a float.
unsafe impl Plain for f32 {}
// SAFETY: any bits are an integer.
unsafe impl Plain for u16 {}

/// The same bytes, as numbers with a sign.
pub fn signed(bytes: &[u8]) -> &[i8] {
    // SAFETY: both have one byte, the same alignment, and any bits are a value of either.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}

/// A zero-initialised, 64-byte aligned buffer.
pub struct Aligned<T> {
    lines: Vec<Line>,
    len: usize,
    kind: std::marker::PhantomData<T>,
}

impl<T: Plain> Aligned<T> {
    /// `len` zeros.
    pub fn zeroed(len: usize) -> Self {
        let lines = vec![Line([0; 64]); (len * size_of::<T>()).div_ceil(64)];
        Aligned { lines, len, kind: std::marker::PhantomData }
    }

    /// What `write` leaves behind.
    ///
    /// # Safety
    /// `write` writes all of the `len` elements.
    pub(crate) unsafe fn written(len: usize, write: impl FnOnce(Shared<T>)) -> Self {
        let count = (len * size_of::<T>()).div_ceil(64);
        let mut lines = Vec::<Line>::with_capacity(count);
        if let Some(last) = lines.spare_capacity_mut()[..count].last_mut() {
            last.write(Line([0; 64]));
        }
        write(Shared(lines.as_mut_ptr().cast()));
        // SAFETY: the caller guarantees that `write` initialised all lines but the end of the last
        // one, which is zero.
        unsafe { lines.set_len(count) };
        Aligned { lines, len, kind: std::marker::PhantomData }
    }

    /// At least `len` elements; contents are kept or zero.
    pub fn grow(&mut self, len: usize) {
        if self.len < len {
            self.lines.resize((len * size_of::<T>()).div_ceil(64), Line([0; 64]));
            self.len = len;
        }
    }
}

impl<T: Plain> std::ops::Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `zeroed` and `grow` allot at least len * size_of::<T>() initialised bytes;
        // T: Plain accepts any bit pattern and aligns to less than 64.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<T: Plain> std::ops::DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; `&mut self` makes the borrow unique.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl<T> std::fmt::Debug for Aligned<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Aligned({} x {})", self.len, std::any::type_name::<T>())
    }
}

/// A pointer that tasks on several threads may write through, each to its own elements.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shared<T>(pub(crate) *mut T);
// SAFETY: every user hands disjoint elements to each task (one panel, row or head per task) and
// keeps the underlying slice borrowed until all tasks have ended.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as for Send.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(crate) fn ptr(self) -> *mut T {
        self.0
    }
}
