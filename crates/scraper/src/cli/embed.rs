//! `scraper embed`: vectors of single images and texts.

use std::{
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use clip_core::{Provenance, Towers, trace::Stage};
use serde::Serialize;

use super::{Context, ModelArgs, OutputArgs, keep};
use scraper_lib::{
    Error,
    embed::{Embedded, Embedder, blocking},
    export::npy,
    fetch::{Caps, FetchError, Fetcher},
    output::Output,
    report::{
        EXIT_FAILURES, EXIT_OK,
        console::tell,
        secrets::redact,
        shown::{self, SHORT},
    },
    source::{Base, Links, Location, image_files},
};

/// Embeds images and texts, in the order given (images first).
///
/// Examples:
///   scraper embed dress.jpg
///   scraper embed photos/ https://shop.example/a.webp --format jsonl
///   scraper embed --text "red floral dress" --format json
///   curl -s https://shop.example/a.jpg | scraper embed -
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct EmbedArgs {
    /// Image file, folder (all images below it), http(s) address, or - for standard input.
    #[arg(value_name = "INPUT", required_unless_present = "text")]
    inputs: Vec<String>,
    /// A text; may be repeated.
    #[arg(long)]
    text: Vec<String>,
    /// What to print.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    output: OutputArgs,
    /// The vector as the model projects it (HF's get_image_features), not normalised.
    #[arg(long)]
    raw: bool,
    /// Also a SHA-256 of each stage, to find the first one at which two machines differ.
    #[arg(long)]
    trace: bool,
    #[command(flatten)]
    model: ModelArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    /// A few lines for people.
    #[default]
    Text,
    /// One JSON object per line.
    Jsonl,
    /// One JSON array.
    Json,
    /// A NumPy array of the vectors that could be made; failures go to standard error.
    Npy,
}

enum Input {
    Image(Location),
    Stdin,
    Text(String),
    /// Could not even be looked at.
    Broken(Error),
}

impl EmbedArgs {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        let inputs = self.collect();
        let towers = match (self.inputs.is_empty(), self.text.is_empty()) {
            (false, true) => Towers::Vision,
            (true, false) => Towers::Text,
            _ => Towers::Both,
        };
        let files = inputs.iter().filter_map(|(_, input)| match input {
            Input::Image(Location::File(path)) => Some(path.as_path()),
            _ => None,
        });
        self.output.keep(files)?;
        let (model, files) = self.model.load_files(context, towers).await?;
        if let Some(output) = self.output.file() {
            keep(output, files.paths().iter().map(PathBuf::as_path))?;
        }
        let mut embedder = Embedder::new(model)?;
        let bytes = self.model.preprocessing.bytes();
        embedder.fetcher = Fetcher::unguarded(Caps { bytes, ..Caps::default() })?;
        embedder.trace = self.trace;
        let provenance = embedder.model.provenance.clone();
        let fail = self.output.error();
        let mut printer = Printer {
            out: self.output.open()?,
            format: self.format,
            raw: self.raw,
            provenance: &provenance,
            rows: Vec::new(),
            objects: 0,
        };
        let mut failures = 0;
        for (name, input) in inputs {
            let (kind, result) = match input {
                Input::Image(location) => ("image", embedder.embed_location(&location).await),
                Input::Stdin => match read_stdin(bytes).await {
                    Ok(bytes) => ("image", embedder.embed_bytes(bytes).await),
                    Err(e) => ("image", Err(e)),
                },
                Input::Text(text) => ("text", embedder.embed_text(&text).await),
                Input::Broken(e) => ("image", Err(e)),
            };
            failures += u32::from(result.is_err());
            // An address with a password is not told with it.
            printer.print(&redact(&name), kind, result).map_err(&fail)?;
        }
        printer.finish().and_then(Output::finish).map_err(&fail)?;
        Ok(if failures == 0 { EXIT_OK } else { EXIT_FAILURES })
    }

    fn collect(&self) -> Vec<(String, Input)> {
        let mut found = Vec::new();
        for text in &self.inputs {
            if text == "-" {
                found.push((text.clone(), Input::Stdin));
            } else if Path::new(text).is_dir() {
                let before = found.len();
                for file in image_files(Path::new(text), Links::Anywhere) {
                    found.push(match file {
                        Ok(path) => {
                            (path.display().to_string(), Input::Image(Location::File(path)))
                        }
                        Err(e) => (text.clone(), Input::Broken(e.into())),
                    });
                }
                if found.len() == before {
                    let e = Error::Usage(format!("there are no images in the folder {text}"));
                    found.push((text.clone(), Input::Broken(e)));
                }
            } else {
                let input = match Location::parse(text, &Base::user()) {
                    Ok(location) => Input::Image(location),
                    Err(e) => Input::Broken(e.into()),
                };
                found.push((text.clone(), input));
            }
        }
        found.extend(self.text.iter().map(|text| (text.clone(), Input::Text(text.clone()))));
        found
    }
}

async fn read_stdin(limit: u64) -> Result<Vec<u8>, Error> {
    let read = move || {
        let mut bytes = Vec::new();
        io::stdin().lock().take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = blocking(read).await?.map_err(FetchError::Stdin)?;
    if bytes.len() as u64 > limit {
        return Err(FetchError::TooLarge { what: "standard input".into(), limit }.into());
    }
    Ok(bytes)
}

/// `3x224x224`.
pub(super) fn shape(stage: &Stage) -> String {
    stage.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

struct Printer<'a> {
    out: Output,
    format: Format,
    raw: bool,
    provenance: &'a Provenance,
    /// Rows of the array; its header needs their number.
    rows: Vec<Vec<f32>>,
    objects: usize,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Object<'a> {
    Vector {
        input: &'a str,
        kind: &'a str,
        dim: usize,
        normalized: bool,
        embedding: &'a [f32],
        provenance: &'a Provenance,
        #[serde(skip_serializing_if = "Option::is_none")]
        trace: Option<&'a [Stage]>,
    },
    Failure {
        input: &'a str,
        error: Reason<'a>,
    },
}

#[derive(Serialize)]
struct Reason<'a> {
    kind: &'a str,
    message: String,
}

impl Printer<'_> {
    fn print(
        &mut self,
        input: &str,
        kind: &str,
        result: Result<Embedded, Error>,
    ) -> io::Result<()> {
        match result {
            Ok(embedded) => {
                let values = if self.raw {
                    embedded.embedding.values().to_vec()
                } else {
                    embedded.embedding.normalized().into_values()
                };
                match self.format {
                    Format::Text => self.line(input, &values, &embedded),
                    Format::Npy => {
                        self.rows.push(values);
                        Ok(())
                    }
                    Format::Json | Format::Jsonl => self.object(&Object::Vector {
                        input,
                        kind,
                        dim: values.len(),
                        normalized: !self.raw,
                        embedding: &values,
                        provenance: self.provenance,
                        trace: embedded.trace.as_ref().map(|trace| trace.stages.as_slice()),
                    }),
                }
            }
            Err(e) if matches!(self.format, Format::Json | Format::Jsonl) => {
                let error = Reason { kind: e.kind(), message: redact(&e.to_string()).into() };
                self.object(&Object::Failure { input, error })
            }
            Err(e) => {
                self.out.flush()?; // keeps the two streams in order on a terminal
                let message = e.to_string();
                if message.contains(input) {
                    tell!("failed: {message}");
                } else {
                    tell!("failed: {input}: {message}");
                }
                Ok(())
            }
        }
    }

    fn line(&mut self, input: &str, values: &[f32], embedded: &Embedded) -> io::Result<()> {
        let first: Vec<String> = values.iter().take(5).map(|v| format!("{v:.6}")).collect();
        let kind = if self.raw { "raw" } else { "normalised" };
        writeln!(self.out, "{}", shown::shown(input, SHORT))?;
        writeln!(self.out, "  {} dimensions ({kind}): {}, …", values.len(), first.join(", "))?;
        writeln!(
            self.out,
            "  {} bytes; fetched in {:.1} ms, embedded in {:.1} ms",
            embedded.bytes,
            embedded.fetch.as_secs_f64() * 1e3,
            embedded.compute.as_secs_f64() * 1e3
        )?;
        for stage in embedded.trace.iter().flat_map(|trace| &trace.stages) {
            writeln!(self.out, "  {:<16} {:<16} {}", stage.name, shape(stage), stage.sha256)?;
        }
        self.out.flush()
    }

    fn object(&mut self, object: &Object<'_>) -> io::Result<()> {
        if self.format == Format::Json {
            self.out.write_all(if self.objects == 0 { b"[\n" } else { b",\n" })?;
        }
        self.objects += 1;
        serde_json::to_writer(&mut self.out, object)?;
        if self.format == Format::Jsonl {
            self.out.write_all(b"\n")?;
            self.out.flush()?; // a program at the other end sees each result at once
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<Output> {
        match self.format {
            Format::Json if self.objects == 0 => self.out.write_all(b"[]\n")?,
            Format::Json => self.out.write_all(b"\n]\n")?,
            Format::Npy => {
                let dim = self.rows.first().map_or(0, Vec::len);
                self.out.write_all(&npy::header(self.rows.len(), dim))?;
                for row in &self.rows {
                    npy::write_row(&mut self.out, row)?;
                }
            }
            Format::Text | Format::Jsonl => {}
        }
        self.out.flush()?;
        Ok(self.out)
    }
}
