//! `scraper inspect`: what the model sees of an image.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};
use clip_core::{
    config::PreprocessConfig,
    image::{ImageInfo, Processor, RgbImage, Stages},
    trace::{sha256, sha256_f32},
};
use serde::Serialize;

use super::{Context, PreprocessingArgs, keep, output_error, spec};
use scraper_lib::{
    Error,
    embed::blocking,
    fetch::{Caps, Fetcher},
    model,
    output::Output,
    report::{EXIT_OK, console, secrets::redact, shown},
    source::{Base, Location},
};

/// Shows how an image is read and prepared, step by step, and saves what the model sees.
///
/// Example:
///   scraper inspect dress.jpg --save crop.png
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct InspectArgs {
    /// An image file or address.
    image: String,
    /// Writes the crop that the model sees, as PNG.
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Model whose preprocessor_config.json is used; its weights are not loaded.
    /// [default: CLIP's own, 224x224]
    #[arg(long, value_name = "ID|DIR")]
    model: Option<String>,
    #[command(flatten)]
    preprocessing: PreprocessingArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

#[derive(Serialize)]
struct Report<'a> {
    input: String,
    bytes: usize,
    /// SHA-256 of the file, the key of its vector in a store.
    sha256: String,
    format: String,
    width: u32,
    height: u32,
    mode: &'a str,
    alpha: bool,
    frames: Option<u32>,
    /// Whether the pixels are what Pillow makes of a damaged file.
    damaged: bool,
    /// EXIF orientation, 1 (upright) to 8.
    orientation: u8,
    profile: String,
    stages: Vec<Stage>,
}

#[derive(Serialize)]
struct Stage {
    name: &'static str,
    /// Width and height.
    size: [usize; 2],
    sha256: String,
}

impl InspectArgs {
    pub(super) async fn run(self, context: &Context) -> Result<u8, Error> {
        let config = match &self.model {
            None => PreprocessConfig::clip(224),
            Some(name) => {
                let (hub, progress) = (&context.environment.hub, &context.progress);
                model::configs(&model::find(&spec(Some(name), context)?, hub, progress).await?)?.1
            }
        };
        if let (Some(output), Ok(Location::File(input))) =
            (&self.save, Location::parse(&self.image, &Base::user()))
        {
            keep(output, [input.as_path()])?;
        }
        let bytes = self.fetch().await?;
        let preprocessing = &self.preprocessing;
        let processor = Processor::new(&config, preprocessing.profile, preprocessing.limits());
        let (bytes, stages) = blocking(move || {
            let stages = processor.stages(&bytes);
            (bytes, stages)
        })
        .await?;
        let stages = stages.map_err(clip_core::Error::from)?;
        let report = self.report(&bytes, &stages);
        match self.format {
            Format::Json => {
                let json = serde_json::to_string_pretty(&report)
                    .map_err(|e| Error::Internal(e.to_string()))?;
                console::print(&format!("{}\n", shown::json(json)))?;
            }
            Format::Text => print(&report).map_err(output_error(None))?,
        }
        if let Some(path) = &self.save {
            save(&stages.cropped, path).map_err(output_error(Some(path)))?;
        }
        Ok(EXIT_OK)
    }

    async fn fetch(&self) -> Result<Vec<u8>, Error> {
        let caps = Caps { bytes: self.preprocessing.bytes(), ..Caps::default() };
        let location = Location::parse(&self.image, &Base::user())?;
        Ok(Fetcher::unguarded(caps)?.fetch(&location).await?.bytes)
    }

    fn report(&self, bytes: &[u8], stages: &Stages) -> Report<'_> {
        let ImageInfo { format, width, height, mode, orientation, alpha, frames, damaged } =
            stages.decoded.info;
        let rgb = |name, image: &RgbImage| Stage {
            name,
            size: [image.width as usize, image.height as usize],
            sha256: sha256(&image.data),
        };
        let pixels = &stages.pixels;
        Report {
            input: redact(&self.image).into_owned(),
            bytes: bytes.len(),
            sha256: sha256(bytes),
            format: format.to_string(),
            width,
            height,
            mode,
            alpha,
            frames,
            damaged,
            orientation,
            profile: self.preprocessing.profile.to_string(),
            stages: vec![
                rgb("decoded", &stages.decoded.rgb),
                rgb("resized", &stages.resized),
                rgb("cropped", &stages.cropped),
                Stage {
                    name: "pixel_values",
                    size: [pixels.size; 2],
                    sha256: sha256_f32(&pixels.data),
                },
            ],
        }
    }
}

fn print(report: &Report<'_>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let Report { input, bytes, format, width, height, mode, .. } = report;
    let input = shown::shown(input, shown::SHORT);
    writeln!(out, "{input}: {format}, {width}x{height}, {mode}, {bytes} bytes")?;
    let transparency = if report.alpha { "yes" } else { "no" };
    writeln!(out, "  orientation {} (EXIF); transparency: {transparency}", report.orientation)?;
    if let Some(frames) = report.frames.filter(|&frames| frames > 1) {
        writeln!(out, "  {frames} frames, the first one counts")?;
    }
    if report.damaged {
        writeln!(out, "  damaged: the pixels are what Pillow makes of it")?;
    }
    writeln!(out, "  profile {}", report.profile)?;
    writeln!(out, "  {:<13} {:<10} {}", "file", "", report.sha256)?;
    for Stage { name, size: [width, height], sha256 } in &report.stages {
        writeln!(out, "  {name:<13} {:<10} {sha256}", format!("{width}x{height}"))?;
    }
    out.flush()
}

fn save(image: &RgbImage, path: &Path) -> io::Result<()> {
    let mut out = Output::create(path)?;
    let mut encoder = png::Encoder::new(&mut out, image.width, image.height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&image.data)?;
    writer.finish()?;
    out.finish()
}
