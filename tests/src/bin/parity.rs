//! `parity [--model NAME]... [--path NAME] [--threads N] [--bless]`: computes the digests of the
//! parity set on this machine and compares them with `goldens/parity.json`. Models: vit_b_32,
//! second_shape, tiny [default: all]. `--bless` writes those of the named models anew;
//! other bits than before only under a `NUMERICS_VERSION` that has been raised.

use std::process::ExitCode;

use clip_core::{KernelPath, NUMERICS_VERSION};
use clip_tests::{goldens::Golden, parity};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("parity: {message}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    let (mut models, mut path, mut bless) = (Vec::new(), None, false);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--model" => models.push(value()?),
            "--path" => {
                let name = value()?;
                let found = KernelPath::available().into_iter().find(|p| p.name() == name);
                path = Some(found.ok_or(format!("path {name} cannot run here"))?);
            }
            "--threads" => {
                let count = value()?.parse().map_err(|e| format!("--threads: {e}"))?;
                parity::set_threads(count)?;
            }
            "--bless" => bless = true,
            other => return Err(format!("unknown argument {other}")),
        }
    }
    if models.is_empty() {
        models = Golden::NAMES.map(str::to_owned).to_vec();
    }
    let mut got = parity::Digests::new();
    for model in &models {
        let golden = Golden::named(model).ok_or(format!("unknown model {model}"))?;
        let clip = golden.load(path);
        println!("{model} on {:?}, {}", clip.path(), std::env::consts::ARCH);
        got.append(&mut parity::digests(&golden, &clip)?);
    }
    if bless {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/goldens/parity.json");
        let mut all = parity::blessed();
        all.bless(&models, got, NUMERICS_VERSION)?;
        let json = serde_json::to_string_pretty(&all).map_err(|e| e.to_string())?;
        return std::fs::write(file, json + "\n").map_err(|e| format!("{file}: {e}"));
    }
    let lines = parity::differences(&parity::expected(), &got);
    // In the words of Rust's harness, so that one program counts both.
    let result = if lines.is_empty() { "ok" } else { "FAILED" };
    let passed = got.len() - lines.len();
    println!("test result: {result}. {passed} passed; {} failed; 0 ignored", lines.len());
    if lines.is_empty() { Ok(()) } else { Err(lines.join("\n")) }
}
