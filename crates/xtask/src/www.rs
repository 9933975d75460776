//! `cargo xtask www`: the demo page, a static site in target/www.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use clap::Args;
use drawn_shop::{Format, Options, Shop};
use serde_json::{Value, json};

use crate::{
    process::{Cmd, Tests, root},
    program::tested,
    tools::Need,
    web::{self, BUILD_NEEDS},
};

/// Builds the demo page into target/www: any static host serves it.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Runs its tests in Chromium.
    #[arg(long)]
    test: bool,
    /// Writes pictures of it, as PNG.
    #[arg(long, value_name = "DIR")]
    screenshots: Option<PathBuf>,
    /// Serves it on localhost until Ctrl-C.
    #[arg(long)]
    serve: bool,
}

const SITE: &str = "target/www";
/// The store, and the model that differs by one ulp.
const WORK: &str = "target/www-work";
/// The text of the self-check.
const TEXT: &str = "a red floral dress";
const PRODUCTS: usize = 72;
const SAMPLES: usize = 8;

/// The folder of the model that the page runs, and whether its weights mean something.
fn model() -> (&'static str, bool) {
    const TRAINED: &str = "crates/scraper-lib/models/tiny";
    match root().join(TRAINED).is_dir() {
        true => (TRAINED, true),
        false => ("target/web/models/second_shape", false),
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let browser = arguments.test || arguments.screenshots.is_some();
    let more: &[Need] = if browser { &[Need::Chromium] } else { &[] };
    for need in BUILD_NEEDS.iter().chain(more) {
        println!("{}: {}", need.name(), need.ensure()?);
    }
    build()?;
    if let Some(dir) = &arguments.screenshots {
        let here = std::env::current_dir().context("there is no current folder")?.join(dir);
        Cmd::new("node").args("www/test/screenshots.mjs").arg(SITE).arg(WORK).arg(here).run()?;
    }
    if arguments.test {
        println!("{}", test()?);
    }
    println!("The page is in {SITE}.");
    if arguments.serve {
        Cmd::new("node").args("www/test/serve.mjs").arg(SITE).run()
    } else {
        Ok(())
    }
}

/// Builds the page and runs its tests.
pub(crate) fn check() -> Result<Tests> {
    build()?;
    test()
}

fn test() -> Result<Tests> {
    let mut total = Tests::default();
    for script in ["compare", "e2e"] {
        let script = format!("www/test/{script}.mjs");
        let tests = Cmd::new("node").arg(script).arg(SITE).arg(WORK).run_tests()?;
        total.passed += tests.passed;
        total.ignored += tests.ignored;
    }
    Ok(total)
}

fn build() -> Result<()> {
    web::build()?;
    let (model, trained) = model();
    if !trained {
        web::models()?;
    }
    web::install("www")?;
    Cmd::new("node").args("www/node_modules/typescript/bin/tsc -p www").run()?;
    // Empties the folder first.
    Cmd::new("node").args("www/node_modules/vite/bin/vite.js build www --logLevel warn").run()?;

    let (site, work) = (root().join(SITE), root().join(WORK));
    fresh(&work)?;
    let shop = draw(&site.join("shop"))?;
    let store = work.join("shop.db");
    scraper("run")?
        .arg(site.join("shop/feed.jsonl"))
        .args("--model")
        .arg(model)
        .arg("--store")
        .arg(&store)
        .run()?;
    fs::remove_file(site.join("shop/feed.jsonl")).context("could not remove the feed")?;
    // With its model the catalogue learns what is nonsense to it.
    scraper("export --format web")?
        .arg("--model")
        .arg(model)
        .arg("--store")
        .arg(&store)
        .arg("--output")
        .arg(site.join("shop"))
        .run()?;
    scraper("model pack")?.arg(model).arg("--out").arg(site.join("model")).run()?;

    let site_json = describe(&shop, trained)?;
    let image = site_json["check"]["image"].as_str().context("the shop has no pictures")?;
    trace(&root().join(model), image, &site.join("native.json"))?;
    let moved = work.join("moved");
    move_one_weight(&root().join(model), &moved)?;
    trace(&moved, image, &work.join("moved.json"))?;
    write(&site.join("site.json"), serde_json::to_vec(&site_json)?)
}

/// The scraper of this build, as tests use it.
fn scraper(args: &str) -> Result<Cmd> {
    Ok(tested("scraper")?.arg("--quiet").args(args))
}

/// What the native program makes of the self-check's picture (below the site) and text.
fn trace(model: &Path, image: &str, out: &Path) -> Result<()> {
    let cmd = scraper("embed --trace --format json")?.arg("--model").arg(model);
    // From there, so that the result names the picture as the page does.
    let cmd = cmd.arg("--output").arg(out).arg(image).folder(&root().join(SITE));
    cmd.arg("--text").arg(TEXT).run()
}

/// Pictures of the size that a shop's list shows, in the site.
fn draw(folder: &Path) -> Result<Shop> {
    let options = Options { size: Some((480, 600)), format: Some(Format::JPEG), images: Some(1) };
    let shop = Shop::with(1, PRODUCTS, options);
    // Addresses relative to the index, wherever the site will be.
    drawn_shop::write(&shop, folder, "", false)?;
    Ok(shop)
}

/// What the page knows about this build.
fn describe(shop: &Shop, trained: bool) -> Result<Value> {
    let samples: Vec<Value> = shop
        .products()
        .iter()
        .take(SAMPLES)
        .map(|product| {
            json!({
                "id": product.id,
                "title": product.title,
                "caption": product.caption(),
                "image": format!("shop/images/{}", drawn_shop::file_name(product, 0)),
            })
        })
        .collect();
    let image = samples.first().map(|sample| sample["image"].clone());
    Ok(json!({
        "trained": trained,
        "products": shop.products().len(),
        "samples": samples,
        "check": { "image": image, "text": TEXT },
    }))
}

/// A copy of the model with one weight of vision layer 2 moved by one ulp, for the test of the
/// comparison.
fn move_one_weight(model: &Path, out: &Path) -> Result<()> {
    const TENSOR: &str = "vision_model.encoder.layers.2.layer_norm1.weight";
    fs::create_dir_all(out).with_context(|| format!("could not make {}", out.display()))?;
    for entry in fs::read_dir(model).with_context(|| format!("no model in {}", model.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "json") {
            let name = path.file_name().context("a file without a name")?;
            fs::copy(&path, out.join(name))?;
        }
    }
    let mut file = fs::read(model.join("model.safetensors")).context("no model.safetensors")?;
    let at = first_byte_of(&file, TENSOR).with_context(|| format!("the model has no {TENSOR}"))?;
    let byte = file.get_mut(at).with_context(|| format!("{TENSOR} lies outside of the file"))?;
    *byte ^= 1;
    write(&out.join("model.safetensors"), file)
}

/// Offset of the first byte of a tensor in a safetensors file.
fn first_byte_of(file: &[u8], tensor: &str) -> Option<usize> {
    let length = usize::try_from(u64::from_le_bytes(*file.first_chunk()?)).ok()?;
    let data = length.checked_add(8)?;
    let header: Value = serde_json::from_slice(file.get(8..data)?).ok()?;
    let start = usize::try_from(header[tensor]["data_offsets"][0].as_u64()?).ok()?;
    data.checked_add(start)
}

fn fresh(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("could not remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))
}

fn write(path: &Path, bytes: Vec<u8>) -> Result<()> {
    ensure!(!bytes.is_empty(), "nothing to write into {}", path.display());
    fs::write(path, bytes).with_context(|| format!("could not write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_is_found_in_a_safetensors_file() {
        let header = br#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#;
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header);
        file.extend([0; 8]);
        assert_eq!(first_byte_of(&file, "a"), Some(8 + header.len() + 4));
        assert_eq!(first_byte_of(&file, "b"), None);
        assert_eq!(first_byte_of(&file[..20], "a"), None);
    }

    #[test]
    fn the_self_check_is_of_a_picture_of_the_shop() {
        let shop = Shop::with(1, 3, Options::default());
        let site = describe(&shop, true).unwrap();
        assert_eq!(site["samples"].as_array().unwrap().len(), 3);
        assert_eq!(site["check"]["image"], site["samples"][0]["image"]);
    }
}
