//! Exports a catalogue of random vectors for the storefront, as large as asked for. For
//! `cargo xtask bench search`.
//!
//! Usage: catalogue PACKED_MODEL FOLDER PRODUCTS PICTURE
//!
//! The vectors claim to be of the packed model and lie, as CLIP's do, in a narrow cone. PICTURE is
//! the address of all products' pictures.

mod random;

use std::{error::Error, fs, path::Path};

use clip_core::Provenance;
use scraper_lib::{
    export,
    store::{SqliteStore, View},
};
use serde_json::Value;

fn main() -> Result<(), Box<dyn Error>> {
    let usage = "usage: catalogue PACKED_MODEL FOLDER PRODUCTS PICTURE";
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [model, folder, products, picture] = &args[..] else { return Err(usage.into()) };
    let manifest = fs::read(Path::new(model).join("manifest.json"))?;
    let manifest: Value = serde_json::from_slice(&manifest)?;
    let text = |name: &str| manifest[name].as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| value.as_u64().ok_or("the model's manifest is damaged");
    let provenance = Provenance {
        model: text("model"),
        revision: None,
        weights: text("weights"),
        tokenizer: manifest["tokenizer"].as_str().map(str::to_owned),
        preprocessing: "hf-endpoint".into(),
        numerics: number(&manifest["numerics"])?.try_into()?,
        device: "exact".into(),
        adapter: None,
    };
    let dim = usize::try_from(number(&manifest["config"]["projection_dim"])?)?;

    let temporary = tempfile::tempdir()?;
    let mut store = SqliteStore::open(&temporary.path().join("catalogue.db"))?;
    // Each has a picture of its own, at the same address but for what follows the #.
    let picture = |i| format!("{picture}#{i}");
    random::fill(&mut store, &provenance, dim, products.parse()?, picture)?;
    let rows = export::web(&store, &View::default(), None, Path::new(folder))?;
    println!("{rows} vectors in {folder}");
    Ok(())
}
