//! A shared run in Postgres, and how long its queue takes. For `cargo xtask bench queue`.
//!
//! Usage: queue work STORE [ADDRESS COUNT]: a worker with the small model; with ADDRESS it reads the
//! source, too: COUNT products, each with the image ADDRESS/N.jpg.
//! Usage: queue claims STORE WORKERS COUNT: threads that do nothing but lease COUNT images.
//!
//! Prints what was measured as JSON.

mod timed;

use std::{
    error::Error,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use clip_core::Towers;
use scraper_lib::{
    fetch::{Caps, Fetcher},
    model::{LoadOptions, ModelFiles, load},
    pipeline::{RunOptions, Setup, Sharing, share},
    report::Progress,
    source::{Base, Product, Running, Source, SourceItem},
    store::{StoreTarget, WorkQueue, Write},
};
use serde_json::{Value, json};
use timed::Timed;
use tokio::sync::mpsc::Sender;

/// The default of `--lease`.
const LEASE: Duration = Duration::from_secs(60);
/// Images that a worker leases at once by default: two batches.
const CLAIM: usize = 2 * 8;
/// Products per transaction while the queue is filled, as in a run.
const GROUP: usize = 256;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let told = match args[..] {
        ["work", store] => work(&store.parse()?, None)?,
        ["work", store, address, count] => {
            let shop = Shop { address: address.to_owned(), count: count.parse()? };
            work(&store.parse()?, Some(shop))?
        }
        ["claims", store, workers, count] => {
            claims(&store.parse()?, workers.parse()?, count.parse()?)?
        }
        _ => {
            return Err(
                "usage: queue work STORE [ADDRESS COUNT] | claims STORE WORKERS COUNT".into()
            );
        }
    };
    println!("{told}");
    Ok(())
}

fn queue(store: &StoreTarget) -> Result<Box<dyn WorkQueue>> {
    Ok(store.work_queue(LEASE)?.ok_or("a file has no queue")?)
}

fn work(store: &StoreTarget, shop: Option<Shop>) -> Result<Value> {
    let (_stop, cancel) = tokio::sync::watch::channel(false);
    let setup = Setup {
        fetcher: Fetcher::unguarded(Caps { rate: 0.0, ..Caps::default() })?,
        model: Arc::new(load(&ModelFiles::builtin(), &LoadOptions::new(Towers::Vision))?),
        options: RunOptions { decoders: 1, ..RunOptions::default() },
        progress: Progress::hidden(),
        cancel,
    };
    let (queue, times) = Timed::new(queue(store)?);
    let sources = shop.map(|shop| vec![Box::new(shop) as Box<dyn Source>]);
    let sharing = Sharing { wait: Duration::from_secs(60), reembed: false };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let started = Instant::now();
    let summary = runtime.block_on(share(sources, Box::new(queue), &setup, sharing))?;
    let seconds = started.elapsed().as_secs_f64();
    let times = times.lock().map_err(|e| e.to_string())?;
    Ok(json!({
        "embedded": summary.embedded, "failed": summary.failed, "seconds": seconds,
        "claims": times.claims, "claimed": times.claimed, "claiming": times.claiming.as_secs_f64(),
    }))
}

/// The queue alone: what it can give at most.
fn claims(store: &StoreTarget, workers: usize, count: usize) -> Result<Value> {
    let model = load(&ModelFiles::builtin(), &LoadOptions::new(Towers::Vision))?;
    let mut first = queue(store)?;
    if !first.try_read()? {
        return Err("another process reads".into());
    }
    first.begin(&model.provenance, model.clip.config().projection_dim, false)?;
    let mut filler = first.filler()?;
    let shop = Shop { address: "http://127.0.0.1:1".to_owned(), count };
    let started = Instant::now();
    for from in (0..count).step_by(GROUP) {
        let group = from..count.min(from + GROUP);
        filler.add(&group.map(|n| Write::Product(shop.product(n))).collect::<Vec<_>>())?;
    }
    let filling = started.elapsed().as_secs_f64();

    let queues = (0..workers).map(|_| queue(store)).collect::<Result<Vec<_>>>()?;
    let started = Instant::now();
    let (claims, claimed) = thread::scope(|scope| {
        let lease = |mut queue: Box<dyn WorkQueue>| -> Result<(usize, usize)> {
            let (mut claims, mut claimed) = (0, 0);
            loop {
                let found = queue.claim(CLAIM)?.len();
                if found == 0 {
                    return Ok((claims, claimed));
                }
                (claims, claimed) = (claims + 1, claimed + found);
            }
        };
        let threads: Vec<_> =
            queues.into_iter().map(|queue| scope.spawn(move || lease(queue))).collect();
        threads.into_iter().try_fold((0, 0), |(claims, claimed), thread| {
            let (more, images) = thread.join().map_err(|_| "a worker panicked")??;
            Result::Ok((claims + more, claimed + images))
        })
    })?;
    let seconds = started.elapsed().as_secs_f64();
    if claimed != count {
        return Err(format!("{claimed} images were leased, not {count}").into());
    }
    Ok(json!({ "filling": filling, "claims": claims, "claimed": claimed, "seconds": seconds }))
}

struct Shop {
    address: String,
    count: usize,
}

impl Shop {
    fn product(&self, n: usize) -> Product {
        Product {
            id: format!("P-{n:06}"),
            title: Some(format!("Product {n}")),
            images: vec![format!("{}/{n}.jpg", self.address)],
            ..Product::default()
        }
    }
}

impl Source for Shop {
    fn describe(&self) -> String {
        self.address.clone()
    }

    fn base(&self) -> Base {
        Base::Web
    }

    fn run(self: Box<Self>, out: Sender<SourceItem>) -> Running {
        Box::pin(async move {
            for n in 0..self.count {
                if out.send(Ok(self.product(n))).await.is_err() {
                    break;
                }
            }
            Ok(())
        })
    }
}
