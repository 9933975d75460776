//! `cargo xtask test`: every check of the project, as named stages.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;

use crate::{
    cross::{self, AARCH64},
    lavapipe,
    process::{cargo, seconds},
    python,
    tools::Need,
    web, www,
};

/// One check. What it returns is a note for the summary.
struct Stage {
    name: &'static str,
    about: &'static str,
    needs: &'static [Need],
    run: fn() -> Result<String>,
}

const WEB_NEEDS: [Need; 6] = {
    let [source, node, npm] = web::BUILD_NEEDS;
    [source, node, npm, Need::Chromium, Need::Firefox, Need::WebKit]
};

const WWW_NEEDS: [Need; 4] = {
    let [source, node, npm] = web::BUILD_NEEDS;
    [source, node, npm, Need::Chromium]
};

const STAGES: &[Stage] = &[
    Stage {
        name: "fmt",
        about: "formatting",
        needs: &[Need::Rustfmt],
        run: || {
            cargo().args("fmt --all --check").run()?;
            Ok(String::new())
        },
    },
    Stage {
        name: "clippy",
        about: "lints, all targets, and the documentation; warnings are errors",
        needs: &[Need::Clippy, Need::Cc],
        run: || {
            cargo().args("clippy --workspace --all-targets -- -D warnings").run()?;
            let doc = cargo().args("doc --quiet --workspace --no-deps");
            doc.env("RUSTDOCFLAGS", "-D warnings").run()?;
            Ok(String::new())
        },
    },
    Stage {
        name: "test",
        about: "all tests on this machine",
        needs: &[Need::Cc, Need::Python, Need::Curl, Need::Vulkan],
        run: || {
            let tests = cargo().args("test --workspace").run_tests()?;
            Ok(match lavapipe::tests()? {
                Some(fused) => format!("{}, {} on a Vulkan device that fuses", tests, fused.passed),
                None => tests.to_string(),
            })
        },
    },
    Stage {
        name: "web",
        about: "the browser package: the same bits in Node, Chromium, Firefox and WebKitGTK, sizes, faults",
        needs: &WEB_NEEDS,
        run: || Ok(web::check()?.to_string()),
    },
    Stage {
        name: "www",
        about: "the demo page in Chromium: all its tools, accessibility, planted differences",
        needs: &WWW_NEEDS,
        run: || Ok(www::check()?.to_string()),
    },
    Stage {
        name: "python",
        about: "the Python wheel: bits, errors, types; Ray and Spark with workers that die",
        needs: &python::NEEDS,
        run: || Ok(python::check()?.to_string()),
    },
    Stage {
        name: "aarch64",
        about: "clip-core, clip-kernels and the parity digests on aarch64, under qemu",
        needs: &[Need::Std(AARCH64), Need::Aarch64Gcc, Need::Qemu],
        run: aarch64,
    },
];

/// Runs every check: formatting, lints, tests, wasm32, aarch64 under qemu.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Only this stage; may be repeated.
    #[arg(long, value_name = "STAGE", value_parser = names())]
    only: Vec<String>,
    /// Not this stage; may be repeated. Any other stage that cannot run is a failure.
    #[arg(long, value_name = "STAGE", value_parser = names())]
    skip: Vec<String>,
    /// Says nothing any more: a stage that cannot run is a failure in every run.
    #[arg(long, hide = true)]
    ci: bool,
    /// Lists the stages.
    #[arg(long)]
    list: bool,
}

fn names() -> clap::builder::PossibleValuesParser {
    STAGES.iter().map(|stage| stage.name).collect::<Vec<_>>().into()
}

enum Outcome {
    Passed(String),
    Failed(anyhow::Error),
    NotRun(String),
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.list {
        for stage in STAGES {
            println!("{:<8} {}", stage.name, stage.about);
        }
        return Ok(());
    }
    let chosen = STAGES.iter().filter(|stage| {
        let named = |list: &[String]| list.iter().any(|name| name == stage.name);
        (arguments.only.is_empty() || named(&arguments.only)) && !named(&arguments.skip)
    });
    if let Some(few) = short_of_space() {
        eprintln!("warning: {few}");
    }
    let results: Vec<(&Stage, Outcome, Duration)> = chosen
        .map(|stage| {
            eprintln!("\n== {}: {}", stage.name, stage.about);
            let start = Instant::now();
            (stage, outcome(stage), start.elapsed())
        })
        .collect();
    summary(&results, &arguments.skip)
}

/// What all stages leave in `target` and `web`, in GB.
const SPACE: u64 = 20;

/// Says so if the disk has less room than that: a build may then end in the middle.
fn short_of_space() -> Option<String> {
    let disk = rustix::fs::statvfs(".").ok()?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize) / 1_000_000_000;
    (free < SPACE).then(|| {
        format!("{free} GB are free on this disk; all stages from a fresh clone take about {SPACE}")
    })
}

fn outcome(stage: &Stage) -> Outcome {
    for need in stage.needs {
        if let Err(why) = need.ensure() {
            let reason = format!("{} is missing: {why:#}", need.name());
            eprintln!("{reason}");
            return Outcome::NotRun(reason);
        }
    }
    match (stage.run)() {
        Ok(note) => Outcome::Passed(note),
        Err(why) => {
            eprintln!("error: {why}");
            Outcome::Failed(why)
        }
    }
}

/// How the failed commands ended, the table, and a last line that says it all. A stage that could
/// not run has shown nothing: it fails the run unless it was skipped by name.
fn summary(results: &[(&Stage, Outcome, Duration)], skipped: &[String]) -> Result<()> {
    for (stage, outcome, _) in results {
        if let Outcome::Failed(why) = outcome {
            println!("\n== {} FAILED: {why:#}", stage.name);
        }
    }
    println!("\n{:<9} {:<8} {:>12}  note", "stage", "result", "time");
    let (mut failed, mut not_run) = (Vec::new(), Vec::new());
    for (stage, outcome, time) in results {
        let (word, note) = match outcome {
            Outcome::Passed(note) => ("passed", note.clone()),
            Outcome::Failed(why) => {
                failed.push(stage.name);
                ("FAILED", why.to_string())
            }
            Outcome::NotRun(why) => {
                not_run.push(stage.name);
                ("NOT RUN", why.clone())
            }
        };
        println!("{:<9} {word:<8} {:>12}  {note}", stage.name, seconds(*time));
    }
    println!();
    if results.is_empty() {
        bail!("no stage is left to run");
    }
    let all = results.len();
    let mut wrong = Vec::new();
    if !failed.is_empty() {
        wrong.push(format!("{} of {all} stages ({})", failed.len(), failed.join(", ")));
    }
    if !not_run.is_empty() {
        let names = not_run.join(", ");
        wrong.push(format!("NOT RUN: {names} (--skip leaves a stage out by name)"));
    }
    if !wrong.is_empty() {
        wrong.extend(short_of_space());
        bail!("FAILED: {}", wrong.join("; "));
    }
    match skipped {
        [] => println!("PASSED: all {all} stages"),
        skipped => println!("PASSED: {all} stages; skipped: {}", skipped.join(", ")),
    }
    Ok(())
}

/// The own tests of clip-core and clip-kernels, and the parity digests, as aarch64 programs.
fn aarch64() -> Result<String> {
    let Some(std) = cross::find(AARCH64) else { bail!("no Rust for {AARCH64}") };
    let run = |subcommand: &str, args: &str| {
        std.cargo(subcommand, AARCH64)
            .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc")
            .env(
                "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER",
                "qemu-aarch64 -L /usr/aarch64-linux-gnu",
            )
            .args(args)
            .run_tests()
    };
    let mut total = run("test", "-p clip-core -p clip-kernels --lib")?;
    // Under emulation the full-size model would take minutes for each picture.
    for path in ["neon", "scalar"] {
        let args =
            "-p clip-tests --bin parity -- --model second_shape --model tiny --threads 2 --path";
        let parity = run("run", &format!("{args} {path}"))?;
        total.passed += parity.passed;
    }
    Ok(total.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(outcomes: Vec<Outcome>, skipped: &[String]) -> Result<()> {
        let results: Vec<_> =
            STAGES.iter().zip(outcomes).map(|(s, o)| (s, o, Duration::ZERO)).collect();
        summary(&results, skipped)
    }

    #[test]
    fn a_stage_that_could_not_run_fails_the_run_unless_it_is_skipped_by_name() {
        let passed = || Outcome::Passed(String::new());
        let missing = Outcome::NotRun("Firefox is missing".into());
        let error = ends(vec![passed(), missing], &[]).unwrap_err().to_string();
        assert!(error.contains("NOT RUN: clippy"), "{error}");
        let both = vec![Outcome::Failed(anyhow::anyhow!("x")), Outcome::NotRun("y".into())];
        let error = ends(both, &[]).unwrap_err().to_string();
        assert!(error.contains("1 of 2 stages (fmt); NOT RUN: clippy"), "{error}");
        ends(vec![passed()], &["web".into()]).expect("what was skipped is no failure");
        assert!(ends(vec![], &["fmt".into()]).is_err(), "nothing ran");
    }
}
