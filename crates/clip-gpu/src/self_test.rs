//! Whether a device's bits are the contract's: single operations, then a small tower against the CPU.

use std::fmt;

use clip_core::{
    Clip, Options, Towers,
    config::{Activation, ClipConfig},
    image::PixelValues,
    synthetic::{self, Dtype, Stream},
    weights::Weights,
};

use crate::{
    device::Gpu,
    error::GpuError,
    kernel::{Fused, Kernel},
    tower::VisionTower,
};

/// What a self-test found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelfTest {
    /// One after the other; after a failure the rest is not looked at.
    pub checks: Vec<Check>,
}

/// One part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// Why its bits are others, if they are.
    pub failure: Option<String>,
}

impl SelfTest {
    /// Whether the device computes the contract's bits.
    pub fn passed(&self) -> bool {
        self.failure().is_none()
    }

    /// Why it does not.
    pub fn failure(&self) -> Option<String> {
        let failed = |check: &Check| Some(format!("{}: {}", check.name, check.failure.as_ref()?));
        self.checks.iter().find_map(failed)
    }
}

impl fmt::Display for SelfTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.failure() {
            None => f.write_str("the self-test passed"),
            Some(why) => write!(f, "the self-test failed at {why}"),
        }
    }
}

/// Operands per operation.
const COUNT: usize = 1 << 16;
/// Of integers, in software.
const FEW: usize = 1 << 12;

/// Looks at the fused multiply-add, at division and square root, and at a small tower with each activation,
/// stage by stage against clip-core on the CPU.
///
/// # Errors
/// The device failed; other bits are no error.
pub fn self_test(gpu: &Gpu) -> Result<SelfTest, GpuError> {
    let mut checks = Vec::new();
    for operation in Operation::ALL {
        let failure = operation.failure(gpu)?;
        let failed = failure.is_some();
        checks.push(Check { name: operation.name().into(), failure });
        if failed {
            return Ok(SelfTest { checks });
        }
    }
    for activation in [Activation::QuickGelu, Activation::Gelu] {
        let failure = tower(gpu, activation)?;
        let failed = failure.is_some();
        checks.push(Check { name: format!("small tower with {activation:?}"), failure });
        if failed {
            break;
        }
    }
    Ok(SelfTest { checks })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Fused,
    Divide,
    SquareRoot,
}

impl Operation {
    pub(crate) const ALL: [Operation; 3] =
        [Operation::Fused, Operation::Divide, Operation::SquareRoot];

    fn name(self) -> &'static str {
        match self {
            Operation::Fused => "fused multiply-add",
            Operation::Divide => "division",
            Operation::SquareRoot => "square root",
        }
    }

    /// In probe.wgsl.
    fn number(self) -> u32 {
        match self {
            Operation::Fused => 0,
            Operation::Divide => 4,
            Operation::SquareRoot => 5,
        }
    }

    #[allow(clippy::disallowed_methods)] // IEEE fusedMultiplyAdd, which the device is held against
    fn expected(self, a: f32, b: f32, c: f32) -> f32 {
        match self {
            Operation::Fused => a.mul_add(b, c),
            Operation::Divide => a / b,
            Operation::SquareRoot => a.sqrt(),
        }
    }

    /// Says how many results are others, and shows one.
    pub(crate) fn failure(self, gpu: &Gpu) -> Result<Option<String>, GpuError> {
        let count = if gpu.fused() == Fused::Integers { FEW } else { COUNT };
        let [a, b, c] = self.operands(count);
        let params = [count as u32, self.number(), 0, 0, 0, 0, 0, 0];
        let groups = [count.div_ceil(64) as u32, 1, 1];
        let got = gpu.run_alone(Kernel::Probe, params, &[&a, &b, &c], count, groups)?;
        let wrong = |i: &usize| {
            let expected = self.expected(a[*i], b[*i], c[*i]);
            got[*i].to_bits() != expected.to_bits()
        };
        let all: Vec<usize> = (0..count).filter(wrong).collect();
        let Some(&i) = all.first() else { return Ok(None) };
        Ok(Some(format!(
            "{} of {count} results are others, e. g. of {:e}, {:e}, {:e}: {:e} and not {:e}",
            all.len(),
            a[i],
            b[i],
            c[i],
            got[i],
            self.expected(a[i], b[i], c[i])
        )))
    }

    /// Of ordinary size; half of the addends nearly cancel the product, where rounding twice shows.
    fn operands(self, count: usize) -> [Vec<f32>; 3] {
        let make = |name: &str| -> Vec<f32> {
            let stream = Stream::new(1, name);
            let value = |i: usize| {
                let word = stream.word(i as u64);
                let exponent = 107 + ((word >> 40) % 41) as u32;
                f32::from_bits((word as u32 & 0x807f_ffff) | (exponent << 23))
            };
            (0..count).map(value).collect()
        };
        let [mut a, b, mut c] = ["a", "b", "c"].map(make);
        if self == Operation::SquareRoot {
            a.iter_mut().for_each(|x| *x = x.abs());
        }
        for i in (0..count).step_by(2) {
            c[i] = f32::from_bits((-(a[i] * b[i])).to_bits() ^ (i as u32 >> 1 & 3));
        }
        [a, b, c]
    }
}

/// Small, with every shader of a large tower and no width that fits a tile.
pub(crate) fn small(activation: Activation) -> ClipConfig {
    let mut config = synthetic::small_shape();
    let v = &mut config.vision;
    (v.hidden_size, v.intermediate_size, v.layers, v.heads) = (96, 200, 2, 2);
    (v.image_size, v.patch_size, v.activation) = (48, 16, activation);
    config.text.vocab_size = 300;
    config.projection_dim = 36;
    config
}

/// The first stage whose bits are others.
fn tower(gpu: &Gpu, activation: Activation) -> Result<Option<String>, GpuError> {
    let config = small(activation);
    let cpu = |e: String| GpuError::Failed(format!("the CPU's side of the self-test: {e}"));
    let file = synthetic::safetensors(&config, 5, Dtype::F32).map_err(|e| cpu(e.to_string()))?;
    let options = Options { towers: Towers::Vision, ..Options::new(&config) };
    let clip = Clip::load(config.clone(), &file, options).map_err(|e| cpu(e.to_string()))?;
    let weights = Weights::parse(&file).map_err(|e| cpu(e.to_string()))?;
    let tower = VisionTower::load(gpu, &config, &weights)?;
    let size = config.vision.image_size;
    let batch: Vec<PixelValues> = (0..3)
        .map(|i| {
            let mut data = vec![0.0; 3 * size * size];
            Stream::new(i, "self-test").normal(0, 0.0, 1.0, &mut data);
            PixelValues { size, data }
        })
        .collect();
    let expected = clip.embed_pixels(&batch).map_err(|e| cpu(e.to_string()))?;
    let got = tower.forward(gpu, &batch)?;
    let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    for (i, (got, expected)) in got.iter().zip(&expected).enumerate() {
        if bits(got) != bits(expected.values()) {
            let (_, trace) = clip.trace_pixels(&batch[i]).map_err(|e| cpu(e.to_string()))?;
            let (_, stages) = tower.trace(gpu, &batch[i])?;
            let differs = stages.iter().zip(&trace.stages).find(|(a, b)| a != b);
            let stage = differs.map_or("embedding", |(stage, _)| stage.name.as_str());
            return Ok(Some(format!("{stage} has other bits than on the CPU")));
        }
    }
    Ok(None)
}
