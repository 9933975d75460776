//! Single linear layers against the FMA peak of one core. Throughput in elements is in
//! floating-point operations here.

use clip_kernels::{
    KernelPath,
    bench::{LinearBench, fma_peak, peak_flops},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn linear(c: &mut Criterion) {
    let path = KernelPath::detect().expect("a path");
    let mut group = c.benchmark_group("linear");
    group.throughput(Throughput::Elements(peak_flops(path).expect("a path") as u64));
    group.bench_function("FMA peak of one core", |b| b.iter(|| fma_peak(path)));
    for (m, n, k) in [(50, 768, 768), (50, 3072, 768), (400, 3072, 768), (400, 768, 3072)] {
        let mut layer = LinearBench::new(path, (m, n, k), 1).expect("a path");
        group.throughput(Throughput::Elements(layer.flops() as u64));
        group.bench_function(format!("{m} x {n} x {k}"), |b| b.iter(|| layer.run()));
    }
    group.finish();
}

criterion_group!(benches, linear);
criterion_main!(benches);
