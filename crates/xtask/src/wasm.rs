//! `cargo xtask wasm`: clip-core for the browser's machine.

use anyhow::{Result, bail};
use clap::Args;

use crate::{
    cross::{self, WASM},
    tools::Need,
};

/// Builds clip-core for wasm32-unknown-unknown.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// With all optimisations.
    #[arg(long)]
    release: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    println!("{}: {}", Need::Std(WASM).name(), Need::Std(WASM).ensure()?);
    build(arguments.release)
}

/// Compiles the core without its optional features; they need threads.
pub(crate) fn build(release: bool) -> Result<()> {
    let Some(std) = cross::find(WASM) else { bail!("no Rust for {WASM}") };
    let cmd = std.cargo("build", WASM).args("-p clip-core --no-default-features --lib");
    if release { cmd.arg("--release") } else { cmd }.run()
}
