//! `cargo xtask fuzz`: every fuzz target for a while, with budgets of time and memory as findings.
//!
//! Built with coverage by the stable compiler and libFuzzer; no sanitizer, because the readers are
//! safe Rust, and memory is counted by the targets' allocator. `cargo +nightly fuzz run --fuzz-dir
//! tests/fuzz TARGET` runs one under AddressSanitizer.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::process::{Cmd, cargo, root, seconds};

/// One target and what differs from the usual budgets.
struct Target {
    name: &'static str,
    /// In tests/fuzz/fuzz_targets.
    program: &'static str,
    /// Longest input, in bytes.
    longest: u32,
    /// Further folders with inputs to start from, below `tests`.
    corpora: &'static [&'static str],
}

const fn target(name: &'static str, longest: u32) -> Target {
    Target { name, program: name, longest, corpora: &[] }
}

/// The decoders again, each from files of one format: its inputs are counted by themselves.
const fn format(name: &'static str, corpora: &'static [&'static str]) -> Target {
    Target { name, program: "decode", longest: 16_000, corpora }
}

const TARGETS: [Target; 17] = [
    target("html", 8192),
    target("sitemap", 8192),
    target("robots", 4096),
    target("csv", 4096),
    target("tsv", 4096),
    target("jsonl", 4096),
    target("merchant", 8192),
    target("xml", 8192),
    target("api", 8192),
    target("pickle", 4096),
    Target {
        name: "decode",
        program: "decode",
        longest: 16_000,
        corpora: &[
            "corpus/jpeg",
            "corpus/png",
            "corpus/webp",
            "corpus/gif",
            "corpus/bmp",
            "corpus/tiff",
            "corpus/avif",
            "corpus/ico",
            "corpus/tga",
            "corpus/pnm",
            "corpus/qoi",
            "corpus/bad",
            "corpus/damaged",
        ],
    },
    format("jpeg", &["corpus/jpeg"]),
    format("tiff", &["corpus/tiff"]),
    format("avif", &["corpus/avif"]),
    target("tokenizer", 4096),
    target("config", 4096),
    target("safetensors", 16_000),
];

/// Programs that need no more than clip-core; the others have the feature of the scraper.
const CORE: [&str; 4] = ["decode", "tokenizer", "config", "safetensors"];

/// What LLVM adds so that libFuzzer sees which branches an input takes.
const COVERAGE: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";
/// One input may take so long, in seconds, and the whole process hold so much, in MiB.
const TIMEOUT: u32 = 10;
const MEMORY: u32 = 1024;

/// Runs all fuzz targets, or the named ones, and prints how many inputs each took and what was
/// found. What is found is kept under tests/fuzz/artifacts; it belongs into tests/fuzz/regressions
/// with its mend.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// For each target; all without a name.
    #[arg(value_name = "TARGET", value_parser = names())]
    targets: Vec<String>,
    /// How long each target runs.
    #[arg(long, value_name = "N", default_value_t = 1.0, conflicts_with = "inputs")]
    minutes: f64,
    /// How many inputs each target takes, instead of a time.
    #[arg(long, value_name = "N")]
    inputs: Option<u64>,
    /// Lists the targets.
    #[arg(long)]
    list: bool,
}

fn names() -> clap::builder::PossibleValuesParser {
    TARGETS.iter().map(|target| target.name).collect::<Vec<_>>().into()
}

struct Outcome {
    name: &'static str,
    inputs: u64,
    time: Duration,
    /// Files with inputs that break a promise.
    found: Vec<PathBuf>,
    /// It ended well.
    sound: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let chosen: Vec<&Target> = TARGETS
        .iter()
        .filter(|target| {
            arguments.targets.is_empty() || arguments.targets.iter().any(|n| n == target.name)
        })
        .collect();
    if arguments.list {
        chosen.iter().for_each(|target| println!("{}", target.name));
        return Ok(());
    }
    let programs = build(&chosen)?;
    let limit = match arguments.inputs {
        Some(inputs) => format!("-runs={inputs}"),
        None => format!("-max_total_time={}", (arguments.minutes * 60.0).ceil()),
    };
    let outcomes: Result<Vec<Outcome>> =
        chosen.iter().map(|target| fuzz(target, &programs, &limit)).collect();
    summary(&outcomes?)
}

/// Builds the targets; gives the folder that they are in.
fn build(targets: &[&Target]) -> Result<PathBuf> {
    let version = Cmd::new("rustc").arg("-vV").probe().context("no rustc")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc does not say what it compiles for")?;
    let folder = root().join("tests/fuzz");
    // With a target named, build scripts and macros are compiled without these flags.
    let mut build = cargo().args("build --release --target").arg(host).env("RUSTFLAGS", COVERAGE);
    for program in targets.iter().map(|t| t.program).collect::<BTreeSet<_>>() {
        build = build.arg("--bin").arg(program);
    }
    // Without the scraper's library it takes a fifth of the time.
    if targets.iter().any(|target| !CORE.contains(&target.program)) {
        build = build.args("--features scraper");
    }
    build.folder(&folder).run()?;
    Ok(folder.join("target").join(host).join("release"))
}

fn fuzz(target: &Target, programs: &std::path::Path, limit: &str) -> Result<Outcome> {
    let Target { name, program, longest, corpora } = target;
    let folder = root().join("tests/fuzz");
    let (grown, kept) = (folder.join("corpus").join(name), folder.join("artifacts").join(name));
    for made in [&grown, &kept] {
        fs::create_dir_all(made).with_context(|| format!("cannot make {}", made.display()))?;
    }
    let before = files(&kept);
    let mut program = Cmd::new(programs.join(program))
        .arg(format!("-artifact_prefix={}/", kept.display()))
        .arg(limit)
        .arg(format!("-timeout={TIMEOUT}"))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .arg(format!("-max_len={longest}"))
        .args("-print_final_stats=1 -verbosity=0")
        .arg(&grown);
    let own = ["seeds", "regressions"].map(|kind| folder.join(kind).join(name));
    let further = corpora.iter().map(|corpus| root().join("tests").join(corpus));
    for start in own.into_iter().chain(further).filter(|folder| folder.is_dir()) {
        program = program.arg(start);
    }
    let started = Instant::now();
    let (status, errors) = program.run_and_read_errors()?;
    let inputs = errors
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or(0);
    let found = files(&kept).into_iter().filter(|file| !before.contains(file)).collect();
    Ok(Outcome { name, inputs, time: started.elapsed(), found, sound: status.success() })
}

fn files(folder: &std::path::Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

fn summary(outcomes: &[Outcome]) -> Result<()> {
    println!("\n{:<12} {:>12} {:>12}  findings", "target", "inputs", "time");
    for Outcome { name, inputs, time, found, sound } in outcomes {
        let note = match (found.as_slice(), sound) {
            ([], true) => "none".to_owned(),
            ([], false) => "it ended with an error and kept no input".to_owned(),
            (found, _) => {
                found.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(" ")
            }
        };
        println!("{name:<12} {inputs:>12} {:>12}  {note}", seconds(*time));
    }
    let bad: Vec<_> =
        outcomes.iter().filter(|o| !o.sound || !o.found.is_empty()).map(|o| o.name).collect();
    if !bad.is_empty() {
        bail!("findings in {}", bad.join(", "));
    }
    let inputs: u64 = outcomes.iter().map(|outcome| outcome.inputs).sum();
    println!("\nNo finding in {inputs} inputs of {} targets.", outcomes.len());
    Ok(())
}
