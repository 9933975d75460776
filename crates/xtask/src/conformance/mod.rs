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
    /// For images and what the scraper prints.
    folder: PathBuf,
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
        let out = self.folder.join("embedded.jsonl");
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
    let (program, folder) = (program::released("scraper")?, root().join(FOLDER));
    fs::create_dir_all(&folder)?;
    let model = Model { program, name: arguments.weights.clone(), folder };
    all(&model, arguments, &root().join(PUBLISHED), &root().join(digests::RECORDED))
}

/// Every check, with the outputs in `published`, and the digests that are or will be in `recorded`.
fn all(model: &Model, arguments: &Arguments, published: &Path, recorded: &Path) -> Result<()> {
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
    let mut checks: Vec<(&str, Result<String>)> = vec![
        ("published outputs", outputs(model, published, arguments.images.as_deref())),
        ("transformers", transformers(model, arguments.python.as_deref())),
        ("endpoint", endpoint(model, arguments.endpoint.as_deref())),
    ];
    // Digests of vectors that are wrong are nothing to hold later runs against.
    let right = checks.iter().all(|(_, outcome)| outcome.is_ok());
    checks.push(("stage digests", digests::check(model, recorded, right)));
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
fn outputs(model: &Model, published: &Path, images: Option<&Path>) -> Result<String> {
    let table: Table = serde_json::from_slice(&fs::read(published)?)?;
    println!("published outputs of {}:", table.model);
    let mut vectors = Vectors::new();
    let (mut files, mut texts, mut order) = (Vec::new(), Vec::new(), Vec::new());
    for input in table.inputs() {
        match input {
            Input::Text(text) => texts.push((input.clone(), text.as_str())),
            Input::Image(name) => {
                let Some(image) = table.images.get(name) else { bail!("{name} has no address") };
                match images::get(name, image, images, &model.folder) {
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
    let ours = model.folder.join("ours.jsonl");
    fs::write(&ours, lines.iter().map(|line| format!("{line}\n")).collect::<String>())?;
    let name = match (&model.name, std::env::var("EMBEDDINGS_MODEL")) {
        (Some(folder), _) => folder.display().to_string(),
        (None, Ok(name)) if !name.is_empty() => name,
        _ => "openai/clip-vit-base-patch32".to_owned(),
    };
    Cmd::new(python).arg("tests/reference/conformance.py").arg(name).arg(&ours).run()?;
    Ok("within 1e-5, as above".to_owned())
}

fn endpoint(model: &Model, url: Option<&str>) -> Result<String> {
    let Some(url) = url else { return Ok("SKIPPED: --endpoint names none".to_owned()) };
    let verify = model.command("verify tests/corpus/jpeg --tolerance 0.001");
    let verify = verify.arg("--endpoint").arg(url);
    let token = std::env::var("HF_TOKEN").is_ok_and(|token| !token.is_empty());
    if token { verify.args("--token-env HF_TOKEN") } else { verify }.run()?;
    Ok("within 1e-3".to_owned())
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader},
        process::{Child, Command, Stdio},
    };

    use clip_core::{
        synthetic::{self, Dtype},
        trace::sha256,
    };
    use serde_json::json;

    use super::*;

    const IMAGE: &str = "rgba8-gradient.png";
    const TEXT: &str = "a red dress";

    /// The program with the synthetic model, as `--weights` names it.
    fn model(folder: &Path) -> Model {
        let weights = folder.join("weights");
        fs::create_dir_all(&weights).unwrap();
        let config = synthetic::small_shape();
        let file = synthetic::safetensors(&config, 1, Dtype::F32).unwrap();
        fs::write(weights.join("config.json"), config.to_json()).unwrap();
        let sizes = format!(r#"{{"size": {0}, "crop_size": {0}}}"#, config.vision.image_size);
        fs::write(weights.join("preprocessor_config.json"), sizes).unwrap();
        fs::write(weights.join("model.safetensors"), file).unwrap();
        // Built with the tests of the workspace; here a build would wait for the one that runs this test.
        let program = program::built("debug", "scraper").unwrap();
        Model { program, name: Some(weights), folder: folder.to_owned() }
    }

    /// What somebody would have published of it; `lie` is added to the first number.
    fn published(model: &Model, lie: f64) -> PathBuf {
        let file = root().join("tests/corpus/png").join(IMAGE);
        let lines = model.embed("--raw", std::slice::from_ref(&file), &[TEXT]).unwrap();
        let first = |line: &Value| {
            let printed = |value: &Value| (value.as_f64().unwrap() * 1e3).round() / 1e3;
            line["embedding"].as_array().unwrap()[..3].iter().map(printed).collect::<Vec<_>>()
        };
        let (image, mut text) = (first(&lines[0]), first(&lines[1]));
        text[0] += lie;
        let url = "http://127.0.0.1:1/"; // nobody listens there
        let digest = sha256(&fs::read(file).unwrap());
        let table = json!({
            "model": "synthetic",
            "images": {IMAGE: {"url": url, "sha256": digest}, "gone.png": {"url": url, "sha256": digest}},
            "cases": [
                {"source": "s", "of": {"image": IMAGE}, "tolerance": 0.0006, "first": image},
                {"source": "s", "of": {"text": TEXT}, "tolerance": 0.0006, "first": text},
                {"source": "s", "of": {"image": "gone.png"}, "tolerance": 0.0006, "first": [0.0]},
            ],
        });
        let path = model.folder.join("published.json");
        fs::write(&path, table.to_string()).unwrap();
        path
    }

    /// An endpoint of the model, until it is dropped.
    struct Served {
        process: Child,
        url: String,
    }

    impl Served {
        fn start(model: &Model) -> Self {
            let mut command = Command::new(&model.program);
            command.args(["--quiet", "serve", "--listen", "127.0.0.1:0", "--model"]);
            command.arg(model.name.as_ref().unwrap()).stdout(Stdio::piped());
            let mut process = command.spawn().unwrap();
            let mut line = String::new();
            BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
            let url = line.split_whitespace().find(|word| word.starts_with("http")).unwrap();
            Served { process, url: url.to_owned() }
        }
    }

    impl Drop for Served {
        fn drop(&mut self) {
            self.process.kill().unwrap();
            self.process.wait().unwrap();
        }
    }

    #[test]
    fn a_whole_run_meets_what_was_published_and_no_lie() {
        let folder = tempfile::tempdir().unwrap();
        let model = model(folder.path());
        let recorded = folder.path().join("recorded.json");
        let mut arguments = Arguments {
            weights: model.name.clone(),
            python: None,
            endpoint: None,
            images: Some(root().join("tests/corpus/png")),
            require: true,
        };
        let run = |model: &Model, arguments: &Arguments, lie: f64| {
            all(model, arguments, &published(model, lie), &recorded).map_err(|e| e.to_string())
        };
        let wrong = run(&model, &arguments, 0.002).unwrap_err();
        assert_eq!(wrong, "not as published or recorded: published outputs");
        assert!(!recorded.exists(), "digests of wrong vectors are not recorded");

        run(&model, &arguments, 0.0).unwrap();
        let server = Served::start(&model);
        arguments.endpoint = Some(server.url.clone());
        run(&model, &arguments, 0.0).unwrap();
        drop(server);
        let wrong = run(&model, &arguments, 0.0).unwrap_err();
        assert_eq!(wrong, "not as published or recorded: endpoint");
        arguments.endpoint = None;
        let digests = fs::read_to_string(&recorded).unwrap();
        run(&model, &arguments, 0.0).unwrap();
        let other = digests.replace("\"numerics\": ", "\"numerics\": 9");
        fs::write(&recorded, other).unwrap();
        let wrong = run(&model, &arguments, 0.0).unwrap_err();
        assert_eq!(wrong, "not as published or recorded: stage digests");

        let nowhere = Model { name: Some(folder.path().join("nowhere")), ..model };
        let published = folder.path().join("published.json");
        let missing = all(&nowhere, &arguments, &published, &recorded).unwrap_err().to_string();
        assert!(missing.contains("nowhere are not on this machine"), "{missing}");
        arguments.require = false;
        all(&nowhere, &arguments, &published, &recorded).unwrap();
    }
}
