//! For the measurements: one matrix product, its bits and its speed.

use std::time::Instant;

use clip_core::synthetic::Stream;

use crate::{
    device::{Call, Gpu},
    error::GpuError,
    kernel::Kernel,
    tower::{groups, linear_params},
};

/// How a product of a shape went.
#[derive(Debug, Clone, Copy)]
pub struct Product {
    /// Elements that were compared: whole rows, from the first to the last.
    pub compared: usize,
    /// Those of them with other bits than the contract's chain.
    pub wrong: usize,
    /// Billions of multiplications and additions per second, with many products in a row.
    pub gflops: f64,
}

/// `m` rows through a layer of `k` inputs and `n` outputs (multiples of 4).
///
/// # Errors
/// The device failed.
pub fn product(gpu: &Gpu, [m, n, k]: [usize; 3]) -> Result<Product, GpuError> {
    /// Products in one submission.
    const TIMES: usize = 20;
    /// The best of so many such submissions counts: single ones took up to five times as long.
    const ROUNDS: usize = 5;
    /// A chain without a fused multiply-add of the CPU's own takes a minute for all rows of a large product.
    const ROWS: usize = 100;
    let make = |name: &str, count: usize| {
        let mut values = vec![0.0f32; count];
        Stream::new(1, name).normal(0, 0.0, 1.0, &mut values);
        values
    };
    let (x, w, bias) = (make("x", m * k), make("w", k * n), make("bias", n));
    let out = gpu.storage(m * n);
    let buffers = [&x, &w, &bias].map(|values| gpu.upload(values));
    let [x_buffer, w_buffer, bias_buffer] = buffers;
    let call = || Call {
        kernel: Kernel::Linear,
        params: linear_params([m, n, k], 0, true, 0),
        buffers: vec![
            x_buffer.clone(),
            w_buffer.clone(),
            bias_buffer.clone(),
            bias_buffer.clone(),
            out.clone(),
        ],
        groups: [groups(n, 64), groups(m, 64), 1],
    };
    let calls: Vec<Call> = (0..TIMES).map(|_| call()).collect();
    let (dispatches, staging) = (gpu.dispatches(&calls), gpu.staging(m * n));
    let run = |count: usize| -> Result<(Vec<f32>, f64), GpuError> {
        let start = Instant::now();
        let mut encoder = gpu.encoder();
        gpu.record(&mut encoder, &dispatches[..count]);
        let reading = gpu.submit(encoder, &out, &staging, m * n);
        let values = gpu.read(reading, &staging, m * n)?;
        Ok((values, start.elapsed().as_secs_f64()))
    };
    let (got, _) = run(1)?;
    let best = |count: usize| -> Result<f64, GpuError> {
        let mut least = f64::INFINITY;
        for _ in 0..ROUNDS {
            least = least.min(run(count)?.1);
        }
        Ok(least)
    };
    // Without what a submission and its reading cost.
    let seconds = (best(TIMES)? - best(1)?).max(f64::MIN_POSITIVE) / (TIMES - 1) as f64;
    let (mut compared, mut wrong) = (0, 0);
    let pairs = x.chunks_exact(k).zip(got.chunks_exact(n)).enumerate();
    let step = m.div_ceil(ROWS);
    for (_, (row, got)) in pairs.filter(|(i, _)| i % step == 0 || i + 1 == m) {
        let mut chain = bias.clone();
        for (x, w) in row.iter().zip(w.chunks_exact(n)) {
            #[allow(clippy::disallowed_methods)] // the contract's chain
            chain.iter_mut().zip(w).for_each(|(acc, w)| *acc = x.mul_add(*w, *acc));
        }
        compared += n;
        wrong += chain.iter().zip(got).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
    }
    Ok(Product { compared, wrong, gflops: 2e-9 * (m * n * k) as f64 / seconds })
}
