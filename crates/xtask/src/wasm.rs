//! `cargo xtask wasm`: clip-core for the browser's machine.

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{
    cross::{self, WASM},
    process::{Cmd, root},
    tools::Need,
};

/// Instruction sets that browsers get: what every engine runs, and relaxed SIMD.
const VARIANTS: [(&str, &str); 2] =
    [("fallback", ""), ("relaxed SIMD", "-C target-feature=+simd128,+relaxed-simd")];

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

/// Runs the cross-target checks of tests/wasm in Node, once per instruction set.
pub(crate) fn test() -> Result<String> {
    let script = root().join("tests/wasm/run.mjs");
    if !script.is_file() {
        return Ok("compiles".to_owned());
    }
    let Some(std) = cross::find(WASM) else { bail!("no Rust for {WASM}") };
    let module = std.target_dir(WASM).join("debug/clip_tests_wasm.wasm");
    let node = Cmd::new("node").arg("--version").probe().context("no Node.js")?;
    for (name, flags) in VARIANTS {
        eprintln!("{name}:");
        let cmd = std.cargo("build", WASM).args("-p clip-tests-wasm");
        let cmd = if flags.is_empty() { cmd } else { cmd.env("RUSTFLAGS", flags) };
        cmd.run()?;
        let cmd = Cmd::new("node");
        // Node 20 has relaxed SIMD behind a flag, later versions without.
        let old = node_major(&node).is_some_and(|major| major < 22);
        let cmd = if old { cmd.arg("--experimental-wasm-relaxed-simd") } else { cmd };
        cmd.arg(&script).arg(&module).run().with_context(|| format!("digests, {name}"))?;
    }
    Ok(format!("same bits in Node {node}, {} instruction sets", VARIANTS.len()))
}

/// "v20.20.2" to 20.
pub(crate) fn node_major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::node_major;

    #[test]
    fn node_versions() {
        assert_eq!(node_major("v20.20.2"), Some(20));
        assert_eq!(node_major("20"), None);
    }
}
