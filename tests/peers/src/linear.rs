//! The linear layers of ViT-B/32 against the fused multiply-add peak of one core.

use std::time::Instant;

use clip_core::{
    KernelError, Path,
    bench::{LinearBench, PEAK_FLOPS, fma_peak},
};

/// Rows (batch 1, 8), outputs, inputs: attention projections and the two MLP layers.
const SHAPES: [(usize, usize, usize); 6] = [
    (50, 768, 768),
    (50, 3072, 768),
    (50, 768, 3072),
    (400, 768, 768),
    (400, 3072, 768),
    (400, 768, 3072),
];
const ROUNDS: usize = 15;

/// Measures in turns and prints medians.
pub(crate) fn print() -> Result<(), KernelError> {
    let path = Path::detect()?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    // Without a pool of one thread the numbers would be of several.
    let Ok(pool) = pool else { return Ok(()) };
    println!("\nLinear layers on one core, path {}\n", path.name());
    println!("| rows x outputs x inputs | GFLOP/s | of the FMA peak |");
    println!("|---|---:|---:|");
    for (m, n, k) in SHAPES {
        let mut layer = LinearBench::new(path, m, n, k)?;
        let (mut rates, mut shares) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let start = Instant::now();
            std::hint::black_box(fma_peak(path)?);
            let peak = PEAK_FLOPS(path) as f64 / start.elapsed().as_secs_f64();
            let start = Instant::now();
            std::hint::black_box(pool.install(|| layer.run()));
            let rate = layer.flops() as f64 / start.elapsed().as_secs_f64();
            // The first round warms up.
            if round > 0 {
                rates.push(rate / 1e9);
                shares.push(rate / peak * 100.0);
            }
        }
        let (rate, share) = (crate::table::median(rates), crate::table::median(shares));
        println!("| {m} x {n} x {k} | {rate:.0} | {share:.0} % |");
    }
    Ok(())
}
