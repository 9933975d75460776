//! How `scraper embed` prints.

use std::io::{self, Write};

use clap::ValueEnum;
use clip_core::{Provenance, trace::Stage};
use serde::Serialize;

use crate::hints;
use scraper_lib::{
    Error,
    embed::Embedded,
    export::npy,
    output::Output,
    report::{
        console::tell,
        secrets::redact,
        shown::{self, SHORT},
    },
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum Format {
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

/// `3x224x224`.
fn shape(stage: &Stage) -> String {
    stage.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

/// Prints vectors and failures as they come.
pub(super) struct Printer<'a> {
    pub(super) out: Output,
    pub(super) format: Format,
    pub(super) raw: bool,
    pub(super) provenance: &'a Provenance,
    /// Rows of the array; its header needs their number.
    pub(super) rows: Vec<Vec<f32>>,
    pub(super) objects: usize,
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
    pub(super) fn print(
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
                if let Some(hint) = hints::of_error(&e) {
                    tell!("hint: {hint}");
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

    pub(super) fn finish(mut self) -> io::Result<Output> {
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
