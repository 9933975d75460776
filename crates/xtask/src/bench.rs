//! `cargo xtask bench`: the measurements.

use anyhow::{Result, bail};
use clap::Args;

use crate::{
    bench_decode, bench_export, bench_queue, bench_scrape, bench_search, bench_serve,
    process::cargo, python, web,
};

/// One set of measurements.
struct Bench {
    name: &'static str,
    about: &'static str,
    run: fn(&Arguments) -> Result<()>,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "core",
        about: "where a forward pass spends its time; criterion benches of clip-core and clip-kernels",
        run: |arguments| {
            if arguments.filter.is_none() {
                cargo().args("run --release -p peers --features stages -- stages").run()?;
            }
            let cmd = cargo().args("bench -p clip-core -p clip-kernels --benches --");
            arguments.filter.iter().fold(cmd, |cmd, filter| cmd.arg(filter)).run()
        },
    },
    Bench {
        name: "decode",
        about: "pictures of every format to RGB pixels, beside Pillow (--python)",
        run: |arguments| bench_decode::run(arguments.python.as_deref(), arguments.rounds),
    },
    Bench {
        name: "peers",
        about: "side by side with candle and, with --python, ONNX Runtime, OpenVINO and torch",
        run: |arguments| {
            let cmd = cargo().args("run --release -p peers --").arg("target/bench-model");
            let rounds = arguments.rounds.to_string();
            let cmd = cmd.arg("--rounds").arg(rounds);
            match &arguments.python {
                Some(python) => cmd.arg("--python").arg(python).run(),
                None => cmd.run(),
            }
        },
    },
    Bench {
        name: "gpu",
        about: "a GPU's bits, and its speed beside candle (--cuda) and torch (--python) on CUDA",
        run: |arguments| {
            let features = if arguments.cuda { "--features cuda " } else { "" };
            let cmd = format!("run --release -p peers {features}-- gpu target/bench-model");
            let cmd = cargo().args(&cmd);
            arguments.python.iter().fold(cmd, |cmd, python| cmd.arg("--python").arg(python)).run()
        },
    },
    Bench {
        name: "scrape",
        about: "a whole run over HTTP against decoding and embedding alone; memory of large shops",
        run: |arguments| bench_scrape::run(&arguments.scrape),
    },
    Bench {
        name: "serve",
        about: "`scraper serve` asked for twice of what it can do, and killed meanwhile",
        run: |arguments| bench_serve::run(&arguments.load),
    },
    Bench {
        name: "queue",
        about: "a run that processes share through Postgres: claims per second, their share of the time",
        run: |arguments| bench_queue::run(&arguments.queue),
    },
    Bench {
        name: "export",
        about: "large stores in every format: vectors per second, and memory",
        run: |arguments| bench_export::run(&arguments.export),
    },
    Bench {
        name: "web",
        about: "in a browser, with --python: side by side with ONNX Runtime Web and transformers.js",
        run: |arguments| {
            web::bench(arguments.python.as_deref(), arguments.browser, arguments.rounds)
        },
    },
    Bench {
        name: "ranking",
        about: "nDCG@10 of words, vectors and both fused, on a drawn shop with the built-in model",
        run: |_| {
            let test = "test --quiet -p scraper-lib --test ranking -- --nocapture hybrid_is_best";
            cargo().args(test).run()
        },
    },
    Bench {
        name: "python",
        about: "the Python wheel; with --python: beside transformers, sentence-transformers, fastembed",
        run: |arguments| python::bench(arguments.python.as_deref(), arguments.rounds),
    },
    Bench {
        name: "search",
        about: "<clip-search> in Chromium: key press to painted results, and the scan; or --native",
        run: |arguments| match arguments.search.native {
            true => {
                let python = arguments.python.as_deref();
                bench_search::run(&arguments.search, python, arguments.rounds)
            }
            false => web::bench_search(),
        },
    },
];

/// Measures; without a name, everything.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Which set; `--list` shows them.
    name: Option<String>,
    /// Only benches whose name contains this.
    #[arg(long)]
    filter: Option<String>,
    /// A Python with tests/reference/requirements-peers.txt, for the peers.
    #[arg(long)]
    python: Option<String>,
    /// Builds candle for CUDA, for `gpu`.
    #[arg(long)]
    cuda: bool,
    /// The browser of `web`.
    #[arg(long, value_enum, default_value_t = web::Browser::Chromium)]
    browser: web::Browser,
    /// Counted rounds of the peers, after one to warm up.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    #[command(flatten)]
    scrape: bench_scrape::Sizes,
    #[command(flatten)]
    load: bench_serve::Load,
    #[command(flatten)]
    queue: bench_queue::Sizes,
    #[command(flatten)]
    search: bench_search::Sizes,
    #[command(flatten)]
    export: bench_export::Sizes,
    /// Lists the sets.
    #[arg(long)]
    list: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.list {
        for bench in BENCHES {
            println!("{:<8} {}", bench.name, bench.about);
        }
        return Ok(());
    }
    let wanted = |bench: &&Bench| arguments.name.as_deref().is_none_or(|name| name == bench.name);
    let mut chosen = BENCHES.iter().filter(wanted).peekable();
    if chosen.peek().is_none() {
        let names: Vec<&str> = BENCHES.iter().map(|bench| bench.name).collect();
        bail!("there is no such set of benches; there are: {}", names.join(", "));
    }
    chosen.try_for_each(|bench| (bench.run)(arguments))
}
