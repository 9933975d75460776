//! `cargo xtask goldens`: how the reference values in tests/goldens are made again.

use std::{fs, path::Path};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::process::{Cmd, root};

/// Shows (or runs, with --run) the Python scripts that make the reference values of the tests.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Which maker; all without a name.
    name: Option<String>,
    /// Makes a virtual environment under target/, installs the pinned versions, runs the script.
    #[arg(long)]
    run: bool,
    /// The Python to start from.
    #[arg(long, default_value = "python3")]
    python: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let reference = root().join("tests/reference");
    let mut found = makers(&reference)?;
    if let Some(name) = &arguments.name {
        if !found.contains(name) {
            bail!("there is no maker {name}; there are: {}", found.join(", "));
        }
        found.retain(|maker| maker == name);
    }
    for name in found {
        let venv = format!("target/goldens-{name}");
        let steps = [
            format!("{} -m venv {venv}", arguments.python),
            format!("{venv}/bin/pip install -r tests/reference/requirements-{name}.txt"),
            format!("{venv}/bin/python tests/reference/{name}.py"),
        ];
        if !arguments.run {
            println!("{name}:\n  {}", steps.join("\n  "));
            continue;
        }
        for step in steps {
            let (program, args) = step.split_once(' ').unwrap_or((&step, ""));
            Cmd::new(program).args(args).run()?;
        }
        println!("made tests/goldens/{name}*; `git diff --stat` shows what changed");
    }
    Ok(())
}

/// A maker is a script NAME.py with pinned versions in requirements-NAME.txt beside it.
fn makers(reference: &Path) -> Result<Vec<String>> {
    let entries = fs::read_dir(reference)
        .with_context(|| format!("could not read the folder {}", reference.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| {
            let file = entry.file_name().into_string().ok()?;
            let name = file.strip_prefix("requirements-")?.strip_suffix(".txt")?.to_owned();
            reference.join(format!("{name}.py")).is_file().then_some(name)
        })
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makers_are_scripts_with_pinned_versions() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.py", "a.py", "alone.py", "requirements-a.txt", "requirements-b.txt"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        fs::write(dir.path().join("requirements-gone.txt"), "").unwrap();
        assert_eq!(makers(dir.path()).unwrap(), ["a", "b"]);
    }
}
