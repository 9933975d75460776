//! The linear layers of ViT-B/32 against the fused multiply-add peak of one core.

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use clip_kernels::{
    KernelError, KernelPath,
    bench::{LinearBench, fma_peak, peak_flops},
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
/// Multiplications and additions in the linear layers of one image: the patches, twelve blocks, less
/// what the last block need not compute (only its class token is used, so one row of queries,
/// attention output and MLP instead of fifty).
pub(crate) const IMAGE_FLOPS: usize = 2
    * (49 * 3072 * WIDTH + 12 * 50 * (4 * WIDTH + 2 * MLP) * WIDTH
        - 49 * (2 * WIDTH + 2 * MLP) * WIDTH);
const WIDTH: usize = 768;
const MLP: usize = 3072;

/// How long [`peak`] measures: long enough for the clock that lasting work gets.
const PEAK_TIME: Duration = Duration::from_millis(60);

/// GFLOP/s of so many threads that do nothing but fused multiply-adds in registers, all at once: two of
/// them may have to share a core.
pub(crate) fn peak(threads: usize) -> Result<f64, KernelError> {
    let path = KernelPath::detect()?;
    let flops = peak_flops(path)? as f64;
    let together = Barrier::new(threads);
    let one = || {
        together.wait();
        let (start, mut done) = (Instant::now(), 0.0);
        while start.elapsed() < PEAK_TIME {
            std::hint::black_box(fma_peak(path)?);
            done += flops;
        }
        Ok(done / start.elapsed().as_secs_f64() / 1e9)
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        let rates = running.into_iter().map(|thread| match thread.join() {
            Ok(rate) => rate,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        rates.sum()
    })
}

/// Measures in turns and prints medians.
pub(crate) fn print() -> Result<(), KernelError> {
    let path = KernelPath::detect()?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    // Without a pool of one thread the numbers would be of several.
    let Ok(pool) = pool else { return Ok(()) };
    println!("\nLinear layers on one core, path {}\n", path.name());
    println!("| rows x outputs x inputs | GFLOP/s | of the FMA peak |");
    println!("|---|---:|---:|");
    let mut peaks = Vec::new();
    for (m, n, k) in SHAPES {
        let mut layer = LinearBench::new(path, m, n, k)?;
        let (mut rates, mut shares) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let peak = peak(1)?;
            let start = Instant::now();
            std::hint::black_box(pool.install(|| layer.run()));
            let rate = layer.flops() as f64 / start.elapsed().as_secs_f64();
            // The first round warms up.
            if round > 0 {
                peaks.push(peak);
                rates.push(rate / 1e9);
                shares.push(rate / 1e9 / peak * 100.0);
            }
        }
        let (rate, share) = (crate::table::median(rates), crate::table::median(shares));
        println!("| {m} x {n} x {k} | {rate:.0} | {share:.0} % |");
    }
    let (peak, image) = (crate::table::median(peaks), IMAGE_FLOPS as f64 / 1e9);
    println!(
        "\nThe linear layers of one image are {image:.2} GFLOP: {:.0} ms at this core's peak of \
         {peak:.0} GFLOP/s, which no f32 engine can beat on one thread.",
        image / peak * 1e3
    );
    Ok(())
}
