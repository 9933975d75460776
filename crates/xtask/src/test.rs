//! `cargo xtask test`: every check of the project, as named stages.

mod summary;
mod turns;

use anyhow::{Result, bail};
use clap::Args;

use crate::{
    cross::{self, AARCH64},
    lavapipe,
    process::{Cmd, cargo},
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
        name: "aarch64",
        about: "clip-core, clip-kernels and the parity digests on aarch64, under qemu",
        needs: &[Need::Std(AARCH64), Need::Aarch64Gcc, Need::Qemu],
        run: aarch64,
    },
    Stage {
        name: "python",
        about: "the Python wheel: bits, errors, types; Ray and Spark with workers that die",
        needs: &python::NEEDS,
        run: || Ok(python::check()?.to_string()),
    },
];

/// These run in turn, in processes of their own, beside [`BROWSERS`], which leave a core to others
/// for most of their time. The last one builds where the browsers' stages begin with building.
const BESIDE: [&str; 2] = ["aarch64", "python"];
const BROWSERS: [&str; 2] = ["web", "www"];

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
    if let Some(few) = summary::short_of_space() {
        eprintln!("warning: {few}");
    }
    let (beside, chosen): (Vec<&Stage>, Vec<&Stage>) =
        chosen.partition(|stage| BESIDE.contains(&stage.name));
    let browsers = chosen.iter().position(|stage| BROWSERS.contains(&stage.name));
    let (before, browsers) = chosen.split_at(browsers.unwrap_or(chosen.len()));
    let mut results = turns::in_turn(before);
    if browsers.is_empty() {
        results.extend(turns::in_turn(&beside));
    } else {
        results.extend(turns::beside(browsers, &beside));
    }
    summary::print(&results, &arguments.skip)
}

/// The own tests of clip-core and clip-kernels, and the parity digests, as aarch64 programs.
fn aarch64() -> Result<String> {
    const QEMU: [&str; 3] = ["qemu-aarch64", "-L", "/usr/aarch64-linux-gnu"];
    let Some(std) = cross::find(AARCH64) else { bail!("no Rust for {AARCH64}") };
    // A test of clip-tests besides, with which its programs are built: in a build of their own all would
    // be built again, with other features.
    let mut total = std
        .cargo("test", AARCH64)
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc")
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", QEMU.join(" "))
        .args("-p clip-core -p clip-kernels -p clip-tests --lib --test tensor_names")
        .run_tests()?;
    let [qemu, options @ ..] = QEMU;
    for path in ["neon", "scalar"] {
        // Under emulation the full-size model would take minutes for each picture.
        let parity = options.into_iter().fold(Cmd::new(qemu), Cmd::arg);
        let parity = parity.arg(std.built(AARCH64, "parity"));
        let parity = parity.args("--model second_shape --model tiny --threads 2 --path").arg(path);
        total.passed += parity.run_tests()?.passed;
    }
    Ok(total.to_string())
}
