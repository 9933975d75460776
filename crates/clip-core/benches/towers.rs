//! Both towers of a full-size ViT-B/32.

use clip_core::{
    Clip, Options,
    image::PixelValues,
    synthetic::{self, Dtype},
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn towers(c: &mut Criterion) {
    let config = synthetic::vit_b_32();
    let file = synthetic::safetensors(&config, 1, Dtype::F16).expect("fits in memory");
    let clip = Clip::load(config.clone(), &file, Options::new(&config)).expect("loads");
    drop(file);
    let data = (0..3 * 224 * 224).map(|i| ((i * 7919) % 1000) as f32 / 250.0 - 2.0).collect();
    let pixels = PixelValues { size: 224, data };

    let mut group = c.benchmark_group("towers");
    group.sample_size(10);
    for batch in [1, 8, 32] {
        let images = vec![pixels.clone(); batch];
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(format!("vision, batch {batch}"), |b| {
            b.iter(|| clip.embed_pixels(&images).expect("embeds"));
        });
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("text, 5 tokens", |b| {
        b.iter(|| clip.embed_text("red floral dress").expect("embeds"));
    });
    group.finish();
}

criterion_group!(benches, towers);
criterion_main!(benches);
