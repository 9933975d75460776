//! Single operations on a device, against clip-kernels and the standard library, bit for bit.
//!
//! With the fused multiply-add in integers, so that any Vulkan device will do: Debian's software one does not fuse.

use std::sync::LazyLock;

use clip_core::{config::Activation, synthetic::Stream};
use clip_kernels::{Heads, Kernels, LayerNorm, Rows, Span, attention};

use crate::{
    Fused, Gpu,
    kernel::Kernel,
    self_test::{Operation, self_test, small},
    tower::{groups, linear_params, turned},
};

/// `None`, with a message, where there is no device.
fn gpu() -> Option<&'static Gpu> {
    static GPU: LazyLock<Option<Gpu>> = LazyLock::new(|| match Gpu::open(None, Fused::Integers) {
        Ok(gpu) => Some(gpu),
        Err(e) => {
            eprintln!("skipped: {e}");
            None
        }
    });
    GPU.as_ref()
}

fn normal(name: &str, count: usize, std: f64) -> Vec<f32> {
    let mut out = vec![0.0; count];
    Stream::new(3, name).normal(0, 0.0, std, &mut out);
    out
}

/// Any bits, and among them what is special.
fn wild(name: &str, count: usize) -> Vec<f32> {
    let special = [
        0u32,
        0x8000_0000,
        1,
        0x7f_ffff,
        0x80_0000,
        0x3f80_0000,
        0x7f7f_ffff,
        0x7f80_0000,
        0xff80_0000,
        0x7fc0_0000,
    ];
    let stream = Stream::new(4, name);
    let value = |i: usize| {
        let word = stream.word(i as u64);
        let bits = match word >> 60 {
            0 | 1 => special[(word >> 32) as usize % special.len()],
            // Close enough for the sum to matter.
            2..=9 => (word as u32 & 0x81ff_ffff) | 0x3e00_0000,
            _ => word as u32,
        };
        f32::from_bits(bits)
    };
    (0..count).map(value).collect()
}

fn assert_same(got: &[f32], expected: &[f32], what: impl Fn(usize) -> String) {
    assert_eq!(got.len(), expected.len());
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        let same = g.to_bits() == e.to_bits() || (g.is_nan() && e.is_nan());
        assert!(same, "{}: {g:e} ({:08x}), not {e:e} ({:08x})", what(i), g.to_bits(), e.to_bits());
    }
}

fn probe(gpu: &Gpu, operation: u32, [a, b, c]: [&[f32]; 3]) -> Vec<f32> {
    let params = [a.len() as u32, operation, 0, 0, 0, 0, 0, 0];
    gpu.run_alone(Kernel::Probe, params, &[a, b, c], a.len(), [groups(a.len(), 64), 1, 1]).unwrap()
}

#[test]
fn operations_of_any_bits() {
    let Some(gpu) = gpu() else { return };
    const COUNT: usize = 1 << 16;
    let [a, b, c] = ["a", "b", "c"].map(|name| wild(name, COUNT));
    let positive: Vec<f32> = a.iter().map(|x| x.abs()).collect();
    type Expected = fn(f32, f32, f32) -> f32;
    #[allow(clippy::disallowed_methods)] // the oracle
    let all: [(&str, u32, &[f32], Expected); 6] = [
        ("fma", 0, &a, |a, b, c| a.mul_add(b, c)),
        ("add", 1, &a, |a, b, _| a + b),
        ("sub", 2, &a, |a, b, _| a - b),
        ("mul", 3, &a, |a, b, _| a * b),
        ("div", 4, &a, |a, b, _| a / b),
        ("sqrt", 5, &positive, |a, _, _| a.sqrt()),
    ];
    for (name, number, a, expected) in all {
        let got = probe(gpu, number, [a, &b, &c]);
        let expected: Vec<f32> = (0..COUNT).map(|i| expected(a[i], b[i], c[i])).collect();
        assert_same(&got, &expected, |i| format!("{name}({:e}, {:e}, {:e})", a[i], b[i], c[i]));
    }
}

#[test]
fn functions() {
    let Some(gpu) = gpu() else { return };
    let kernels = Kernels::fastest().unwrap();
    const COUNT: usize = 1 << 14;
    let x: Vec<f32> = (0..COUNT).map(|i| -90.0 + 178.0 * i as f32 / COUNT as f32).collect();
    let got = probe(gpu, 6, [&x, &x, &x]);
    let expected: Vec<f32> = x.iter().map(|x| kernels.exp(*x)).collect();
    assert_same(&got, &expected, |i| format!("exp({:e})", x[i]));

    let x: Vec<f32> =
        x.iter().chain(&normal("x", COUNT, 3.0)).chain(&[0.0, -0.0]).copied().collect();
    let one = clip_kernels::Linear::pack(&kernels, 1, 1, |_, out| out[0] = 1.0);
    let mut rows = Rows::empty();
    rows.pack(&kernels, &x, x.len(), 1, 1);
    for (number, epilogue) in
        [(7, clip_kernels::Epilogue::QuickGelu), (8, clip_kernels::Epilogue::Gelu)]
    {
        let mut expected = vec![0.0; x.len()];
        one.forward(&kernels, &rows, epilogue, &mut expected);
        // The chain from +0 has no -0.
        let inputs: Vec<f32> = x.iter().map(|x| x + 0.0).collect();
        let got = probe(gpu, number, [&inputs, &x, &x]);
        assert_same(&got, &expected, |i| format!("{epilogue:?}({:e})", x[i]));
    }
}

#[test]
fn linear_layers() {
    let Some(gpu) = gpu() else { return };
    let kernels = Kernels::fastest().unwrap();
    for (m, n, k) in [(1, 4, 4), (50, 68, 96), (65, 64, 588), (130, 132, 20)] {
        let [x, w, bias, residual] =
            [("x", m * k), ("w", n * k), ("bias", n), ("residual", m * n * 2)]
                .map(|(name, count)| normal(name, count, 1.0));
        let layer = clip_kernels::Linear::pack(&kernels, n, k, |i, out| {
            out.copy_from_slice(&w[i * k..][..k]);
        });
        let layer = layer.with_bias(&bias);
        let mut rows = Rows::empty();
        rows.pack(&kernels, &x, m, k, k);
        let dense: Vec<f32> =
            residual.chunks_exact(2 * n).flat_map(|row| &row[..n]).copied().collect();
        let epilogues = [
            clip_kernels::Epilogue::Store,
            clip_kernels::Epilogue::QuickGelu,
            clip_kernels::Epilogue::Gelu,
            clip_kernels::Epilogue::Add(&dense),
        ];
        for (number, epilogue) in (0..).zip(epilogues) {
            let mut expected = vec![0.0; m * n];
            layer.forward(&kernels, &rows, epilogue, &mut expected);
            // The residual's rows lie two apart, as those of class tokens do.
            let params = linear_params([m, n, k], number, true, 2 * n);
            let columns = turned(&w, n, k);
            let inputs = [&x, &columns, &bias, &residual].map(Vec::as_slice);
            let grid = [groups(n, 64), groups(m, 64), 1];
            let got = gpu.run_alone(Kernel::Linear, params, &inputs, m * n, grid).unwrap();
            assert_same(&got, &expected, |i| {
                format!("{m}x{n}x{k}, epilogue {number}, element {i}")
            });
        }
    }
}

#[test]
fn layer_norms() {
    let Some(gpu) = gpu() else { return };
    let kernels = Kernels::fastest().unwrap();
    for (rows, n, stride) in [(1, 16, 16), (7, 768, 768), (5, 100, 300), (9, 4, 4)] {
        let [x, gamma, beta] = [("x", rows * stride), ("gamma", n), ("beta", n)]
            .map(|(name, count)| normal(name, count, 2.0));
        let mut expected: Vec<f32> =
            x.chunks_exact(stride).flat_map(|row| &row[..n]).copied().collect();
        LayerNorm::new(&gamma, &beta, 1e-5).forward(&kernels, &mut expected);
        let params = [rows as u32, n as u32, stride as u32, 1e-5f32.to_bits(), 0, 0, 0, 0];
        let inputs = [&x, &gamma, &beta].map(Vec::as_slice);
        let got = gpu.run_alone(Kernel::Norm, params, &inputs, rows * n, [groups(rows, 4), 1, 1]);
        assert_same(&got.unwrap(), &expected, |i| format!("{rows} rows of {n}, element {i}"));
    }
}

/// Of every number of tokens that a published CLIP has; whole, and for the class token alone.
#[test]
fn attention_of_every_length() {
    let Some(gpu) = gpu() else { return };
    let kernels = Kernels::fastest().unwrap();
    let (images, heads) = (2, 2);
    for (tokens, head_dim, queries) in
        [(50, 64, 50), (197, 16, 197), (257, 8, 257), (577, 8, 41), (577, 104, 1), (3, 12, 3)]
    {
        let d = heads * head_dim;
        let [q, k, v] = [("q", queries), ("k", tokens), ("v", tokens)]
            .map(|(name, rows)| normal(name, images * rows * d, 1.0));
        let spans: Vec<Span> = (0..images)
            .map(|i| Span { query_row: i * queries, queries, key_row: i * tokens, keys: tokens })
            .collect();
        let mut expected = vec![0.0; images * queries * d];
        let shape = Heads { count: heads, width: d, causal: false };
        attention(&kernels, &shape, [&q, &k, &v], &spans, &mut expected);
        let scale = (1.0 / (head_dim as f64).sqrt()) as f32;
        let [a, b, c, e] = [queries, tokens, heads, head_dim].map(|n| n as u32);
        let params = [a, b, c, e, scale.to_bits(), 0, 0, 0];
        let grid = [groups(queries, 4), heads as u32, images as u32];
        let inputs = [&q, &k, &v].map(Vec::as_slice);
        let got = gpu.run_alone(Kernel::Attention, params, &inputs, expected.len(), grid).unwrap();
        assert_same(&got, &expected, |i| format!("{queries} of {tokens} tokens, element {i}"));
    }
}

#[test]
fn the_self_test_passes_with_integers() {
    let Some(gpu) = gpu() else { return };
    let test = self_test(gpu).unwrap();
    assert!(test.passed(), "{test}");
    assert_eq!(test.checks.len(), 5);
}

/// A device that does not fuse is found out, by the first check.
#[test]
fn a_device_that_rounds_twice_is_found_out() {
    if gpu().is_none() {
        return;
    }
    let gpu = Gpu::open(None, Fused::Device).unwrap();
    let fused = Operation::Fused.failure(&gpu).unwrap();
    let test = self_test(&gpu).unwrap();
    println!("{}: {test}", gpu.adapter());
    // Where the device fuses, it passes as a whole.
    assert_eq!(test.passed(), fused.is_none(), "{test}");
    if let Some(why) = fused {
        assert!(why.contains("results are others"), "{why}");
        assert_eq!(test.checks.len(), 1);
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused_by_name() {
    use crate::{GpuError, tower::VisionTower};
    use clip_core::{synthetic, weights::Weights};
    let Some(gpu) = gpu() else { return };
    let refused = |change: fn(&mut clip_core::config::ClipConfig)| {
        let mut config = small(Activation::Gelu);
        change(&mut config);
        let file = synthetic::safetensors(&config, 1, synthetic::Dtype::F32).unwrap();
        match VisionTower::load(gpu, &config, &Weights::parse(&file).unwrap()) {
            Err(GpuError::Unsupported(why)) => why,
            other => panic!("{other:?}"),
        }
    };
    let long = refused(|config| config.vision.image_size = 16 * 28);
    assert!(long.contains("785 tokens"), "{long}");
    let odd = refused(|config| config.projection_dim = 37);
    assert!(odd.contains("37"), "{odd}");
}

/// Five images in submissions of two, two of them in flight.
#[test]
fn a_batch_of_many_submissions_keeps_its_order() {
    use crate::tower::VisionTower;
    use clip_core::{Clip, Options, image::PixelValues, synthetic, weights::Weights};
    let Some(gpu) = gpu() else { return };
    let config = small(Activation::Gelu);
    let file = synthetic::safetensors(&config, 2, synthetic::Dtype::F32).unwrap();
    let tower = VisionTower::load(gpu, &config, &Weights::parse(&file).unwrap()).unwrap();
    let tower = tower.with_images_at_once(2);
    let clip = Clip::load(config.clone(), &file, Options::new(&config)).unwrap();
    let batch: Vec<_> = (0..5)
        .map(|i| PixelValues { size: 48, data: normal(&format!("{i}"), 3 * 48 * 48, 1.0) })
        .collect();
    // More of them than the buffers were made for at first.
    for images in [&batch[..1], &batch[..]] {
        let got = tower.forward(gpu, images).unwrap();
        let expected = clip.embed_pixels(images).unwrap();
        assert_eq!(got.len(), images.len());
        for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
            assert_same(got, expected.values(), |at| format!("image {i}, element {at}"));
        }
    }
}
