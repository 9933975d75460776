//! Files that are whole or absent: written beside their place, then put there in one step.
//!
//! A process that is killed leaves the old file, and beside it a part with a name of its own. The
//! next command that writes there removes it: a part is locked as long as its process lives.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufWriter, ErrorKind, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Ends the name of a part, after six characters that no other part of the file has.
const PART: &str = ".part";

/// A file that is being written.
#[derive(Debug)]
pub struct Part {
    file: File,
    path: PathBuf,
    placed: bool,
}

impl Part {
    /// A new file `.NAME.??????.part` in `folder`, with the permissions of any new file. Parts of
    /// the same name that a killed process has left are removed.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn new(folder: &Path, name: &str) -> io::Result<Self> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let prefix = format!(".{}.", shortened(name));
        sweep(folder, &prefix);
        for _ in 0..16 {
            let made = tempfile::Builder::new().prefix(&prefix).suffix(PART).make_in(
                folder,
                // With the umask of the user, not for the owner alone.
                |path| OpenOptions::new().write(true).create_new(true).open(path),
            )?;
            let (file, path) = made.into_parts();
            // Held until it is closed. Where a file system knows no locks, left-overs stay.
            let _ = file.try_lock();
            let path = path.keep().map_err(|e| e.error)?;
            // Between its making and the lock another process may have taken it for a left-over.
            if path.exists() {
                return Ok(Part { file, path, placed: false });
            }
        }
        Err(io::Error::other("others remove the file while it is made"))
    }

    /// Its path until it is placed.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Lets everybody read it, whatever the umask.
    ///
    /// # Errors
    /// The file system knows no permissions.
    pub fn let_all_read(&self) -> io::Result<()> {
        #[cfg(unix)]
        self.file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
        Ok(())
    }

    /// Sees it on the disk, and puts it in the place of `target`.
    ///
    /// # Errors
    /// The disk is full, or the target cannot be replaced.
    pub fn place(self, target: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        self.rename(target)?;
        sync_folder(target);
        Ok(())
    }

    fn rename(mut self, target: &Path) -> io::Result<()> {
        fs::rename(&self.path, target)?;
        self.placed = true;
        Ok(())
    }
}

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Part {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.placed {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// File names may have 255 bytes.
fn shortened(name: &str) -> &str {
    let mut end = name.len().min(200);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or_default()
}

/// Removes what killed processes have left.
fn sweep(folder: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let left_over =
            name.to_str().and_then(|name| name.strip_prefix(prefix)?.strip_suffix(PART));
        let ours = left_over.is_some_and(|random| {
            random.len() == 6 && random.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        if !ours || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
            continue;
        }
        let Ok(file) = OpenOptions::new().write(true).open(entry.path()) else { continue };
        match file.try_lock() {
            Ok(()) => {
                let _ = fs::remove_file(entry.path());
            }
            // A process is writing it, or the file system knows no locks.
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

/// So that the new name survives a loss of power; not every system can.
pub fn sync_folder(file: &Path) {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Ok(folder) = File::open(folder.unwrap_or(Path::new("."))) {
        let _ = folder.sync_all();
    }
}

/// Where a command writes. Dropped without [`Output::finish`], a file is as it was.
#[derive(Debug)]
pub enum Output {
    /// Standard output.
    Stdout(BufWriter<io::Stdout>),
    /// A pipe or a device.
    Stream(BufWriter<File>),
    /// A file that appears when it is whole.
    File {
        /// What is written so far, under another name.
        part: BufWriter<Part>,
        /// The name it gets.
        target: PathBuf,
    },
}

impl Output {
    /// Standard output, buffered.
    pub fn stdout() -> Self {
        Output::Stdout(BufWriter::new(io::stdout()))
    }

    /// Writes to `path`: a file appears, or replaces the old one, when it is finished; what is no
    /// file (a pipe, `/dev/stdout`) is written to directly.
    ///
    /// # Errors
    /// The file may not be written, or its folder.
    pub fn create(path: &Path) -> io::Result<Self> {
        let target = followed(path)?;
        let before = match fs::metadata(&target) {
            Ok(found) if found.is_dir() => return Err(ErrorKind::IsADirectory.into()),
            Ok(found) if !found.is_file() || is_stream(path) => {
                let file = OpenOptions::new().write(true).open(path)?;
                return Ok(Output::Stream(BufWriter::new(file)));
            }
            Ok(found) => Some(found.permissions()),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        if before.is_some() {
            // A file that is protected is not replaced.
            OpenOptions::new().write(true).open(&target)?;
        }
        let name = target.file_name().ok_or(ErrorKind::InvalidInput)?.to_string_lossy();
        let part = Part::new(target.parent().unwrap_or(Path::new("")), &name)?;
        if let Some(permissions) = before {
            part.file.set_permissions(permissions)?;
        }
        Ok(Output::File { part: BufWriter::new(part), target })
    }

    /// Sees all of it written; a file takes its place.
    ///
    /// # Errors
    /// The disk is full, the reader of a pipe is gone …
    pub fn finish(self) -> io::Result<()> {
        match self {
            Output::Stdout(mut out) => out.flush(),
            Output::Stream(mut out) => out.flush(),
            Output::File { part, target } => {
                part.into_inner().map_err(|e| e.into_error())?.place(&target)
            }
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Output::Stdout(out) => out.write(bytes),
            Output::Stream(out) => out.write(bytes),
            Output::File { part, .. } => part.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Output::Stdout(out) => out.flush(),
            Output::Stream(out) => out.flush(),
            Output::File { part, .. } => part.flush(),
        }
    }
}

/// Finishes two outputs that belong together: both are on the disk before the first takes its place,
/// and nothing is between the two steps. A kill just there leaves one of them new and the other old,
/// each whole: no system puts two files in place at once.
///
/// # Errors
/// Those of [`Output::finish`].
pub fn finish_both(one: Output, other: Output) -> io::Result<()> {
    match (one, other) {
        (Output::File { part: one, target: to }, Output::File { part: other, target: and }) => {
            let one = one.into_inner().map_err(|e| e.into_error())?;
            let other = other.into_inner().map_err(|e| e.into_error())?;
            one.file.sync_all()?;
            other.file.sync_all()?;
            one.rename(&to)?;
            other.rename(&and)?;
            sync_folder(&and);
            Ok(())
        }
        (one, other) => {
            one.finish()?;
            other.finish()
        }
    }
}

/// Writes a whole file.
///
/// # Errors
/// Those of [`Output::create`] and [`Output::finish`].
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut out = Output::create(path)?;
    out.write_all(bytes)?;
    out.finish()
}

/// Whether the path names what is open already (`/dev/stdout`, `/proc/self/fd/3`), which may be a
/// file.
fn is_stream(path: &Path) -> bool {
    path.starts_with("/dev") || path.starts_with("/proc")
}

/// Where the links of `path` lead: they stay, and the file behind them is replaced.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut at = path.to_owned();
    for _ in 0..40 {
        match fs::symlink_metadata(&at) {
            Ok(found) if found.is_symlink() && !is_stream(&at) => {
                let to = fs::read_link(&at)?;
                at = at.parent().unwrap_or(Path::new("")).join(to);
            }
            _ => return Ok(at),
        }
    }
    Err(io::Error::other("its links go in a circle"))
}

/// Whether both are one file, under whatever names.
pub fn same_file(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(a), Ok(b)) => same(&a, &b) || canonical(one) == canonical(other),
        // One that is not there yet has a name only.
        _ => canonical(one) == canonical(other),
    }
}

/// Whether standard output goes to the file.
pub fn is_stdout(path: &Path) -> bool {
    let stdout = Path::new("/dev/stdout");
    matches!(fs::metadata(stdout), Ok(found) if found.is_file()) && same_file(stdout, path)
}

#[cfg(unix)]
fn same(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

#[cfg(not(unix))]
fn same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    false
}

/// The path without links; of a file that is not there yet, its folder's.
fn canonical(path: &Path) -> Option<PathBuf> {
    let path = followed(path).ok()?;
    if let Ok(path) = path.canonicalize() {
        return Some(path);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
    Some(folder.join(path.file_name()?))
}

#[cfg(test)]
mod tests;
