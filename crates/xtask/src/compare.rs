//! `cargo xtask compare`: any folder of images, here and by `transformers`.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use clip_core::{
    config::PreprocessConfig,
    image::{Limits, Processor, Profile},
    trace::sha256_f32,
};
use serde_json::Value;

use crate::{mutants, process::root};

/// Compares the pixel values of every file of a folder with those of `transformers`, bit for bit, and
/// counts per format and preset: equal, different, read only here, read only there, read by neither.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Folder of images; its folders too. With --mutants: where they are written.
    folder: PathBuf,
    /// First writes so many damaged copies of the corpus for each format, the same each time.
    #[arg(long, value_name = "N")]
    mutants: Option<usize>,
    /// Which damage, with --mutants.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "mutants")]
    seed: u64,
    /// A Python with tests/reference/requirements-images.txt, for the presets of transformers 5.
    #[arg(long, value_name = "PYTHON", required_unless_present = "python4")]
    python: Option<String>,
    /// A Python with tests/reference/requirements-4.txt, for the others.
    #[arg(long, value_name = "PYTHON")]
    python4: Option<String>,
    /// Lists every file that is not equal, not only the first ten of a kind.
    #[arg(long)]
    all: bool,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Equal,
    Different,
    OnlyOurs,
    OnlyTheirs,
    Neither,
}

impl Verdict {
    const ALL: [(Verdict, &str); 5] = [
        (Verdict::Equal, "equal"),
        (Verdict::Different, "differ"),
        (Verdict::OnlyOurs, "only ours"),
        (Verdict::OnlyTheirs, "only theirs"),
        (Verdict::Neither, "neither"),
    ];

    fn of(ours: &Result<String, String>, theirs: &str) -> Self {
        match (ours, theirs.starts_with("error")) {
            (Ok(ours), false) if ours == theirs => Verdict::Equal,
            (Ok(_), false) => Verdict::Different,
            (Ok(_), true) => Verdict::OnlyOurs,
            (Err(_), false) => Verdict::OnlyTheirs,
            (Err(_), true) => Verdict::Neither,
        }
    }
}

/// Examples of each verdict that are shown.
const SHOWN: usize = 10;

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if let Some(count) = arguments.mutants {
        let corpus = root().join("tests/corpus");
        mutants::write(&corpus, &arguments.folder, count, arguments.seed)?;
    }
    let files = files(&arguments.folder)?;
    if files.is_empty() {
        bail!("{} holds no files", arguments.folder.display());
    }
    println!("{} files", files.len());
    let mut counts: BTreeMap<(String, String), BTreeMap<Verdict, usize>> = BTreeMap::new();
    let mut examples: BTreeMap<Verdict, Vec<String>> = BTreeMap::new();
    for (major, python) in [(5, &arguments.python), (4, &arguments.python4)] {
        let Some(python) = python else { continue };
        for (path, answer) in files.iter().zip(ask(python, major, &files)?) {
            let bytes = fs::read(path).with_context(|| path.display().to_string())?;
            for (preset, theirs) in answer.as_object().into_iter().flatten() {
                let theirs = theirs.as_str().unwrap_or("error: no text");
                let ours = ours(preset, &bytes)?;
                let verdict = Verdict::of(&ours, theirs);
                let key = (format(&bytes, path, arguments.mutants.is_some()), preset.clone());
                *counts.entry(key).or_default().entry(verdict).or_default() += 1;
                if !matches!(verdict, Verdict::Equal | Verdict::Neither) {
                    let why = ours.err().unwrap_or_else(|| theirs.to_owned());
                    let line = format!("{preset}: {}: {why}", path.display());
                    examples.entry(verdict).or_default().push(line);
                }
            }
        }
    }
    print(&counts);
    for (verdict, name) in Verdict::ALL {
        let Some(lines) = examples.get(&verdict) else { continue };
        println!("\n{name}:");
        let most = if arguments.all { usize::MAX } else { SHOWN };
        lines.iter().take(most).for_each(|line| println!("  {line}"));
        if lines.len() > most {
            println!("  … and {} more (--all)", lines.len() - most);
        }
    }
    Ok(())
}

fn print(counts: &BTreeMap<(String, String), BTreeMap<Verdict, usize>>) {
    print!("{:<10} {:<18}", "format", "preset");
    Verdict::ALL.iter().for_each(|(_, name)| print!(" {name:>11}"));
    println!(" {:>12} {:>12}", "same verdict", "same pixels");
    for ((format, preset), found) in counts {
        print!("{format:<10} {preset:<18}");
        for (verdict, _) in Verdict::ALL {
            print!(" {:>11}", found.get(&verdict).copied().unwrap_or(0));
        }
        let of = |verdict| found.get(&verdict).copied().unwrap_or(0);
        let (equal, both) = (of(Verdict::Equal), of(Verdict::Equal) + of(Verdict::Different));
        let (same, all) = (both + of(Verdict::Neither), found.values().sum::<usize>());
        let percent = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
        println!(" {:>11.2}% {:>11.2}%", percent(same, all), percent(equal, both));
    }
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|e| e != "json" && e != "txt") {
                files.push(fs::canonicalize(path)?);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// By the first bytes where we know them, else by the name; of a mutant what it was before.
fn format(bytes: &[u8], path: &Path, by_name: bool) -> String {
    let named = || path.extension().map_or("?".into(), |e| e.to_string_lossy().to_uppercase());
    if by_name {
        return named();
    }
    clip_core::image::Format::of(bytes).map_or_else(named, |format| format.to_string())
}

/// The digest of the pixel values, or why there are none.
fn ours(preset: &str, bytes: &[u8]) -> Result<Result<String, String>> {
    let profile: Profile = preset.parse().with_context(|| format!("preset {preset}"))?;
    let processor = Processor::new(&PreprocessConfig::clip(224), profile, Limits::default());
    Ok(processor.process(bytes).map(|v| sha256_f32(&v.data)).map_err(|e| e.to_string()))
}

/// What tests/reference/images.py says of each file.
fn ask(python: &str, major: u32, files: &[PathBuf]) -> Result<Vec<Value>> {
    let mut child = Command::new(python)
        .current_dir(root())
        .args(["tests/reference/images.py", "work", &major.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {python}"))?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let lines: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    let writing = thread::spawn(move || {
        let mut input = input;
        // Where it has ended, its status tells.
        let _ = input.as_mut().map(|input| input.write_all((lines.join("\n") + "\n").as_bytes()));
    });
    let output = output.context("no output")?;
    let mut lines = BufReader::new(output).lines();
    let versions = lines.next().context("Python said nothing")??;
    println!("{python}: {versions}");
    let answers = lines.map(|line| Ok(serde_json::from_str(&line?)?)).collect::<Result<Vec<_>>>();
    let _ = writing.join();
    let status = child.wait()?;
    let answers = answers?;
    if !status.success() || answers.len() != files.len() {
        bail!("{python} answered for {} of {} files ({status})", answers.len(), files.len());
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts() {
        let (read, refused) = (Ok("a".to_owned()), Err("not an image".to_owned()));
        assert_eq!(Verdict::of(&read, "a"), Verdict::Equal);
        assert_eq!(Verdict::of(&read, "b"), Verdict::Different);
        assert_eq!(Verdict::of(&read, "error: OSError"), Verdict::OnlyOurs);
        assert_eq!(Verdict::of(&refused, "a"), Verdict::OnlyTheirs);
        assert_eq!(Verdict::of(&refused, "error: OSError"), Verdict::Neither);
    }
}
