//! Decodes and embeds every image of a folder, with neither network nor store: what a run costs at
//! least. For `cargo xtask bench scrape`.
//!
//! Usage: alone MODEL FOLDER COUNT

use std::{error::Error, path::Path, time::Instant};

use clip_core::Towers;
use rayon::prelude::*;
use scraper_lib::{
    config::Environment,
    model::{self, LoadOptions, ModelSpec},
    report::Progress,
    source::{Links, image_files},
};

/// As many as a run has per batch.
const BATCH: usize = 8;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mut arg =
        |name: &str| args.next().ok_or(format!("usage: alone MODEL FOLDER COUNT ({name})"));
    let (model, folder, count) = (arg("model")?, arg("folder")?, arg("count")?.parse()?);
    let files = image_files(Path::new(&folder), Links::Anywhere);
    let files: Vec<_> = files.take(count).collect::<Result<_, _>>()?;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let spec = ModelSpec::parse(&model)?;
    let (hub, progress) = (Environment::load()?.hub, Progress::hidden());
    let files_of_model = runtime.block_on(model::find(&spec, &hub, &progress))?;
    let model = model::load(&files_of_model, &LoadOptions::new(Towers::Vision))?;

    let started = Instant::now();
    let mut images = 0;
    for batch in files.chunks(BATCH) {
        let pixels = batch
            .par_iter()
            .map(|path| Ok(model.clip.processor().process(&std::fs::read(path)?)?))
            .collect::<Result<Vec<_>, Box<dyn Error + Send + Sync>>>();
        images += model.clip.embed_pixels(&pixels.map_err(|e| e.to_string())?)?.len();
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{}", serde_json::json!({ "images": images, "seconds": seconds }));
    Ok(())
}
