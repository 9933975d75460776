//! `cargo xtask python`: the wheel of `clip_everywhere`, and its tests.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{
    model,
    process::{Cmd, Tests, root},
    program,
    tools::Need,
};

const CRATE: &str = "crates/clip-python";
/// What the tests need from PyPI, pinned.
const REQUIREMENTS: &str = "crates/clip-python/tests/requirements.txt";
/// Holds it, below the repository's root.
const ENVIRONMENT: &str = "target/python-venv";

/// What [`check`] cannot do without.
pub(crate) const NEEDS: [Need; 3] = [Need::Cc, Need::Python, Need::Java];

/// Builds the Python wheel into target/wheels.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Builds it quickly instead, installs it, and runs its tests: bits, errors, types, Ray, Spark.
    #[arg(long)]
    test: bool,
    /// Only tests whose names contain this.
    #[arg(long, value_name = "NAME", requires = "test")]
    only: Option<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    // Spark's Java is for the tests.
    for need in NEEDS.into_iter().filter(|need| arguments.test || *need != Need::Java) {
        need.ensure()?;
    }
    if arguments.test {
        println!("{}", test(arguments.only.as_deref())?);
    } else {
        println!("{}", wheel(true)?.display());
    }
    Ok(())
}

/// The stage of `cargo xtask test`.
pub(crate) fn check() -> Result<Tests> {
    test(None)
}

fn test(only: Option<&str>) -> Result<Tests> {
    let scraper = program::tested_file("scraper")?;
    let wheel = wheel(false)?;
    alone(&wheel)?;
    let python = environment(ENVIRONMENT, REQUIREMENTS)?;
    install(&python, &wheel, &["--no-deps", "--force-reinstall"])?;
    let mypy = || Cmd::new(&python).args("-m").folder(&root().join(CRATE));
    mypy().args("mypy --no-error-summary python tests examples").run_shown()?;
    mypy().args("mypy.stubtest clip_everywhere._native").run_shown()?;
    let pytest = Cmd::new(&python).args("-m pytest tests README.md --doctest-glob=*.md");
    let pytest = pytest.args("--doctest-modules --pyargs clip_everywhere -p no:cacheprovider");
    let pytest = match only {
        Some(name) => pytest.arg("-k").arg(name),
        None => pytest,
    };
    pytest.folder(&root().join(CRATE)).env("SCRAPER", scraper).run_tests()
}

/// The wheel beside other libraries, on one thread and on all, in the Python that has them.
pub(crate) fn bench(python: Option<&str>, rounds: usize) -> Result<()> {
    let Some(python) = python else {
        println!("python: left out (--python names a Python with torch and transformers)");
        return Ok(());
    };
    let folder = root().join("target/python-bench");
    // Beside that Python's packages, not among them.
    let _ = fs::remove_dir_all(&folder);
    let flags = ["--no-deps", "--target", &folder.to_string_lossy()];
    install(&environment(ENVIRONMENT, REQUIREMENTS)?, &wheel(true)?, &flags)?;
    let checkpoint = root().join("target/python-bench-model");
    model::write(&checkpoint)?;
    let cores = std::thread::available_parallelism()?.get();
    for threads in [1, cores] {
        let script = format!("{CRATE}/benches/peers.py");
        let script = Cmd::new(python).env("PYTHONPATH", &folder).arg(script).arg(&checkpoint);
        let script = script.args(&format!("--threads {threads} --rounds {rounds}"));
        script.env("HF_HUB_OFFLINE", "1").run()?;
    }
    Ok(())
}

/// Builds the wheel; `release` for people, else as tests use programs.
fn wheel(release: bool) -> Result<PathBuf> {
    let python = environment(ENVIRONMENT, REQUIREMENTS)?;
    let profile = if release { "release" } else { "debug" };
    let out = root().join("target/wheels").join(profile);
    // An older version's would be found beside the new one.
    let _ = fs::remove_dir_all(&out);
    let maturin = Cmd::new(python.with_file_name("maturin")).args("build --locked --quiet");
    let maturin = maturin.arg("--manifest-path").arg(format!("{CRATE}/Cargo.toml"));
    let maturin = maturin.arg("--out").arg(&out);
    match release {
        true => maturin.arg("--release"),
        false => SLOW_TO_COMPILE.iter().fold(maturin, |maturin, package| {
            maturin.arg("--config").arg(format!("profile.dev.package.{package}.opt-level=0"))
        }),
    }
    .run()?;
    let entries = fs::read_dir(&out).context("maturin has left nothing")?;
    let wheel = entries.flatten().map(|entry| entry.path());
    let wheel = wheel.into_iter().find(|path| path.extension().is_some_and(|e| e == "whl"));
    wheel.with_context(|| format!("maturin has left no wheel in {}", out.display()))
}

/// What others wrote and is built for the wheel of the tests alone, with other features than for the
/// tests of the workspace: none of its tests needs speed of these.
const SLOW_TO_COMPILE: [&str; 26] = [
    "axum",
    "cssparser",
    "dom_query",
    "gemm",
    "gemm-c32",
    "gemm-c64",
    "gemm-common",
    "gemm-f16",
    "gemm-f32",
    "gemm-f64",
    "h2",
    "html5ever",
    "hyper",
    "hyper-util",
    "image",
    "markup5ever",
    "numpy",
    "pulp",
    "pyo3",
    "re_rav1d",
    "rusqlite",
    "selectors",
    "tiff",
    "tokenizers",
    "tracing-subscriber",
    "zip",
];

/// In an environment with nothing but what the wheel asks for.
fn alone(wheel: &Path) -> Result<()> {
    let folder = root().join("target/python-alone");
    Cmd::new("python3").args("-m venv --clear").arg(&folder).run()?;
    let python = folder.join("bin/python");
    install(&python, wheel, &[])?;
    let program = "from clip_everywhere import get_image_embedding, Clip; import sys; \
                   print(Clip.load('tiny').embed_texts(['a red dress']).shape, len(sys.modules))";
    Cmd::new(&python).arg("-c").arg(program).run()
}

fn install(python: &Path, wheel: &Path, flags: &[&str]) -> Result<()> {
    let pip = Cmd::new(python).args("-m pip install --quiet --disable-pip-version-check");
    flags.iter().fold(pip, Cmd::arg).arg(wheel).run_shown()
}

/// A Python with the packages of `requirements`, in an environment that is made where it is not
/// there, or is that of other requirements.
pub(crate) fn environment(folder: &str, requirements: &str) -> Result<PathBuf> {
    let (folder, requirements) = (root().join(folder), root().join(requirements));
    let wanted = fs::read_to_string(&requirements)
        .with_context(|| format!("could not read {}", requirements.display()))?;
    let (python, marker) = (folder.join("bin/python"), folder.join("installed.txt"));
    if fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    Cmd::new("python3").args("-m venv --clear").arg(&folder).run()?;
    // What is here is installed once: neither a cache nor bytecode of what is never imported.
    let pip = Cmd::new(&python).args("-m pip install --quiet --disable-pip-version-check");
    let pip = pip.args("--no-cache-dir --no-compile -r").arg(&requirements);
    pip.run_shown()?;
    // The marker is written last.
    fs::write(&marker, wanted).with_context(|| format!("could not write {}", marker.display()))?;
    if !python.is_file() {
        bail!("venv has left no {}", python.display());
    }
    Ok(python)
}
