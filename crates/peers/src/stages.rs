//! Where a forward pass spends its time, beside the core's peak in the same rounds.

use std::time::{Duration, Instant};

use clip_core::{Clip, Options, image::PixelValues, synthetic, synthetic::Dtype};
use clip_kernels::{
    KernelPath,
    stages::{Stage, take},
};

use crate::{
    linear::{IMAGE_FLOPS, peak},
    table::median,
};

const ROUNDS: usize = 9;
/// What runs: its name, and how many images (none: a text of six tokens).
const WORKLOADS: [(&str, usize); 4] =
    [("image 1", 1), ("image 8", 8), ("image 32", 32), ("text", 0)];

/// Threads of the last table. Beyond the cores: nobody may lose much where threads must share them.
const SCALE: [usize; 6] = [1, 2, 4, 8, 16, 64];

/// One table for one thread and one for all cores: milliseconds of a core per image, and the share of
/// them; then what more threads give.
pub(crate) fn print() -> Result<(), String> {
    let path = KernelPath::detect().map_err(|e| e.to_string())?;
    let config = synthetic::vit_b_32();
    let file = synthetic::safetensors(&config, 1, Dtype::F32).map_err(|e| e.to_string())?;
    let clip =
        Clip::load(config.clone(), &file, Options::new(&config)).map_err(|e| e.to_string())?;
    drop(file);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let run = |threads: usize| -> Result<Run, String> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        Ok(Run { clip: &clip, path, threads, pool: pool.map_err(|e| e.to_string())? })
    };
    run(1)?.table()?;
    if cores > 1 {
        run(cores)?.table()?;
    }
    println!("\n{cores} core(s), path {}\n", path.name());
    println!("| threads | images per second, batches of 32 | per core | text, ms |");
    println!("|---:|---:|---:|---:|");
    for threads in SCALE {
        let run = run(threads)?;
        let (rate, text) = (1e3 / run.column(32)?.wall, run.column(0)?.wall);
        let per_core = rate / threads.min(cores) as f64;
        println!("| {threads} | {rate:.1} | {per_core:.1} | {text:.2} |");
    }
    Ok(())
}

/// The model on so many threads.
struct Run<'a> {
    clip: &'a Clip,
    path: KernelPath,
    threads: usize,
    pool: rayon::ThreadPool,
}

/// What one workload took.
struct Column {
    wall: f64,
    /// As [`Stage::ALL`], then what no clock saw.
    stages: Vec<f64>,
    /// GFLOP/s of a core's peak.
    peak: f64,
}

impl Run<'_> {
    fn table(&self) -> Result<(), String> {
        let Run { path, threads, .. } = self;
        let columns = WORKLOADS
            .iter()
            .map(|(_, images)| self.column(*images))
            .collect::<Result<Vec<_>, _>>()?;
        println!("\n{threads} thread(s), path {}, ms of one core per image or text\n", path.name());
        println!("| stage | {} |", WORKLOADS.map(|(name, _)| name).join(" | "));
        println!("|---{}|", "|---:".repeat(WORKLOADS.len()));
        let names = [
            "linear layers",
            "attention",
            "softmax",
            "LayerNorm",
            "interleaving rows",
            "the rest, waiting",
        ];
        for (stage, name) in names.into_iter().enumerate() {
            let cell = |c: &Column| {
                let (spent, all) = (c.stages[stage], c.stages.iter().sum::<f64>());
                format!("{spent:.2} ({:.1} %)", spent / all * 100.0)
            };
            println!("| {name} | {} |", columns.iter().map(cell).collect::<Vec<_>>().join(" | "));
        }
        let walls = columns.iter().map(|c| format!("{:.2}", c.wall)).collect::<Vec<_>>();
        println!("| wall clock | {} |", walls.join(" | "));
        let shares = columns.iter().zip(WORKLOADS).map(|(c, (_, images))| match images {
            0 => String::new(),
            _ => {
                let rate = IMAGE_FLOPS as f64 / c.stages[0] / 1e6;
                format!("{rate:.0} of {:.0} GFLOP/s ({:.0} %)", c.peak, rate / c.peak * 100.0)
            }
        });
        println!("| linear layers, of the FMA peak | {} |", shares.collect::<Vec<_>>().join(" | "));
        Ok(())
    }

    /// Medians over the rounds; the peak is measured in each, so that both see the same clock.
    fn column(&self, images: usize) -> Result<Column, String> {
        let Run { clip, threads, pool, .. } = self;
        let data = (0..3 * 224 * 224).map(|i| ((i * 7919) % 1000) as f32 / 250.0 - 2.0).collect();
        let batch = vec![PixelValues { size: 224, data }; images];
        let ids = [49406, 736, 4287, 7816, 268, 49407].map(|id: u32| id);
        let repeats = (32 / images.max(1)).min(8);
        let (mut walls, mut peaks) = (Vec::new(), Vec::new());
        let mut stages = vec![Vec::new(); Stage::ALL.len() + 1];
        for round in 0..=ROUNDS {
            let peak = peak(*threads).map_err(|e| e.to_string())? / *threads as f64;
            take();
            let start = Instant::now();
            for _ in 0..repeats {
                let result = pool.install(|| match images {
                    0 => clip.embed_tokens(&[ids.to_vec()]),
                    _ => clip.embed_pixels(&batch),
                });
                result.map_err(|e| e.to_string())?;
            }
            let (wall, spent) = (start.elapsed(), take());
            // The first round warms up.
            if round == 0 {
                continue;
            }
            let each = |time: Duration| time.as_secs_f64() * 1e3 / (repeats * images.max(1)) as f64;
            walls.push(each(wall));
            peaks.push(peak);
            let known: Duration = spent.iter().sum();
            let rest = (wall * *threads as u32).saturating_sub(known);
            stages
                .iter_mut()
                .zip(spent.into_iter().chain([rest]))
                .for_each(|(all, s)| all.push(each(s)));
        }
        Ok(Column {
            wall: median(walls),
            stages: stages.into_iter().map(median).collect(),
            peak: median(peaks),
        })
    }
}
