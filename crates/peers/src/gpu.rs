//! A GPU's bits and its speed, in one go: for a machine that is at hand for minutes.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use clip_core::{Clip, Encoder, Options, synthetic::Dtype, weights::Weights};
use clip_gpu::{
    Fused, Gpu, GpuEncoder, Kind, adapters,
    bench::{self, Product},
    self_test,
};
use clip_tests::{goldens::Golden, parity};
use peers::protocol::Peer;

const BATCHES: [usize; 4] = [1, 8, 64, 256];
/// Of one batch of one peer, after a first that warms up.
const ROUNDS: usize = 5;
/// Nobody waits longer for a peer's batch.
const LONGEST: Duration = Duration::from_secs(20);
/// Rows (one image, many), outputs, inputs.
const SHAPES: [[usize; 3]; 5] =
    [[50, 768, 768], [3200, 768, 768], [3200, 3072, 768], [3200, 768, 3072], [64, 512, 768]];

/// `DIR [--python PYTHON]`.
pub(crate) fn print(args: &[String]) -> Result<(), String> {
    let (dir, python) = match args {
        [dir] => (Path::new(dir), None),
        [dir, flag, python] if flag == "--python" => (Path::new(dir), Some(python.as_str())),
        _ => return Err("usage: peers gpu DIR [--python PYTHON]".into()),
    };
    let text = |e: &dyn std::fmt::Display| e.to_string();
    for adapter in adapters() {
        println!("found: {adapter}");
    }
    let gpu = Gpu::open(None, Fused::Device).map_err(|e| text(&e))?;
    println!("used: {}", gpu.adapter());

    let start = Instant::now();
    let test = self_test(&gpu).map_err(|e| text(&e))?;
    for check in &test.checks {
        println!("  {}: {}", check.name, check.failure.as_deref().unwrap_or("the CPU's bits"));
    }
    println!("{test} ({:.1} s)", start.elapsed().as_secs_f64());

    println!("\n| rows x outputs x inputs | elements with other bits | GFLOP/s |\n|---|---:|---:|");
    for shape @ [m, n, k] in SHAPES {
        let Product { wrong, compared, gflops } =
            bench::product(&gpu, shape).map_err(|e| text(&e))?;
        println!("| {m} x {n} x {k} | {wrong} of {compared} | {gflops:.0} |");
    }

    let golden = Golden::vit_b_32();
    let file = golden.checkpoint(Dtype::F32);
    let clip = Clip::load(golden.config.clone(), &file, Options::new(&golden.config));
    let clip = Arc::new(clip.map_err(|e| text(&e))?);
    let weights = Weights::parse(&file).map_err(|e| text(&e))?;
    let software = gpu.adapter().kind == Kind::Software;
    let encoder = GpuEncoder::new(gpu, clip.clone(), &weights, &test).map_err(|e| text(&e))?;
    digests(&clip, &encoder)?;
    if software {
        println!("\nThis GPU is the CPU: its speed says nothing.");
        return Ok(());
    }
    speed(&golden, &encoder, &clip, dir, python)
}

/// The stages of ViT-B/32 for one image, against the golden ones.
fn digests(clip: &Clip, encoder: &GpuEncoder) -> Result<(), String> {
    let (name, bytes) = parity::FILES[0];
    let pixels = clip.processor().process(bytes).map_err(|e| e.to_string())?;
    let (_, trace) = encoder.trace_pixels(&pixels).map_err(|e| e.to_string())?;
    let expected = parity::expected();
    let golden = expected.get(&format!("vit_b_32/{name}")).ok_or("no golden of this image")?;
    println!("\nStages of ViT-B/32, {name}:");
    for stage in &trace.stages {
        let short = &stage.sha256[..16];
        let known = golden.iter().any(|(name, digest)| *name == stage.name && digest == short);
        println!("  {:<12} {short} {}", stage.name, if known { "golden" } else { "OTHER BITS" });
    }
    Ok(())
}

fn speed(
    golden: &Golden,
    encoder: &GpuEncoder,
    clip: &Clip,
    dir: &Path,
    python: Option<&str>,
) -> Result<(), String> {
    crate::write_model(dir)?;
    let pixels = golden.pixels();
    println!("\nImages per second, ViT-B/32 in f32, pixels to vectors, by batch\n");
    println!("| | {} |", BATCHES.map(|count| count.to_string()).join(" | "));
    println!("|---|{}", "---:|".repeat(BATCHES.len()));
    // Each at once: the machine may be taken away.
    let print = |name: &str, cells: Vec<String>| println!("| {name} | {} |", cells.join(" | "));
    for (name, encoder) in [("ours, GPU", encoder as &dyn Encoder), ("ours, CPU", clip)] {
        let cells = row(|count| {
            let batch: Vec<_> = pixels.iter().cycle().take(count).cloned().collect();
            let start = Instant::now();
            encoder.embed_pixels(&batch).map_err(|e| e.to_string())?;
            Ok(start.elapsed())
        })?;
        print(name, cells);
    }
    let others =
        [("torch-cuda", python, python.is_some()), ("candle-cuda", None, cfg!(feature = "cuda"))];
    let mut missing = Vec::new();
    for (name, python, wanted) in others {
        if !wanted {
            missing.push(format!("{name}: not asked for"));
            continue;
        }
        // Where it cannot run, ours is still worth reading.
        let asked = crate::start(name, python, dir, "1").and_then(|mut peer: Peer| {
            row(|count| {
                let ms = peer.ask(&format!("image {count}")).map_err(|e| e.to_string())?;
                Ok(Duration::from_secs_f64(ms / 1e3))
            })
        });
        match asked {
            Ok(cells) => print(name, cells),
            Err(e) => missing.push(format!("{name}: {e}")),
        }
    }
    missing.iter().for_each(|why| println!("\n{why}"));
    Ok(())
}

/// Images per second of each batch: the best round.
fn row(mut run: impl FnMut(usize) -> Result<Duration, String>) -> Result<Vec<String>, String> {
    let mut cells = Vec::new();
    for count in BATCHES {
        let mut best = run(count)?;
        for _ in 0..ROUNDS {
            // One round of a slow peer is enough.
            if best * ROUNDS as u32 > LONGEST {
                break;
            }
            best = best.min(run(count)?);
        }
        cells.push(format!("{:.1}", count as f64 / best.as_secs_f64()));
    }
    Ok(cells)
}
