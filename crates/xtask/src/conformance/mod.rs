//! `cargo xtask conformance`: the real model, where its weights are, against all that is known of it.

mod digests;
mod images;
mod published;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::Value;

use crate::{
    process::{Cmd, cargo, root},
    program,
};
use published::{Input, Table, Vectors};

const PUBLISHED: &str = "tests/goldens/published.json";
const FOLDER: &str = "target/conformance";
/// Images and texts of the drawn corpus, at most.
const DRAWN: usize = 100;

/// Compares the real model with outputs that others have published, with `transformers`, with an
/// endpoint, and with the digests of an earlier run. Says so where weights are missing.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Folder of the model. [default: EMBEDDINGS_MODEL, else the pinned one in the hub's cache]
    #[arg(long, value_name = "DIR")]
    weights: Option<PathBuf>,
    /// A Python with tests/reference/requirements-images.txt: `transformers` beside us.
    #[arg(long, value_name = "PYTHON")]
    python: Option<String>,
    /// An Inference Endpoint of the model; HF_TOKEN opens it.
    #[arg(long, value_name = "URL")]
    endpoint: Option<String>,
    /// Folder with images of the published outputs, looked at before their addresses are asked.
    #[arg(long, value_name = "DIR")]
    images: Option<PathBuf>,
    /// Missing weights are a failure.
    #[arg(long)]
    require: bool,
}

/// The scraper with the model.
struct Model {
    program: PathBuf,
    name: Option<PathBuf>,
}

impl Model {
    /// A subcommand that takes `--model`.
    fn command(&self, subcommand: &str) -> Cmd {
        let command = Cmd::new(&self.program).arg("--quiet").args(subcommand);
        match &self.name {
            Some(name) => command.arg("--model").arg(name),
            None => command,
        }
    }

    /// What `scraper embed` says of each input, in order; failures too.
    fn embed(&self, flags: &str, images: &[PathBuf], texts: &[&str]) -> Result<Vec<Value>> {
        let out = root().join(FOLDER).join("embedded.jsonl");
        let command = self.command("embed --format jsonl").args(flags).arg("--output").arg(&out);
        let command = images.iter().fold(command, Cmd::arg);
        let command = texts.iter().fold(command, |command, text| command.arg("--text").arg(text));
        // 2: some could not be read, which their lines say.
        let (status, _) = command.run_with_code()?;
        ensure!(matches!(status.code(), Some(0 | 2)), "`scraper embed` ended with {status}");
        let lines = fs::read_to_string(&out).context("`scraper embed` has left nothing")?;
        let lines: Vec<Value> =
            lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        ensure!(lines.len() == images.len() + texts.len(), "`scraper embed` has lost an input");
        Ok(lines)
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    cargo().args("build --release -p scraper").run()?;
    let model = Model { program: program::released("scraper")?, name: arguments.weights.clone() };
    fs::create_dir_all(root().join(FOLDER))?;
    let info = Cmd::new(&model.program).args("--quiet model info").env("HF_HUB_OFFLINE", "1");
    let info = model.name.iter().fold(info, Cmd::arg);
    let Some(info) = info.probe() else {
        let what = model.name.as_deref().unwrap_or(Path::new("the configured model"));
        let said = format!(
            "the weights of {} are not on this machine (`scraper model pull` gets them)",
            what.display()
        );
        ensure!(!arguments.require, "{said}");
        println!("SKIPPED: conformance was NOT checked: {said}");
        return Ok(());
    };
    println!("{info}\n");
    let checks: [(&str, Result<String>); 4] = [
        ("published outputs", outputs(&model, arguments.images.as_deref())),
        ("transformers", transformers(&model, arguments.python.as_deref())),
        ("endpoint", endpoint(&model, arguments.endpoint.as_deref())),
        ("stage digests", digests::check(&model)),
    ];
    let mut missed = Vec::new();
    println!();
    for (name, outcome) in checks {
        match outcome {
            Ok(note) => println!("{name:<18} {note}"),
            Err(why) => {
                println!("{name:<18} FAILED: {why:#}");
                missed.push(name);
            }
        }
    }
    match missed.is_empty() {
        true => Ok(()),
        false => bail!("not as published or recorded: {}", missed.join(", ")),
    }
}

/// What others have published.
fn outputs(model: &Model, images: Option<&Path>) -> Result<String> {
    let table: Table = serde_json::from_slice(&fs::read(root().join(PUBLISHED))?)?;
    println!("published outputs of {}:", table.model);
    let mut vectors = Vectors::new();
    let (mut files, mut texts, mut order) = (Vec::new(), Vec::new(), Vec::new());
    for input in table.inputs() {
        match input {
            Input::Text(text) => texts.push((input.clone(), text.as_str())),
            Input::Image(name) => {
                let Some(image) = table.images.get(name) else { bail!("{name} has no address") };
                match images::get(name, image, images, &root().join(FOLDER)) {
                    Ok(path) => {
                        files.push(path);
                        order.push(input.clone());
                    }
                    Err(why) => drop(vectors.insert(input.clone(), Err(format!("{why:#}")))),
                }
            }
        }
    }
    order.extend(texts.iter().map(|(input, _)| input.clone()));
    let texts: Vec<&str> = texts.iter().map(|(_, text)| *text).collect();
    let lines = model.embed("--raw", &files, &texts)?;
    vectors.extend(order.into_iter().zip(lines.iter().map(vector)));
    let (mut compared, mut missed, mut skipped) = (0, Vec::new(), Vec::new());
    for case in &table.cases {
        let verdict = case.judge(&vectors);
        let word = if verdict.missed.is_empty() { "met" } else { "MISSED" };
        println!(
            "  {word:<7} {:>2} numbers, worst {:.1e}: {} ({})",
            verdict.compared, verdict.worst, case.of, case.source
        );
        compared += verdict.compared;
        missed.extend(verdict.missed);
        skipped.extend(verdict.skipped);
    }
    skipped.sort();
    skipped.dedup();
    skipped.iter().for_each(|why| println!("  SKIPPED {why}"));
    ensure!(missed.is_empty(), "{} of {compared} numbers: {}", missed.len(), missed.join("; "));
    ensure!(compared > 0, "nothing could be compared");
    Ok(format!("{compared} numbers met, {} inputs skipped", skipped.len()))
}

/// The vector of a line of `scraper embed`.
fn vector(line: &Value) -> Result<Vec<f32>, String> {
    let error = || line["error"]["message"].as_str().unwrap_or("no vector").to_owned();
    let values = line["embedding"].as_array().ok_or_else(error)?;
    Ok(values.iter().filter_map(Value::as_f64).map(|value| value as f32).collect())
}

/// `CLIPModel` on the drawn corpus and some texts, within 1e-5.
fn transformers(model: &Model, python: Option<&str>) -> Result<String> {
    let Some(python) = python else { return Ok("SKIPPED: --python names no Python".to_owned()) };
    let facts = fs::read(root().join("tests/goldens/embeddings.json"))?;
    let facts: BTreeMap<String, Value> = serde_json::from_slice(&facts)?;
    let names = facts.get("files").and_then(Value::as_array).context("no files in the golden")?;
    let step = names.len().div_ceil(DRAWN).max(1);
    let names = names.iter().step_by(step).filter_map(Value::as_str);
    let files: Vec<PathBuf> = names.map(|name| root().join("tests/corpus").join(name)).collect();
    let lines = model.embed("--profile transformers5", &files, &digests::TEXTS)?;
    let ours = root().join(FOLDER).join("ours.jsonl");
    fs::write(&ours, lines.iter().map(|line| format!("{line}\n")).collect::<String>())?;
    let name = match (&model.name, std::env::var("EMBEDDINGS_MODEL")) {
        (Some(folder), _) => folder.display().to_string(),
        (None, Ok(name)) if !name.is_empty() => name,
        _ => "openai/clip-vit-base-patch32".to_owned(),
    };
    Cmd::new(python).arg("tests/reference/conformance.py").arg(name).arg(&ours).run()?;
    Ok(format!("{} inputs within 1e-5", lines.len()))
}

fn endpoint(model: &Model, url: Option<&str>) -> Result<String> {
    let Some(url) = url else { return Ok("SKIPPED: --endpoint names none".to_owned()) };
    let verify = model.command("verify tests/corpus/jpeg --tolerance 0.001 --endpoint").arg(url);
    let token = std::env::var("HF_TOKEN").is_ok_and(|token| !token.is_empty());
    if token { verify.args("--token-env HF_TOKEN") } else { verify }.run()?;
    Ok("within 1e-3".to_owned())
}
