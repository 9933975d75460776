//! `peers DIR [--python PYTHON] [--rounds N] [--threads 1,2]`: the side-by-side benchmark;
//! `peers linear`: only the linear layers; `peers stages`: where a forward pass spends its
//! time (needs the feature of that name).
//!
//! Every peer loads the same synthetic ViT-B/32 in a process of its own; then they take turns, so
//! that a noisy machine is equally noisy for all. `serve PEER DIR THREADS` is such a process.

#![forbid(unsafe_code)]

mod gpu;
mod linear;
#[cfg(feature = "stages")]
mod stages;
mod table;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use candle_core::Device;
use clip_core::{Encoder, Towers, synthetic::Dtype};
use clip_tests::goldens::Golden;
use peers::protocol::{Peer, serve};
use scraper_lib::model::{Candle, LoadOptions, ModelFiles};
use table::Workload;

/// What is timed: kind and batch (images) or tokens (text).
const WORKLOADS: [(&str, usize); 4] = [("image", 1), ("image", 8), ("image", 32), ("text", 6)];
/// Between two turns: OpenMP runtimes keep their threads spinning for 200 ms after their work,
/// on the cores that the next peer needs.
const PAUSE: Duration = Duration::from_millis(300);
const USAGE: &str = "usage: peers DIR [--python PYTHON] [--rounds N] [--threads 1,2]";
const PYTHON_PEERS: [&str; 3] = ["onnxruntime", "openvino", "torch"];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = match args.first().map(String::as_str) {
        Some("linear") => linear::print().map_err(|e| e.to_string()),
        #[cfg(feature = "stages")]
        Some("stages") => stages::print(),
        Some("gpu") => gpu::print(&args[1..]),
        Some("serve") if args.len() == 4 => serve_peer(&args[1], Path::new(&args[2]), &args[3]),
        _ => compare(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("peers: {message}");
            ExitCode::FAILURE
        }
    }
}

struct Arguments {
    dir: PathBuf,
    python: Option<String>,
    rounds: usize,
    threads: Vec<String>,
}

fn parse(args: &[String]) -> Result<Arguments, String> {
    let mut parsed = Arguments {
        dir: PathBuf::new(),
        python: None,
        rounds: 7,
        threads: vec!["1".into(), "2".into()],
    };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || args.next().cloned().ok_or(format!("{arg} needs a value"));
        match arg.as_str() {
            "--python" => parsed.python = Some(value()?),
            "--rounds" => parsed.rounds = value()?.parse().map_err(|e| format!("{arg}: {e}"))?,
            "--threads" => parsed.threads = value()?.split(',').map(str::to_string).collect(),
            unknown if unknown.starts_with('-') => {
                return Err(format!("{unknown} is unknown; {USAGE}"));
            }
            dir => parsed.dir = dir.into(),
        }
    }
    if parsed.dir.as_os_str().is_empty() || parsed.rounds == 0 {
        return Err(USAGE.into());
    }
    Ok(parsed)
}

fn compare(args: &[String]) -> Result<(), String> {
    let Arguments { dir, python, rounds, threads } = parse(args)?;
    let file = write_model(&dir)?;
    // Else the first to load would be the one that waits for the disk.
    fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    linear::print().map_err(|e| e.to_string())?;
    for threads in &threads {
        let cores = threads.parse().map_err(|e| format!("threads {threads:?}: {e}"))?;
        let mut names = vec!["ours", "candle"];
        names.extend(python.iter().flat_map(|_| PYTHON_PEERS));
        let mut loads = vec![Vec::new(); names.len()];
        let mut peers = Vec::new();
        for _ in 0..rounds {
            peers.clear();
            for (name, loads) in names.iter().zip(&mut loads) {
                let python = python.as_deref().filter(|_| PYTHON_PEERS.contains(name));
                // The first would load while the system still takes back the others' gigabytes.
                std::thread::sleep(PAUSE);
                let peer = start(name, python, &dir, threads)?;
                loads.push(peer.load_ms);
                peers.push(peer);
            }
        }
        let mut results = Vec::new();
        for (kind, count) in WORKLOADS {
            let request = format!("{kind} {count}");
            let mut times = vec![Vec::new(); peers.len()];
            let mut least = Vec::new();
            for round in 0..=rounds {
                if kind == "image" {
                    std::thread::sleep(PAUSE);
                    let peak = linear::peak(cores).map_err(|e| e.to_string())?;
                    if round > 0 {
                        least.push(linear::IMAGE_FLOPS as f64 / peak / 1e6);
                    }
                }
                for (peer, times) in peers.iter_mut().zip(&mut times) {
                    std::thread::sleep(PAUSE);
                    let mut ask = |request: &str| {
                        peer.ask(request).map_err(|e| format!("{}: {e}", peer.name))
                    };
                    ask(warm_up(kind))?;
                    let ms = ask(&request)?;
                    // The first round warms up.
                    if round > 0 {
                        times.push(if kind == "image" { ms / count as f64 } else { ms });
                    }
                }
            }
            results.push(Workload { request, times, least });
        }
        let names: Vec<_> = peers.iter().map(|p| p.name.clone()).collect();
        let loads: Vec<_> = loads.into_iter().map(table::median).collect();
        let memory: Vec<_> = peers
            .iter_mut()
            .map(|p| p.ask("memory").map_err(|e| e.to_string()))
            .collect::<Result<_, _>>()?;
        table::print(threads, &names, &results, &loads, &memory);
    }
    Ok(())
}

/// What a peer does first in its turn, not counted: it has rested while the others took theirs, and its
/// weights have left the caches and, on some machines, memory. Who embeds image after image never rests.
fn warm_up(kind: &str) -> &'static str {
    match kind {
        "image" => "image 1",
        _ => "text 6",
    }
}

/// Starts a peer: one of Python's, or this program.
fn start(name: &str, python: Option<&str>, dir: &Path, threads: &str) -> Result<Peer, String> {
    let mut command = match python {
        Some(python) => {
            let mut command = Command::new(python);
            command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/reference/peers.py"));
            command
        }
        None => {
            let mut command = Command::new(std::env::current_exe().map_err(|e| e.to_string())?);
            command.arg("serve");
            command
        }
    };
    command.arg(name).arg(dir).arg(threads);
    Peer::start(name, &mut command).map_err(|e| format!("{name}: {e}"))
}

/// The model as a Hugging Face folder, f32 as the original checkpoint, which is returned.
fn write_model(dir: &Path) -> Result<PathBuf, String> {
    let golden = Golden::vit_b_32();
    let file = dir.join("model.safetensors");
    if !file.exists() {
        fs::create_dir_all(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let write = |path: &Path, bytes: &[u8]| {
            fs::write(path, bytes).map_err(|e| format!("{}: {e}", path.display()))
        };
        write(&dir.join("config.json"), golden.config.to_json().as_bytes())?;
        let preprocessor = dir.join("preprocessor_config.json");
        write(&preprocessor, br#"{"size": 224, "crop_size": 224}"#)?;
        let partial = dir.join("model.partial");
        write(&partial, &golden.checkpoint(Dtype::F32))?;
        fs::rename(&partial, &file).map_err(|e| e.to_string())?;
    }
    Ok(file)
}

fn serve_peer(name: &str, dir: &Path, threads: &str) -> Result<(), String> {
    let threads: usize = threads.parse().map_err(|e| format!("threads {threads:?}: {e}"))?;
    clip_tests::parity::set_threads(threads)?;
    let golden = Golden::vit_b_32();
    let pixels = golden.pixels();
    let batch = |count: usize| -> Vec<_> { pixels.iter().cycle().take(count).cloned().collect() };
    let ids = |count: usize| -> Vec<u32> {
        let words = golden.facts.texts.iter().max_by_key(|t| t.len()).into_iter().flatten();
        words.copied().take(count.saturating_sub(1)).chain([49407]).collect()
    };
    let file = dir.join("model.safetensors");
    let started = Instant::now();
    let (candle, clip);
    let encoder: &dyn Encoder = if name.starts_with("candle") {
        let bytes = fs::read(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let device = match name {
            "candle-cuda" => Device::new_cuda(0).map_err(|e| e.to_string())?,
            _ => Device::Cpu,
        };
        let loaded = Candle::load(&golden.config, &bytes, &device);
        candle = loaded.map_err(|e| e.to_string())?;
        &candle
    } else {
        // As the nightly job loads it: memory-mapped.
        let files = ModelFiles::in_folder(dir).map_err(|e| e.to_string())?;
        let options = LoadOptions::new(Towers::Both);
        clip = scraper_lib::model::load(&files, &options).map_err(|e| e.to_string())?.clip;
        clip.as_ref()
    };
    serve(started, |kind, count| {
        let result = match kind {
            "image" => encoder.embed_pixels(&batch(count)),
            _ => encoder.embed_tokens(&[ids(count)]),
        };
        result.map(drop).map_err(|e| e.to_string())
    })
}
