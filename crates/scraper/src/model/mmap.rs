//! Maps a weights file into memory: loading touches each page once and copies nothing.

use std::{fs::File, io, path::Path};

use memmap2::Mmap;

/// # Errors
/// The file cannot be opened or mapped.
pub(super) fn map(path: &Path) -> io::Result<Mmap> {
    let file = File::open(path)?;
    // SAFETY: the map is read-only and private to the load that packs the weights. Weights files
    // are replaced by rename, never changed in place, so no mapped byte changes under us.
    unsafe { Mmap::map(&file) }
}
