//! The workspace's own programs, as paths and commands.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Result, ensure};

use crate::{
    cross::target_dir,
    process::{Cmd, cargo},
};

/// A program of the release profile, which must have been built: `scraper`, `examples/alone`.
pub(crate) fn released(name: &str) -> Result<PathBuf> {
    built("release", name)
}

/// A program in the state in which the tests use it. Built with them: a package built alone gets
/// other features of its dependencies, and so all of them anew, which takes minutes.
pub(crate) fn tested(name: &str) -> Result<Cmd> {
    Ok(Cmd::new(tested_file(name)?))
}

/// Where it is.
pub(crate) fn tested_file(name: &str) -> Result<PathBuf> {
    static BUILT: AtomicBool = AtomicBool::new(false);
    if !BUILT.load(Ordering::Relaxed) {
        cargo().args("test --workspace --no-run --quiet").run()?;
        BUILT.store(true, Ordering::Relaxed);
    }
    built("debug", name)
}

/// Where a program is that has been built.
pub(crate) fn built(profile: &str, name: &str) -> Result<PathBuf> {
    let program = target_dir().join(profile).join(name);
    let program = program.with_extension(std::env::consts::EXE_EXTENSION);
    ensure!(program.is_file(), "the build left no {}", program.display());
    Ok(program)
}
