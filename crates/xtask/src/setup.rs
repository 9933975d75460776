//! `cargo xtask setup`: looks for everything the chores need and installs what is missing.

use anyhow::{Result, bail};
use clap::Args;

use crate::{cross, tools::Need};

const NEEDS: [Need; 17] = [
    Need::Rustc,
    Need::Rustfmt,
    Need::Clippy,
    Need::Cc,
    Need::StdSource(cross::WASM),
    Need::Std(cross::AARCH64),
    Need::Aarch64Gcc,
    Need::Qemu,
    Need::Node,
    Need::Npm,
    Need::Chromium,
    Need::Firefox,
    Need::WebKit,
    Need::Vulkan,
    Need::Python,
    Need::Curl,
    Need::Java,
];

/// Finds or installs what the other commands need (compilers for wasm32 and aarch64, qemu,
/// browsers).
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// For automatic runs: anything that stays missing is a failure.
    #[arg(long)]
    ci: bool,
    /// Only looks.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let mut missing = Vec::new();
    for need in NEEDS {
        let state = if arguments.check {
            need.found().ok_or_else(|| "missing".to_owned())
        } else {
            need.ensure().map_err(|e| format!("{e:#}"))
        };
        let (mark, text) = match &state {
            Ok(found) => ("ok", found),
            Err(why) => ("--", why),
        };
        println!("{mark}  {:<34} {text}", need.name());
        if state.is_err() {
            missing.push(need);
        }
    }
    // Without these nothing builds; without the others a test stage cannot run, and fails.
    let vital = [Need::Rustc, Need::Cc];
    let fatal: Vec<String> = missing
        .iter()
        .filter(|need| arguments.ci || vital.contains(need))
        .map(|need| need.name())
        .collect();
    if !fatal.is_empty() {
        bail!("missing: {}", fatal.join(", "));
    }
    if !missing.is_empty() {
        println!(
            "Stages of `cargo xtask test` that need what is missing will fail, unless --skip names them."
        );
    }
    Ok(())
}
