//! One run at a time writes to a store file.

use std::{
    fs::{File, OpenOptions, TryLockError},
    path::Path,
};

use super::StoreError;

/// Held for the length of a run; the system releases it even when the process is killed.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Locks `<store>.lock`.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if another run has it.
    pub fn acquire(store: &Path) -> Result<Self, StoreError> {
        let mut name = store.as_os_str().to_owned();
        name.push(".lock");
        let fail = |source| StoreError::Lock { path: store.to_owned(), source };
        if let Some(folder) = store.parent() {
            std::fs::create_dir_all(folder).map_err(fail)?;
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&name)
            .map_err(fail)?;
        match file.try_lock() {
            Ok(()) => Ok(RunLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::InUse(store.to_owned())),
            Err(TryLockError::Error(source)) => Err(fail(source)),
        }
    }
}
