//! `cargo xtask bench queue`: a run that processes share through Postgres, and what its queue costs them.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use drawn_shop::{Format, Options, Shop};
use serde_json::Value;

use crate::{
    postgres::Postgres,
    process::{cargo, root, seconds},
    program::released,
};

/// The queue may take so much of the workers' time.
const SHARE: f64 = 0.03;
/// Width and height of the images: small, so that the queue is asked often.
const SIZE: (u32, u32) = (64, 64);

/// How much is shared.
#[derive(Debug, clap::Args)]
pub(crate) struct Sizes {
    /// Images in the queue.
    #[arg(long, default_value_t = 200_000)]
    queued: usize,
    /// Processes that share the run, one thread each.
    #[arg(long, default_value_t = 8)]
    workers: usize,
}

pub(crate) fn run(sizes: &Sizes) -> Result<()> {
    let &Sizes { queued, workers } = sizes;
    cargo().args("build --release --quiet -p scraper-lib --example queue").run()?;
    let folder = root().join("target/bench-queue");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let postgres = Postgres::start(&folder)?;
    let (count, number) = (queued.to_string(), |told: &Value, name: &str| {
        told[name].as_f64().with_context(|| format!("no {name} in {told}"))
    });

    let store = postgres.database("alone")?;
    let alone = read(start(&["claims", &store, &workers.to_string(), &count])?)?;
    let (filling, took) = (number(&alone, "filling")?, number(&alone, "seconds")?);
    let rate = |amount: f64, took: f64| amount / took.max(1e-9);
    println!("\n{queued} images, {workers} workers, batches of 8, Postgres on this machine");
    println!("| | seconds | claims/s | images/s |\n|---|---:|---:|---:|");
    let all = queued as f64;
    println!("| the queue is filled | {filling:.1} | | {:.0} |", rate(all, filling));
    let claims = rate(number(&alone, "claims")?, took);
    println!("| claims alone | {took:.1} | {claims:.0} | {:.0} |", rate(all, took));

    let store = postgres.database("run")?;
    let address = images()?;
    let reader = start(&["work", &store, &address, &count])?;
    let others = (1..workers.max(1)).map(|_| start(&["work", &store]));
    let others = others.collect::<Result<Vec<_>>>()?;
    let told = [reader].into_iter().chain(others).map(read).collect::<Result<Vec<_>>>()?;
    let sum = |name: &str| told.iter().map(|one| number(one, name)).sum::<Result<f64>>();
    let (embedded, failed) = (sum("embedded")?, sum("failed")?);
    ensure!(embedded == all && failed == 0.0, "{embedded} of {queued} images, {failed} failed");
    let longest = told.iter().map(|one| number(one, "seconds")).collect::<Result<Vec<_>>>()?;
    let longest = longest.into_iter().fold(0.0, f64::max);
    let (claims, claiming) = (sum("claims")?, sum("claiming")?);
    let share = claiming / sum("seconds")?;
    println!(
        "| a whole run | {longest:.1} | {:.1} | {:.0} |",
        rate(claims, longest),
        rate(all, longest)
    );
    println!(
        "\nclaiming: {:.2} % of the workers' time, {:.1} ms per claim, {:.2} ms per image; small model, \
         JPEGs of {}x{} over HTTP",
        share * 1e2,
        rate(claiming, claims) * 1e3,
        rate(claiming, all) * 1e3,
        SIZE.0,
        SIZE.1
    );
    let share_of = |per_image: f64| rate(claiming, all) / (per_image + rate(claiming, all)) * 1e2;
    println!("at 0.1 s of a core per image (ViT-B/32) the same claims are {:.2} %", share_of(0.1));
    println!("the run took {}", seconds(Duration::from_secs_f64(longest)));
    ensure!(share <= SHARE, "the queue takes more than {} % of the workers' time", SHARE * 1e2);
    Ok(())
}

/// The example `queue`.
fn start(arguments: &[&str]) -> Result<Child> {
    let mut command = Command::new(released("examples/queue")?);
    command.args(arguments).env("RAYON_NUM_THREADS", "1").stdout(Stdio::piped());
    command.spawn().context("could not start examples/queue")
}

/// What it prints.
fn read(child: Child) -> Result<Value> {
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "examples/queue failed ({})", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Serves `/N.jpg` until this process ends: the same picture for all, and no two files alike.
fn images() -> Result<String> {
    let options = Options { size: Some(SIZE), format: Some(Format::JPEG), images: Some(1) };
    let shop = Shop::with(1, 1, options);
    let picture = shop.products().first().and_then(|product| product.images.first());
    let picture: Arc<[u8]> = picture.context("no picture")?.file()?.into();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let picture = picture.clone();
            thread::spawn(move || answer(&stream, &picture));
        }
    });
    Ok(address)
}

/// Answers on one connection until the client closes it.
fn answer(stream: &TcpStream, picture: &[u8]) -> Result<()> {
    let (start, rest) = picture.split_at_checked(2).context("no picture")?;
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let name = line.split(' ').nth(1).unwrap_or_default().to_owned();
        while line.trim_end() != "" {
            line.clear();
            reader.read_line(&mut line)?;
        }
        line.clear();
        // A comment after the start of the image: marker, length (itself included), text.
        let length = u16::try_from(name.len() + 2)?.to_be_bytes();
        let comment = [&[0xff, 0xfe], &length[..], name.as_bytes()].concat();
        let length = picture.len() + comment.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: image/jpeg\r\ncontent-length: {length}\r\n\r\n"
        );
        writer.write_all(&[head.as_bytes(), start, &comment, rest].concat())?;
    }
    Ok(())
}
