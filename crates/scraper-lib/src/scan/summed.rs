//! Checksums: against mistakes and damage, not against those who may write the store.

use std::{
    io::{self, Write},
    path::Path,
};

use crc32fast::Hasher;
use rayon::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use crate::output::Part;

/// Bytes that one thread takes at a time.
const BLOCK: usize = 1 << 20;

/// CRC-32, over all cores.
pub(super) fn crc(bytes: &[u8]) -> u32 {
    let blocks = bytes.par_chunks(BLOCK).map(|block| {
        let mut hasher = Hasher::new();
        hasher.update(block);
        hasher
    });
    let joined = blocks.reduce(Hasher::new, |mut before, after| {
        before.combine(&after);
        before
    });
    joined.finalize()
}

/// JSON with its checksum before it.
pub(super) fn json(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(value)?;
    Ok([format!("{:08x}\n", crc(&json)).as_bytes(), &json].concat())
}

/// What [`json`] has made; `None` if it is not there, or damaged.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let bytes = std::fs::read(path).ok()?;
    let (sum, json) = bytes.split_at_checked(9)?;
    let sum = u32::from_str_radix(std::str::from_utf8(sum).ok()?.trim_end(), 16).ok()?;
    (sum == crc(json)).then(|| serde_json::from_slice(json).ok()).flatten()
}

/// Puts a file in its place.
pub(super) fn write(path: &Path, value: &impl Serialize) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut part = Part::new(folder, &name)?;
    part.write_all(&json(value)?)?;
    part.place(path)
}
