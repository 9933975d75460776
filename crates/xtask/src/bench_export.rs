//! `cargo xtask bench export`: large stores in every format, and the memory that it takes.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::{
    bench_scrape::own_memory,
    process::{cargo, clear, root},
    program::released,
};

/// So many MB more may be the allocator's.
const ALLOCATOR: f64 = 8.0;
/// Format, name of the output, and the most of its own memory in MB that each 100,000 products may add:
/// the storefront's pages and Parquet's row groups are listed at the end.
const FORMATS: [(&str, &str, f64); 4] = [
    ("jsonl", "vectors.jsonl", 1.0),
    ("npy", "vectors.npy", 1.0),
    ("parquet", "vectors.parquet", 1.0),
    ("web", "catalogue", 2.0),
];

/// What is exported.
#[derive(Debug, clap::Args)]
pub(crate) struct Sizes {
    /// Products of the stores that `export` writes out; a million take 14 GB of disk for a while.
    #[arg(long, value_delimiter = ',', default_value = "100000,1000000")]
    exported: Vec<usize>,
}

struct Export {
    seconds: f64,
    /// In MB, without mapped files.
    memory: u64,
    bytes: u64,
}

pub(crate) fn run(sizes: &Sizes) -> Result<()> {
    // As other benches build them, so that nothing is built twice.
    cargo().args("build --release --quiet -p scraper").run()?;
    cargo().args("build --release --quiet -p scraper-lib --example searches").run()?;
    let folder = root().join("target/bench-export");
    let mut exports = Vec::new();
    for &products in &sizes.exported {
        clear(&folder)?;
        eprintln!("{products} products …");
        let made = make(&folder, products)
            .and_then(|()| FORMATS.iter().map(|format| export(&folder, format)).collect());
        clear(&folder)?;
        let made: Vec<Export> = made?;
        exports.push((products, made));
    }
    println!("\n| products | format | seconds | vectors/s | GB | own memory, MB |");
    println!("|---:|---|---:|---:|---:|---:|");
    for (products, made) in &exports {
        for ((format, ..), Export { seconds, memory, bytes }) in FORMATS.iter().zip(made) {
            let (rate, gigabytes) = (*products as f64 / seconds, *bytes as f64 / 1e9);
            println!(
                "| {products} | {format} | {seconds:.1} | {rate:.0} | {gigabytes:.2} | {memory} |"
            );
        }
    }
    let (Some((few, small)), Some((many, large))) = (exports.first(), exports.last()) else {
        return Ok(());
    };
    for ((format, _, most), (small, large)) in FORMATS.iter().zip(small.iter().zip(large)) {
        let more = large.memory.saturating_sub(small.memory) as f64;
        let most = ALLOCATOR + most * many.saturating_sub(*few) as f64 / 1e5;
        ensure!(more <= most, "{format} takes {more} MB more of {many} products than of {few}");
    }
    Ok(())
}

/// A store with its scan.
fn make(folder: &Path, products: usize) -> Result<()> {
    let mut command = Command::new(released("examples/searches")?);
    let made = command.arg(folder).args([&products.to_string(), "0"]).stdout(Stdio::null());
    ensure!(made.status()?.success(), "the store could not be made");
    Ok(())
}

fn export(folder: &Path, &(format, name, _): &(&str, &str, f64)) -> Result<Export> {
    let output = folder.join("out").join(name);
    fs::create_dir_all(folder.join("out"))?;
    let mut command = Command::new(released("scraper")?);
    command.args(["export", "--format", format, "--store"]).arg(folder.join("store.db"));
    let start = Instant::now();
    let mut child = command.arg("--output").arg(&output).spawn().context("no scraper")?;
    let mut memory = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        memory = memory.max(own_memory(child.id()).unwrap_or(0));
        thread::sleep(Duration::from_millis(20));
    };
    let seconds = start.elapsed().as_secs_f64();
    ensure!(status.success(), "`scraper export --format {format}` failed ({status})");
    let bytes = size(&folder.join("out"))?;
    clear(&folder.join("out"))?;
    Ok(Export { seconds, memory, bytes })
}

/// Bytes of the files in `folder`.
fn size(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        bytes += match entry.file_type()?.is_dir() {
            true => size(&entry.path())?,
            false => entry.metadata()?.len(),
        };
    }
    Ok(bytes)
}
