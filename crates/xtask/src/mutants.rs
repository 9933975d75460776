//! Damaged images for `cargo xtask compare --mutants`: copies of the corpus with bytes changed, lost or
//! added, the same for the same seed.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

/// Folders of the corpus, one for each format.
const FORMATS: [&str; 10] =
    ["jpeg", "png", "webp", "gif", "bmp", "tiff", "ico", "tga", "pnm", "qoi"];

/// Numbers that look random (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// Writes `count` mutants of each format of the corpus into `folder`, one folder a format.
pub(crate) fn write(corpus: &Path, folder: &Path, count: usize, seed: u64) -> Result<()> {
    for format in FORMATS {
        let originals = originals(&corpus.join(format))?;
        let to = folder.join(format);
        fs::create_dir_all(&to).with_context(|| to.display().to_string())?;
        let mut random = Random((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for n in 0..count {
            let path = &originals[random.below(originals.len())];
            let bytes = fs::read(path).with_context(|| path.display().to_string())?;
            let (kind, mutant) = mutate(&bytes, &mut random);
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let name = format!("{n:05}-{kind}-{stem}.{format}");
            fs::write(to.join(&name), mutant).with_context(|| name)?;
        }
    }
    Ok(())
}

fn originals(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths = entries.map(|e| Ok(e?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    if paths.is_empty() {
        bail!("{} holds no images", folder.display());
    }
    Ok(paths)
}

/// What disks, networks and bad uploads do: the name of the damage, and the damaged file.
fn mutate(bytes: &[u8], random: &mut Random) -> (&'static str, Vec<u8>) {
    let mut out = bytes.to_vec();
    let at = random.below(out.len());
    match random.below(8) {
        0 => {
            out[at] ^= 1 << random.below(8);
            ("bit", out)
        }
        1 => {
            for _ in 0..2 + random.below(8) {
                let at = random.below(out.len());
                out[at] ^= 1 << random.below(8);
            }
            ("bits", out)
        }
        2 => {
            out[at] = random.next() as u8;
            ("byte", out)
        }
        3 => {
            let end = (at + 1 + random.below(64)).min(out.len());
            out[at..end].fill(0);
            ("zeros", out)
        }
        4 => {
            out.truncate(at);
            ("cut", out)
        }
        5 => {
            // Cut, and closed as its format ends.
            let tail: &[u8] = match &bytes[..2.min(bytes.len())] {
                b"\xff\xd8" => b"\xff\xd9",
                b"GI" => b"\0;",
                b"\x89P" => b"\0\0\0\0IEND\xaeB`\x82",
                _ => &[0; 64],
            };
            out.truncate(at);
            out.extend(tail);
            ("closed", out)
        }
        6 => {
            let end = (at + 1 + random.below(16)).min(out.len());
            out.drain(at..end);
            ("lost", out)
        }
        _ => {
            let more = (0..1 + random.below(16)).map(|_| random.next() as u8).collect::<Vec<_>>();
            out.splice(at..at, more);
            ("added", out)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_mutants() {
        let bytes: Vec<u8> = (0..200).collect();
        let all = |seed| {
            let mut random = Random(seed);
            (0..100).map(|_| mutate(&bytes, &mut random)).collect::<Vec<_>>()
        };
        assert_eq!(all(3), all(3));
        assert_ne!(all(3), all(4));
        let kinds: std::collections::BTreeSet<_> = all(3).iter().map(|m| m.0).collect();
        assert_eq!(kinds.len(), 8);
        assert!(all(3).iter().filter(|m| m.1 != bytes).count() > 90);
    }
}
