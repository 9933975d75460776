//! Searches a store of random vectors, as large as asked for. For `cargo xtask bench search --native`.
//!
//! Usage: searches FOLDER PRODUCTS ROUNDS [STORE]
//!
//! With 0 rounds it makes the store, in FOLDER if nothing else is said, and its scan. Else it searches them, with queries
//! that it leaves in `queries.f32`. Prints what was measured as JSON: milliseconds, best and median, and
//! the memory that is the process's own.

mod random;

use std::{error::Error, fs, path::Path, time::Instant};

use clip_core::{Embedding, NormalizedEmbedding, Towers};
use scraper_lib::{
    model::{LoadOptions, ModelFiles, load},
    scan,
    search::{Keeping, Mode, Question, Searcher, find},
    store::{Filter, StoreTarget, View},
};
use serde_json::{Map, Value, json};

const TOP: usize = 12;
const QUERIES: usize = 8;
/// Of more products the store is not read as it was without a scan: it takes too long.
const READ: usize = 100_000;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let usage = "usage: searches FOLDER PRODUCTS ROUNDS [STORE]";
    let [folder, products, rounds, rest @ ..] = &args[..] else { return Err(usage.into()) };
    let (folder, products, rounds) = (Path::new(folder), products.parse()?, rounds.parse()?);
    fs::create_dir_all(folder)?;
    let model = load(&ModelFiles::builtin(), &LoadOptions::new(Towers::Text))?;
    let dim = model.clip.config().projection_dim;
    let mut told = Map::new();

    let target = match rest {
        [store] => store.parse()?,
        _ => StoreTarget::Sqlite(folder.join("store.db")),
    };
    if rounds == 0 {
        let (mut store, _lock) = target.open(None)?;
        let address = |i| format!("https://s.example/{i}");
        random::fill(&mut *store, &model.provenance, dim, products, address)?;
        let start = Instant::now();
        scan::make(&*store, 1)?;
        let seconds = start.elapsed().as_secs_f64();
        println!("{}", json!({ "scan_s": seconds, "own_mb": memory("VmHWM:") }));
        return Ok(());
    }

    let mut random = random::Random(99);
    let queries: Vec<NormalizedEmbedding> =
        (0..QUERIES).map(|_| Embedding::from_raw(random.vector(dim)).normalized()).collect();
    let bytes: Vec<u8> =
        queries.iter().flat_map(|q| q.values()).flat_map(|x| x.to_le_bytes()).collect();
    fs::write(folder.join("queries.f32"), bytes)?;

    let everything = View::default();
    let filtered = View { filter: Filter::parse(&["price<50", "brand=Celo"])?, vanished: false };
    let by_vector = |query| Question { text: "", query, mode: Mode::Vector, top: TOP, floor: None };
    let by_words =
        Question { text: "red dress", query: None, mode: Mode::Words, top: TOP, floor: None };
    let both = |query| Question { mode: Mode::Hybrid, query, floor: Some(&model), ..by_words };

    // What a program takes that searches once, without the load of its model.
    let once = |question: Question<'_>, view: &View| -> Result<f64> {
        let start = Instant::now();
        Searcher::open(&target, Keeping::Store)?.find(view, question)?;
        Ok(1e3 * start.elapsed().as_secs_f64())
    };
    let searcher = Searcher::open(&target, Keeping::Store)?;
    // The first one measures the floor, once for a scan.
    let start = Instant::now();
    searcher.find(&everything, both(queries.first()))?;
    told.insert("floor_ms".into(), json!(1e3 * start.elapsed().as_secs_f64()));
    let mut rows: Vec<(&str, Vec<f64>)> = Vec::new();
    let mut measure = |name, of: &dyn Fn(usize) -> Result<f64>| {
        let times: Result<Vec<f64>> =
            (0..=rounds).map(|round: usize| of(round % QUERIES)).collect();
        // The first warms up.
        rows.push((name, times?.split_off(1)));
        Ok::<_, Box<dyn Error>>(())
    };
    let open = |question: Question<'_>, view: &View| -> Result<f64> {
        let start = Instant::now();
        searcher.find(view, question)?;
        Ok(1e3 * start.elapsed().as_secs_f64())
    };
    measure("vector", &|n| open(by_vector(queries.get(n)), &everything))?;
    measure("vector, filtered", &|n| open(by_vector(queries.get(n)), &filtered))?;
    measure("words", &|_| open(by_words, &everything))?;
    measure("hybrid", &|n| open(both(queries.get(n)), &everything))?;
    measure("opened for one vector", &|n| once(by_vector(queries.get(n)), &everything))?;
    measure("opened for one hybrid", &|n| once(both(queries.get(n)), &everything))?;
    if products <= READ {
        let store = target.open_existing()?;
        measure("vector, by the store", &|n| {
            let start = Instant::now();
            store.search(queries.get(n).ok_or(usage)?, TOP, &everything, false)?;
            Ok(1e3 * start.elapsed().as_secs_f64())
        })?;
        measure("hybrid, reading the store", &|n| {
            let start = Instant::now();
            find(&*store, &everything, both(queries.get(n)))?;
            Ok(1e3 * start.elapsed().as_secs_f64())
        })?;
    }
    let times = rows.into_iter().map(|(name, mut times)| {
        times.sort_by(f64::total_cmp);
        let (best, median) = (times.first().copied(), times.get(times.len() / 2).copied());
        (name.to_owned(), json!([best, median]))
    });
    told.insert("ms".into(), Value::Object(times.collect()));
    let hits = queries.iter().map(|query| {
        let found = searcher.find(&everything, by_vector(Some(query)))?.found;
        Ok(found.into_iter().map(|hit| hit.product.id).collect::<Vec<_>>())
    });
    told.insert("hits".into(), json!(hits.collect::<Result<Vec<_>>>()?));
    told.insert("own_mb".into(), json!(memory("RssAnon:")));
    println!("{}", Value::Object(told));
    Ok(())
}

/// Memory of this process in MB; `None` where the system does not tell.
fn memory(field: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
}
