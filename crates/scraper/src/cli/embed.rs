//! `scraper embed`: vectors of single images and texts.

mod printer;

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use clap::Args;
use clip_core::Towers;

use super::{Context, ModelArgs, OutputArgs, keep};
use printer::{Format, Printer};
use scraper_lib::{
    Error,
    embed::{Embedder, blocking},
    fetch::{Caps, FetchError, Fetcher},
    output::Output,
    report::{EXIT_FAILURES, EXIT_OK, secrets::redact},
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
