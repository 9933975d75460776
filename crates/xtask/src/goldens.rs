//! `cargo xtask goldens`: how the reference values in tests/goldens are made again.

use anyhow::{Result, bail};
use clap::Args;

use crate::process::Cmd;

/// One script of tests/reference.
struct Maker {
    name: &'static str,
    /// Environments to make: folder under target/, pinned versions in tests/reference.
    environments: &'static [(&'static str, &'static str)],
    /// Runs in the first environment.
    arguments: &'static str,
}

const TRANSFORMERS_5: (&str, &str) = ("goldens-5", "requirements-images.txt");
const TRANSFORMERS_4: (&str, &str) = ("goldens-4", "requirements-4.txt");

const MAKERS: [Maker; 4] = [
    Maker {
        name: "model",
        environments: &[("goldens-model", "requirements-model.txt")],
        arguments: "",
    },
    Maker {
        name: "tokens",
        environments: &[("goldens-tokens", "requirements-tokens.txt")],
        arguments: "",
    },
    Maker {
        name: "images",
        environments: &[TRANSFORMERS_5, TRANSFORMERS_4],
        arguments: "goldens --python4 target/goldens-4/bin/python",
    },
    Maker {
        name: "embeddings",
        environments: &[TRANSFORMERS_5, TRANSFORMERS_4],
        arguments: "--python4 target/goldens-4/bin/python",
    },
];

/// Shows (or runs, with --run) the Python scripts that make the reference values of the tests.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Which maker; all without a name.
    name: Option<String>,
    /// Makes virtual environments under target/, installs the pinned versions, runs the script.
    #[arg(long)]
    run: bool,
    /// The Python to start from.
    #[arg(long, default_value = "python3")]
    python: String,
}

impl Maker {
    fn steps(&self, python: &str) -> Vec<String> {
        let mut steps = Vec::new();
        for (folder, versions) in self.environments {
            steps.push(format!("{python} -m venv target/{folder}"));
            let requirements = format!("-r tests/reference/{versions}");
            steps.push(format!("target/{folder}/bin/pip install {requirements}"));
        }
        if let Some((folder, _)) = self.environments.first() {
            let script = format!("tests/reference/{}.py {}", self.name, self.arguments);
            steps.push(format!("target/{folder}/bin/python {}", script.trim_end()));
        }
        steps
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let wanted = |maker: &&Maker| arguments.name.as_deref().is_none_or(|name| name == maker.name);
    let mut chosen = MAKERS.iter().filter(wanted).peekable();
    if chosen.peek().is_none() {
        let names = MAKERS.map(|maker| maker.name).join(", ");
        bail!("there is no such maker; there are: {names}");
    }
    for maker in chosen {
        let steps = maker.steps(&arguments.python);
        if !arguments.run {
            println!("{}:\n  {}", maker.name, steps.join("\n  "));
            continue;
        }
        for step in steps {
            let (program, args) = step.split_once(' ').unwrap_or((&step, ""));
            Cmd::new(program).args(args).run()?;
        }
        println!("made tests/goldens/{}*; `git diff --stat` shows what changed", maker.name);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::root;

    #[test]
    fn scripts_and_pinned_versions_exist() {
        let reference = root().join("tests/reference");
        for maker in &MAKERS {
            assert!(reference.join(format!("{}.py", maker.name)).is_file(), "{}", maker.name);
            for (_, versions) in maker.environments {
                assert!(reference.join(versions).is_file(), "{versions}");
            }
            assert!(maker.steps("python3").len() >= 3);
        }
    }
}
