//! `cargo xtask bench scrape`: a whole night against what decoding and embedding alone take, and
//! the memory of small and large shops.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use drawn_shop::{Format, Options, Shop, serve::Server};
use serde_json::Value;

use crate::{
    model,
    process::{cargo, root, seconds},
    program::released,
};

/// A run may take so much longer than its decoding and embedding.
const RATIO: f64 = 1.03;
/// Width and height of the images, as shops have them.
const SIZE: (u32, u32) = (1200, 1600);

/// How much is scraped.
#[derive(Debug, clap::Args)]
pub(crate) struct Sizes {
    /// Products of the scraped shop.
    #[arg(long, default_value_t = 2000)]
    products: usize,
    /// A smaller shop, for its memory; 0 for none.
    #[arg(long, default_value_t = 500)]
    small: usize,
    /// A larger shop, for its memory; 0 for none.
    #[arg(long, default_value_t = 5000)]
    large: usize,
    /// Threads of the scrape [default: all cores].
    #[arg(long)]
    threads: Option<usize>,
}

pub(crate) fn run(sizes: &Sizes) -> Result<()> {
    cargo()
        .args("build --release --quiet -p scraper -p scraper-lib --bin scraper --example alone")
        .run()?;
    let dir = root().join("target/bench-scrape");
    fs::create_dir_all(&dir)?;
    let model = dir.join("model");
    model::write(&model).context("could not write the synthetic ViT-B/32")?;
    let bench = Bench { dir, model, threads: sizes.threads };

    let &Sizes { products, small, large, .. } = sizes;
    let alone = bench.alone(products)?;
    let server = bench.serve(products)?;
    let night = bench.night(products, &server)?;
    ensure!(night.images == alone.images, "{} and {} images", night.images, alone.images);
    let second = bench.scrape(&server)?;

    let per_image = |time: f64| 1e3 * time / products.max(1) as f64;
    println!(
        "\n{products} products, one JPEG of {}x{} each, synthetic ViT-B/32 in f32",
        SIZE.0, SIZE.1
    );
    println!("| | seconds | ms per image | of alone |");
    println!("|---|---:|---:|---:|");
    let row = |what: &str, time: f64| {
        let ratio = time / alone.seconds;
        println!("| {what} | {time:.1} | {:.1} | {ratio:.3} |", per_image(time));
    };
    row("decoding and embedding alone", alone.seconds);
    row("a whole run over HTTP", night.seconds);
    row("the next night, nothing changed", second.seconds);
    let unchanged = second.unchanged as f64 / second.seconds;
    println!("the next night: {unchanged:.0} unchanged images per second");
    let projected = night.seconds / products.max(1) as f64 * 5000.0;
    println!("5,000 products: {} projected", seconds(Duration::from_secs_f64(projected)));

    println!("\n| products | peak memory, MB | at the end, MB |");
    println!("|---:|---:|---:|");
    let memory = |n: usize, night: &Night| println!("| {n} | {} | {} |", night.peak, night.last);
    if small > 0 {
        memory(small, &bench.night(small, &bench.serve(small)?)?);
    }
    memory(products, &night);
    if large > 0 {
        memory(large, &bench.night(large, &bench.serve(large)?)?);
    }
    let ratio = night.seconds / alone.seconds;
    if ratio > RATIO {
        bail!("the whole run takes {ratio:.3} times what its work takes, more than {RATIO}");
    }
    Ok(())
}

struct Bench {
    dir: PathBuf,
    model: PathBuf,
    threads: Option<usize>,
}

/// What was measured.
struct Alone {
    images: u64,
    seconds: f64,
}

struct Night {
    images: u64,
    unchanged: u64,
    /// Without loading the model, which `alone` does not count either.
    seconds: f64,
    /// Resident memory in MB.
    peak: u64,
    last: u64,
}

impl Bench {
    /// The folder of a shop with `n` products, drawn once.
    fn shop(&self, n: usize) -> Result<PathBuf> {
        let folder = self.dir.join(format!("shop-{n}-{}x{}", SIZE.0, SIZE.1));
        let done = folder.join("drawn");
        if !done.exists() {
            let start = Instant::now();
            let shop = shop(n);
            drawn_shop::write(&shop, &folder, "", false)?;
            fs::write(&done, "")?;
            eprintln!("drew {n} products in {}", seconds(start.elapsed()));
        }
        Ok(folder)
    }

    fn alone(&self, n: usize) -> Result<Alone> {
        let images = self.shop(n)?.join("images");
        let mut command = Command::new(released("examples/alone")?);
        command.arg(&self.model).arg(images).arg(n.to_string());
        if let Some(threads) = self.threads {
            command.env("RAYON_NUM_THREADS", threads.to_string());
        }
        let output =
            command.stderr(Stdio::inherit()).output().context("could not start `alone`")?;
        ensure!(output.status.success(), "`alone` failed");
        let told: Value = serde_json::from_slice(&output.stdout)?;
        Ok(Alone {
            images: told["images"].as_u64().context("no images")?,
            seconds: told["seconds"].as_f64().context("no seconds")?,
        })
    }

    /// The shop on localhost.
    fn serve(&self, n: usize) -> Result<Server> {
        let folder = self.shop(n)?;
        let server = Server::start(&folder, 0).context("could not serve the shop on localhost")?;
        drawn_shop::storefront(&shop(n), &folder, &server.url(), false)?;
        Ok(server)
    }

    /// A first run over a shop of `n` products.
    fn night(&self, n: usize, server: &Server) -> Result<Night> {
        for old in ["scrape.db", "scrape.db-wal", "scrape.db-shm", "scrape.pages.db"] {
            match fs::remove_file(self.dir.join(old)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(e).context(format!("could not remove {old}"));
                }
                _ => {}
            }
        }
        let night = self.scrape(server)?;
        ensure!(night.images == n as u64, "{} of {n} images were embedded", night.images);
        Ok(night)
    }

    /// A run into the store as it is.
    fn scrape(&self, server: &Server) -> Result<Night> {
        let summary = self.dir.join("summary.json");
        let mut command = Command::new(released("scraper")?);
        command
            .args(["--quiet", "run", &server.url(), "--kind", "shopify"])
            .args(["--allow-private", "--rate", "0", "--model"])
            .arg(&self.model)
            .arg("--store")
            .arg(self.dir.join("scrape.db"))
            .arg("--summary-json")
            .arg(&summary)
            .stdout(Stdio::null());
        if let Some(threads) = self.threads {
            command.args(["--threads", &threads.to_string()]);
        }
        let mut child = command.spawn().context("could not start the scraper")?;
        let (mut peak, mut last) = (0, 0);
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if let Some((rss, most)) = memory(child.id()) {
                (last, peak) = (rss, peak.max(most));
            }
            thread::sleep(Duration::from_millis(200));
        };
        ensure!(status.success(), "`scraper run` failed ({status})");
        let told: Value = serde_json::from_slice(&fs::read(&summary)?)?;
        Ok(Night {
            images: told["embedded"].as_u64().context("no count of embedded images")?,
            unchanged: told["reused"].as_u64().context("no count of unchanged images")?,
            seconds: told["seconds"].as_f64().context("no seconds")?,
            peak,
            last,
        })
    }
}

fn shop(n: usize) -> Shop {
    let options = Options { size: Some(SIZE), format: Some(Format::JPEG), images: Some(1) };
    Shop::with(1, n, options)
}

/// Resident memory of a process now and at its highest, in MB; `None` where the system does not
/// tell (only Linux does so here).
pub(crate) fn memory(pid: u32) -> Option<(u64, u64)> {
    Some((status(pid, "VmRSS")?, status(pid, "VmHWM")?))
}

/// Resident memory of a process but for mapped files, in MB.
pub(crate) fn own_memory(pid: u32) -> Option<u64> {
    status(pid, "RssAnon")
}

/// A size that Linux tells of a process, in MB.
fn status(pid: u32, name: &str) -> Option<u64> {
    let status =
        fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_start_matches(':').split_whitespace().next()?.parse::<u64>().ok()? / 1024)
}

#[cfg(test)]
mod tests {
    #[test]
    #[cfg(target_os = "linux")]
    fn memory_of_this_process_is_known() {
        let (now, most) = super::memory(std::process::id()).unwrap();
        assert!(now > 0 && most >= now);
        assert!(super::own_memory(std::process::id()).is_some_and(|own| own <= most));
        assert!(super::memory(u32::MAX).is_none());
    }
}
