//! Decode and resize one file, by every preset. `cargo xtask bench decode` is all formats beside Pillow.
//!
//! `CLIP_BENCH_IMAGE=photo.jpg cargo bench -p clip-core --bench image`

use std::{hint::black_box, path::Path};

use clip_core::{
    config::PreprocessConfig,
    image::{Limits, Processor, Profile},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn image(c: &mut Criterion) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/corpus/jpeg/large.jpg");
    let path = std::env::var_os("CLIP_BENCH_IMAGE").map_or(corpus, Into::into);
    let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut group = c.benchmark_group("image");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    for (name, profile) in Profile::PRESETS {
        let processor = Processor::new(&PreprocessConfig::clip(224), profile, Limits::default());
        if profile == Profile::HF_ENDPOINT {
            group.bench_function("decode", |b| b.iter(|| processor.decode(black_box(&bytes))));
        }
        group.bench_function(format!("process/{name}"), |b| {
            b.iter(|| processor.process(black_box(&bytes)))
        });
    }
    group.finish();
}

criterion_group!(benches, image);
criterion_main!(benches);
