//! `cargo xtask bench search --native`: searches of a store, beside exact searches of others.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    postgres::Postgres,
    process::{cargo, clear, root},
    program::released,
};

const PEERS: [&str; 3] = ["numpy", "faiss", "sqlite-vec"];
/// The rows of the table, as the example names them.
const OURS: [&str; 8] = [
    "vector",
    "vector, filtered",
    "words",
    "hybrid",
    "opened for one vector",
    "opened for one hybrid",
    "vector, by the store",
    "hybrid, reading the store",
];

/// What is searched.
#[derive(Debug, clap::Args)]
pub(crate) struct Sizes {
    /// With `search`: searches of a store, natively; with --python beside numpy, faiss and sqlite-vec.
    #[arg(long)]
    pub(crate) native: bool,
    /// Products of the stores that are searched natively; a million take 6 GB of disk for a while.
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    stores: Vec<usize>,
    /// Searches stores in Postgres, and this machine's scans of them.
    #[arg(long)]
    postgres: bool,
}

pub(crate) fn run(sizes: &Sizes, python: Option<&str>, rounds: usize) -> Result<()> {
    cargo().args("build --release --quiet -p scraper-lib --example searches").run()?;
    let mut columns = Vec::new();
    for &products in &sizes.stores {
        let folder = root().join("target/bench-search");
        clear(&folder)?;
        eprintln!("{products} products …");
        let measured = match sizes.postgres {
            true => in_postgres(&folder, products, python, rounds),
            false => column(&folder, products, None, python, rounds),
        };
        clear(&folder)?;
        columns.push((products, measured?));
    }
    print(&columns, python.is_some());
    Ok(())
}

/// What was measured of a store: ours, then the peers.
type Column = (Value, Vec<Value>);

fn in_postgres(
    folder: &Path,
    products: usize,
    python: Option<&str>,
    rounds: usize,
) -> Result<Column> {
    fs::create_dir_all(folder)?;
    let postgres = Postgres::start(folder)?;
    column(folder, products, Some(&postgres.database("shop")?), python, rounds)
}

/// Of the store at an address, or of one in `folder`.
fn column(
    folder: &Path,
    products: usize,
    store: Option<&str>,
    python: Option<&str>,
    rounds: usize,
) -> Result<Column> {
    let rounds = rounds.max(1).to_string();
    let ours = |rounds: &str| {
        let mut command = Command::new(released("examples/searches")?);
        command.arg(folder).args([&products.to_string(), rounds]).args(store);
        told(command.env("XDG_CACHE_HOME", folder))
    };
    let made = ours("0")?;
    let mut ours = ours(&rounds)?;
    (ours["scan_s"], ours["make_mb"]) = (made["scan_s"].clone(), made["own_mb"].clone());
    let mut peers = Vec::new();
    for peer in PEERS.iter().filter(|_| python.is_some()) {
        let mut command = Command::new(python.unwrap_or("python3"));
        command.arg(root().join("tests/reference/search_peers.py"));
        let found = told(command.arg(peer).arg(folder).arg(&rounds))?;
        let same = agree(&ours["hits"], &found["hits"]);
        ensure!(same, "{peer} finds other products: {} and {}", ours["hits"], found["hits"]);
        peers.push(found);
    }
    Ok((ours, peers))
}

fn told(command: &mut Command) -> Result<Value> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("could not start {command:?}"))?;
    ensure!(output.status.success(), "{command:?} failed ({})", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Whether the products (`P-000123`) and the rows are the same ones; scores of others that are equal
/// but for their rounding may stand in another order.
fn agree(products: &Value, rows: &Value) -> bool {
    let number = |hit: &Value| match hit.as_str() {
        Some(id) => id.trim_start_matches("P-").parse().ok(),
        None => hit.as_u64(),
    };
    let all = |lists: &Value| -> Option<Vec<Vec<Option<u64>>>> {
        let one = |list: &Value| -> Option<Vec<Option<u64>>> {
            let mut hits: Vec<_> = list.as_array()?.iter().map(number).collect();
            hits.sort_unstable();
            Some(hits)
        };
        lists.as_array()?.iter().map(one).collect()
    };
    all(products).is_some_and(|products| Some(products) == all(rows))
}

fn print(columns: &[(usize, Column)], peers: bool) {
    let cell = |pair: &Value| match (pair[0].as_f64(), pair[1].as_f64()) {
        (Some(best), Some(median)) => format!("{best:.2} / {median:.2}"),
        _ => String::new(),
    };
    let row = |name: &str, of: &dyn Fn(&Column) -> String| {
        let cells: Vec<String> = columns.iter().map(|(_, column)| of(column)).collect();
        println!("| {name} | {} |", cells.join(" | "));
    };
    let sizes: Vec<String> = columns.iter().map(|(products, _)| products.to_string()).collect();
    println!("\nthe 12 nearest of so many vectors of 512 values, ms (best / median)\n");
    println!("| | {} |\n|---|{}", sizes.join(" | "), "---:|".repeat(sizes.len()));
    for name in OURS {
        row(name, &|(ours, _)| cell(&ours["ms"][name]));
    }
    for (at, name) in PEERS.iter().enumerate().filter(|_| peers) {
        row(name, &|(_, peers)| peers.get(at).map_or(String::new(), |peer| cell(&peer["ms"])));
    }
    let number = |value: &Value| value.as_f64().map_or(String::new(), |x| format!("{x:.1}"));
    row("the first search by meaning, which measures the floor", &|(ours, _)| {
        number(&ours["floor_ms"])
    });
    row("making the scan, s", &|(ours, _)| number(&ours["scan_s"]));
    row("peak memory of making it, MB", &|(ours, _)| number(&ours["make_mb"]));
    row("memory of the search but for mapped files, MB", &|(ours, _)| number(&ours["own_mb"]));
}
