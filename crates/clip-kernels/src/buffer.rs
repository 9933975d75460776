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
        let mut zeroed = Aligned { lines: Vec::new(), len: 0, kind: std::marker::PhantomData };
        zeroed.grow(len);
        zeroed
    }

    /// What `write` leaves behind.
    ///
    /// # Safety
    /// `write` writes all of the `len` elements.
    pub(crate) unsafe fn written(len: usize, write: impl FnOnce(Shared<T>)) -> Self {
        let count = (len * size_of::<T>()).div_ceil(64);
        let mut lines = Vec::new();
        reserve(&mut lines, count);
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
            let count = (len * size_of::<T>()).div_ceil(64);
            reserve(&mut self.lines, count);
            self.lines.resize(count, Line([0; 64]));
            self.len = len;
        }
    }
}

/// Room for `count` lines in all, where the system is willing in huge pages: all weights pass by for each
/// image, and with pages of 4 KiB a walk through the tables comes with every 64 lines.
fn reserve(lines: &mut Vec<Line>, count: usize) {
    lines.reserve_exact(count.saturating_sub(lines.len()));
    #[cfg(target_os = "linux")]
    if lines.capacity() * size_of::<Line>() >= HUGE {
        // SAFETY: without preconditions.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
        let start = lines.as_mut_ptr().cast::<u8>();
        let into_page = start.addr() % page;
        let bytes = into_page + lines.capacity() * size_of::<Line>();
        // SAFETY: advice about how memory is backed changes nothing of what it holds, so neither for
        // what else lies on the first page. Where it is refused, the pages stay small.
        unsafe { libc::madvise(start.wrapping_sub(into_page).cast(), bytes, libc::MADV_HUGEPAGE) };
    }
}

/// Least bytes of a buffer for which huge pages are asked for: one of x86-64.
#[cfg(target_os = "linux")]
const HUGE: usize = 2 << 20;

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
