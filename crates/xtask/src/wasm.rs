//! `cargo xtask wasm`: the core for the browser's machine, and the same bits there.

use anyhow::{Result, bail};
use clap::Args;

use crate::{
    cross::{self, WASM},
    process::{Cmd, Tests, root},
    tools::Need,
};

/// Builds the cross-target checks for wasm32, with and without relaxed SIMD, and runs them in
/// Node.
#[derive(Debug, Args)]
pub(crate) struct Arguments {}

/// An engine rejects a module with instructions that it does not know, so there are two.
const VARIANTS: [(&str, &str, &str); 2] = [
    ("relaxed", "+simd128,+relaxed-simd", "wasm-relaxed"),
    ("fallback", "+simd128", "wasm-emulated"),
];
/// Node before 21 has relaxed SIMD behind this flag.
const RELAXED_FLAG: &str = "--experimental-wasm-relaxed-simd";

pub(crate) fn run(Arguments {}: &Arguments) -> Result<()> {
    for need in [Need::Std(WASM), Need::Node] {
        println!("{}: {}", need.name(), need.ensure()?);
    }
    println!("{}", check()?);
    Ok(())
}

/// Builds and runs both variants.
pub(crate) fn check() -> Result<Tests> {
    let Some(std) = cross::find(WASM) else { bail!("no Rust for {WASM}") };
    let mut total = Tests::default();
    for (variant, features, fastest) in VARIANTS {
        let target_dir = cross::target_dir().join("wasm").join(variant);
        std.cargo("build", WASM)
            .args("-p clip-tests-wasm --release")
            .env("RUSTFLAGS", format!("-C target-feature={features}"))
            .env("CARGO_TARGET_DIR", &target_dir)
            .run()?;
        let module = target_dir.join(WASM).join("release/clip_tests_wasm.wasm");
        let known = Cmd::new("node").arg(RELAXED_FLAG).args("-e 0").probe().is_some();
        let node = Cmd::new("node");
        let node = if known && variant == "relaxed" { node.arg(RELAXED_FLAG) } else { node };
        let node = node.arg(root().join("tests/wasm/run.mjs")).arg(module);
        let node = node.arg(format!("--path={fastest}"));
        // The full-size model takes minutes without a fused instruction.
        let node = if variant == "relaxed" { node.arg("--full") } else { node };
        let tests = node.run_tests()?;
        total.passed += tests.passed;
        total.ignored += tests.ignored;
    }
    Ok(total)
}
