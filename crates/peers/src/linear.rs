//! The linear layers of ViT-B/32 against the fused multiply-add peak of one core.

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use clip_kernels::{
    KernelError, KernelPath,
    bench::{LinearBench, TileBench, fma_peak, peak_flops},
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
/// Tiles and depth of the micro-kernel alone, its operands from the first-level cache.
const NEAREST: (usize, usize) = (1, 128);
/// From the second-level cache, as a layer has them: a block of a panel, and tiles of some 200 rows (four
/// images) where they are the highest.
const AS_LAYERS: (usize, usize) = (22, 768);
/// Layers of each shape, which take turns.
const BLOCKS: usize = 6;
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
        lasting(flops, || fma_peak(path))
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

/// GFLOP/s of something that is done over and over, for as long as the peak is measured: a core that has
/// rested runs faster for a moment, or wakes up slowly.
fn lasting(
    flops: f64,
    mut once: impl FnMut() -> Result<f32, KernelError>,
) -> Result<f64, KernelError> {
    let (start, mut done) = (Instant::now(), 0.0);
    while start.elapsed() < PEAK_TIME {
        std::hint::black_box(once()?);
        done += flops;
    }
    Ok(done / start.elapsed().as_secs_f64() / 1e9)
}

/// Measures in turns and prints medians.
pub(crate) fn print() -> Result<(), KernelError> {
    // Without a pool of one thread the numbers would be of several.
    match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(pool) => pool.install(table),
        Err(_) => Ok(()),
    }
}

fn table() -> Result<(), KernelError> {
    let path = KernelPath::detect()?;
    println!("\nLinear layers on one core, path {}\n", path.name());
    println!("| rows x outputs x inputs | GFLOP/s | of the FMA peak | of the micro-kernel alone |");
    println!("|---|---:|---:|---:|");
    let (mut peaks, mut near, mut far) = (Vec::new(), Vec::new(), Vec::new());
    let mut nearest = TileBench::new(path, NEAREST)?;
    let mut as_layers = TileBench::new(path, AS_LAYERS)?;
    for (m, n, k) in SHAPES {
        let mut layers = LinearBench::new(path, (m, n, k), BLOCKS)?;
        let (mut rates, mut shares, mut of_tile) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let peak = peak(1)?;
            let alone = |tile: &mut TileBench| lasting(tile.flops() as f64, || Ok(tile.run()));
            let (first, second) = (alone(&mut nearest)?, alone(&mut as_layers)?);
            let rate = lasting(layers.flops() as f64, || Ok(layers.run()))?;
            // The first round warms up.
            if round > 0 {
                peaks.push(peak);
                near.push(first / peak * 100.0);
                far.push(second / peak * 100.0);
                rates.push(rate);
                shares.push(rate / peak * 100.0);
                of_tile.push(rate / second * 100.0);
            }
        }
        let [rate, share, of_tile] = [rates, shares, of_tile].map(crate::table::median);
        println!("| {m} x {n} x {k} | {rate:.0} | {share:.0} % | {of_tile:.0} % |");
    }
    let [peak, near, far] = [peaks, near, far].map(crate::table::median);
    let image = IMAGE_FLOPS as f64 / 1e9;
    println!(
        "\nThe micro-kernel alone reaches {far:.0} % of the peak with its operands in the second-level cache, \
         as a layer's are, and {near:.0} % from the first-level cache. The linear layers of one image are \
         {image:.2} GFLOP: {:.0} ms at this core's peak of {peak:.0} GFLOP/s, which no f32 engine can beat on \
         one thread.",
        image / peak * 1e3
    );
    Ok(())
}
