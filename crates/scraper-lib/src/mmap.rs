//! Maps files into memory that nobody changes in place: weights, whose load touches each page once and
//! copies nothing, and the files of a scan.
//!
//! The only `unsafe` of this crate.

use std::{fs::File, io, ops::Range, path::Path, sync::Arc};

use memmap2::Mmap;

/// # Errors
/// The file cannot be opened or mapped.
pub(crate) fn map(path: &Path) -> io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: the map is read-only. Weights files and those of a scan are replaced by rename, never
    // changed in place, so no mapped byte changes under us.
    unsafe { Mmap::map(&file) }
}

/// A callback that gives the pages of `range` back to the operating system, so that the packed
/// weights and the mapped file are not resident at the same time.
pub(crate) fn releaser(map: &Arc<Mmap>) -> Box<dyn Fn(Range<usize>) + Send + Sync> {
    let map = map.clone();
    Box::new(move |range| {
        #[cfg(target_os = "linux")]
        // SAFETY: the pages of a read-only file mapping come back from the file, with the same
        // bytes, when they are touched again. The advice is optional: a failure changes nothing.
        let _ = unsafe {
            let advice = memmap2::UncheckedAdvice::DontNeed;
            map.unchecked_advise_range(advice, range.start, range.len())
        };
        #[cfg(not(target_os = "linux"))]
        let _ = (&map, range);
    })
}
