//! `cargo xtask bench decode`: file bytes to RGB pixels, beside Pillow, taking turns.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use clip_core::{
    config::PreprocessConfig,
    image::{Limits, Processor, Profile},
    trace::sha256,
};
use serde_json::Value;

use crate::process::root;

pub(crate) fn run(python: Option<&str>, rounds: usize) -> Result<()> {
    let Some(python) = python else {
        println!("decode: SKIPPED, Pillow draws the pictures and is the peer (--python PYTHON)");
        return Ok(());
    };
    let folder = root().join("target/bench-decode");
    let mut pillow = Pillow::start(python, &folder)?;
    println!("Pillow {}, {}, one thread each, median of {rounds}, ms:\n", pillow.versions, cpu());
    println!("| 1200x1600 | kB | ours | Pillow, loaded | as RGB |\n|---|---:|---:|---:|---:|");
    let config = PreprocessConfig::clip(224);
    let processor = Processor::new(&config, Profile::HF_ENDPOINT, Limits::default());
    for (what, name) in pillow.files.clone() {
        let bytes = fs::read(folder.join(&name)).with_context(|| name.clone())?;
        let decode = || processor.decode(&bytes).with_context(|| name.clone());
        let same = pillow.ask(&format!("digest {name}"))? == sha256(&decode()?.rgb.data);
        ensure!(same, "{name}: Pillow has other pixels");
        let [mut ours, mut loaded, mut as_rgb] = [const { Vec::new() }; 3];
        for _ in 0..rounds.max(1) {
            let start = Instant::now();
            let decoded = decode()?;
            ours.push(start.elapsed().as_secs_f64() * 1e3);
            drop(decoded);
            let theirs = pillow.ask(&name)?;
            for (times, time) in
                [&mut loaded, &mut as_rgb].into_iter().zip([&theirs[0], &theirs[1]])
            {
                times.push(time.as_f64().context("Python said no number")?);
            }
        }
        let [ours, loaded, as_rgb] = [ours, loaded, as_rgb].map(median);
        let theirs = |ms: f64| format!("{ms:.1} ({:.2}x)", ms / ours);
        let kb = bytes.len() / 1000;
        println!("| {what} | {kb} | {ours:.1} | {} | {} |", theirs(loaded), theirs(as_rgb));
    }
    println!("\nIn brackets: so many times our time. All pixels are the same.");
    Ok(())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The processor's name, where the system tells.
fn cpu() -> String {
    let told = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = told.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or("an unknown processor".into(), |(_, name)| name.into())
}

/// tests/reference/time_images.py.
struct Pillow {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    versions: String,
    /// What they are, and their names.
    files: Vec<(String, String)>,
}

impl Pillow {
    fn start(python: &str, folder: &Path) -> Result<Pillow> {
        let mut command = Command::new(python);
        command.arg(root().join("tests/reference/time_images.py")).arg(folder);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.with_context(|| format!("cannot start {python}"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            anyhow::bail!("no pipes to {python}");
        };
        let output = BufReader::new(output);
        let mut pillow =
            Pillow { child, input, output, versions: String::new(), files: Vec::new() };
        let told = pillow.answer()?;
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        pillow.versions = format!(
            "{} (libjpeg-turbo {}, zlib-ng {}, libwebp {}, libavif {}, libtiff {})",
            text(&told["pillow"]),
            text(&told["libjpeg_turbo"]),
            text(&told["zlib_ng"]),
            text(&told["webp"]),
            text(&told["avif"]),
            text(&told["libtiff"]),
        );
        let files = told["files"].as_array().into_iter().flatten();
        pillow.files = files.map(|file| (text(&file[0]), text(&file[1]))).collect();
        Ok(pillow)
    }

    fn ask(&mut self, request: &str) -> Result<Value> {
        writeln!(self.input, "{request}")?;
        self.answer()
    }

    fn answer(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        serde_json::from_str(&line).with_context(|| format!("Python said {line:?}"))
    }
}

impl Drop for Pillow {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
