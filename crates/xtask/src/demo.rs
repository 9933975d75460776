//! `cargo xtask demo`: the main job from end to end on a shop drawn by the project itself.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use drawn_shop::{Garment, Shop, Written, serve::Server};
use serde_json::Value;

use crate::{
    model::Model,
    process::{Cmd, cargo, root, seconds},
    program::released,
};

/// Draws a shop, serves it on localhost, embeds every picture, and searches by text and picture.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[arg(long, value_name = "N", default_value_t = drawn_shop::SAMPLE_PRODUCTS)]
    products: usize,
    #[arg(long, default_value_t = drawn_shop::SAMPLE_SEED)]
    seed: u64,
    /// What the text searches look for; may be repeated.
    #[arg(long, value_name = "TEXT", default_values = drawn_shop::SAMPLE_QUERIES)]
    query: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    cargo().args("build --release --quiet --package scraper").run()?;
    let start = Instant::now();
    let scraper = released("scraper")?;
    let dir = root().join("target/demo");
    let folder = dir.join("shop");
    for old in [dir.join("shop.db"), dir.join("shop.db-wal"), dir.join("shop.db-shm")] {
        remove(&old)?;
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("could not remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder)
        .with_context(|| format!("could not create {}", folder.display()))?;

    heading("1. A shop");
    let server = Server::start(&folder, 0).context("could not serve the shop on localhost")?;
    let shop = Shop::new(arguments.seed, arguments.products);
    let written = drawn_shop::write(&shop, &folder, &server.url(), true)?;
    println!(
        "Drew {} products with {} pictures ({:.1} MB) and {} broken files in {}; they are served \
         at {}.",
        shop.products().len(),
        written.images,
        written.bytes as f64 / 1e6,
        written.broken,
        seconds(start.elapsed()),
        server.url()
    );

    heading("2. A model");
    let model = Model::choose(&scraper);

    heading("3. A nightly run");
    let job = Job { scraper, model, dir: dir.clone() };
    let first = job.run(&written.feed, "run-1.json")?;
    check_first(&first, &written)?;
    println!("The {} broken files were reported, and the run went on.", written.broken);

    heading("4. The next night: nothing has changed");
    let second = job.run(&written.feed, "run-2.json")?;
    let embedded = count(&second, "embedded")?;
    ensure!(embedded == 0, "the second run embedded {embedded} pictures again");
    println!("Nothing was embedded again.");

    for query in &arguments.query {
        heading(&format!("5. Search for \"{query}\""));
        job.search(&[query])?;
    }

    let dress = shop.products().iter().find(|p| p.style.garment == Garment::Dress);
    let product = dress.or(shop.products().first()).context("the shop has no products")?;
    heading(&format!("6. Search by a picture: {} ({})", product.id, product.caption()));
    let picture = folder.join("images").join(drawn_shop::file_name(product, 0));
    let query = ["--image", &*picture.to_string_lossy()];
    job.search(&query)?;
    let first = job.first_hit(&query)?;
    ensure!(first == product.id, "{} should come first, not {first}", product.id);
    println!("The product itself comes first.");

    println!(
        "\nDone in {}. The pictures are in {}, the vectors in {}.",
        seconds(start.elapsed()),
        shown(&folder),
        shown(&dir.join("shop.db"))
    );
    Ok(())
}

struct Job {
    scraper: PathBuf,
    model: Model,
    dir: PathBuf,
}

impl Job {
    fn store(&self) -> PathBuf {
        self.dir.join("shop.db")
    }

    /// `scraper run`; its summary.
    fn run(&self, feed: &Path, summary: &str) -> Result<Value> {
        let summary = self.dir.join(summary);
        remove(&summary)?;
        let cmd = Cmd::new(&self.scraper).arg("run").arg(feed).arg("--store").arg(self.store());
        // The shop is on this machine.
        let cmd = cmd.args("--allow-private --summary-json").arg(&summary);
        let cmd = self.model.flag(cmd);
        let (status, _) = cmd.run_with_code()?;
        // 2: finished, and some pictures failed; the shop has broken files on purpose.
        if !matches!(status.code(), Some(0 | 2)) {
            bail!("`scraper run` did not finish ({status})");
        }
        let json = fs::read(&summary)
            .with_context(|| format!("could not read the summary {}", summary.display()))?;
        Ok(serde_json::from_slice(&json)?)
    }

    /// `scraper search QUERY` in the demo's store.
    fn query(&self, query: &[&str]) -> Cmd {
        let cmd = query.iter().fold(Cmd::new(&self.scraper).arg("search"), Cmd::arg);
        self.model.flag(cmd.arg("--store").arg(self.store()))
    }

    fn search(&self, query: &[&str]) -> Result<()> {
        self.query(query).args("--top 6").run().context("`scraper search` failed")
    }

    /// Id of the product that comes first.
    fn first_hit(&self, query: &[&str]) -> Result<String> {
        let json = self.query(query).args("--top 1 --format json").probe();
        let hits: Value = serde_json::from_str(&json.context("`scraper search` failed")?)?;
        let id = hits[0]["id"].as_str().context("`scraper search` found nothing")?;
        Ok(id.to_owned())
    }
}

/// The first run embeds each good picture and reports each broken file.
fn check_first(summary: &Value, written: &Written) -> Result<()> {
    let (embedded, reused) = (count(summary, "embedded")?, count(summary, "reused")?);
    ensure!(
        embedded + reused == written.images as u64 && embedded > 0,
        "{embedded} pictures were embedded and {reused} reused, but the shop has {}",
        written.images
    );
    let failed = count(summary, "failed")?;
    ensure!(
        failed == written.broken as u64,
        "{failed} pictures failed, but the shop has {} broken files",
        written.broken
    );
    Ok(())
}

fn count(summary: &Value, name: &str) -> Result<u64> {
    summary[name].as_u64().with_context(|| format!("the run's summary lacks `{name}`"))
}

fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("could not remove {}", file.display()))
        }
        _ => Ok(()),
    }
}

/// A path as people in the repository's root would type it.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

fn heading(text: &str) {
    println!("\n── {text} ──");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_lost_pictures_or_swallowed_failures_is_refused() {
        let written = Written { feed: PathBuf::new(), images: 50, broken: 4, bytes: 0 };
        let check = |embedded: u64, reused: u64, failed: u64| {
            let summary =
                serde_json::json!({"embedded": embedded, "reused": reused, "failed": failed});
            check_first(&summary, &written)
        };
        assert!(check(50, 0, 4).is_ok());
        assert!(check(49, 1, 4).is_ok());
        assert!(check(49, 0, 4).is_err());
        assert!(check(50, 0, 3).is_err());
        assert!(check_first(&serde_json::json!({}), &written).is_err());
    }
}
