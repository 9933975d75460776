//! The CPU's eye on a device, with devices that are wrong on purpose.

use clip_core::{
    Options,
    config::ClipConfig,
    synthetic::{self, Dtype},
    trace::Trace,
};

use super::*;

/// The CPU, but for one bit of what it says of image number `wrong`.
struct Wrong {
    clip: Clip,
    wrong: Option<u64>,
    device: &'static str,
    /// Added to the first value, where not a bit is changed.
    by: f32,
    count: AtomicU64,
}

impl Encoder for Wrong {
    fn config(&self) -> &ClipConfig {
        self.clip.config()
    }

    fn embed_pixels(&self, batch: &[PixelValues]) -> Result<Vec<Embedding>, Error> {
        let vectors = self.clip.embed_pixels(batch)?.into_iter().map(|vector| {
            let number = self.count.fetch_add(1, Ordering::Relaxed);
            let mut values = vector.into_values();
            if self.wrong == Some(number) {
                values[0] = f32::from_bits(values[0].to_bits() ^ 1) + self.by;
            }
            Embedding::from_raw(values)
        });
        Ok(vectors.collect())
    }

    fn embed_tokens(&self, batch: &[Vec<u32>]) -> Result<Vec<Embedding>, Error> {
        self.clip.embed_tokens(batch)
    }

    fn trace_pixels(&self, pixels: &PixelValues) -> Result<(Embedding, Trace), Error> {
        let (vector, mut trace) = self.clip.trace_pixels(pixels)?;
        let stage = trace.stages.iter_mut().find(|stage| stage.name == "block.0").unwrap();
        stage.sha256 = "other".into();
        Ok((vector, trace))
    }

    fn device(&self) -> &str {
        self.device
    }
}

fn clip() -> Clip {
    let config = synthetic::small_shape();
    let file = synthetic::safetensors(&config, 7, Dtype::F32).unwrap();
    Clip::load(config.clone(), &file, Options::new(&config)).unwrap()
}

/// What comes of `images` images in batches of 16.
fn run(images: u64, wrong: Option<u64>, device: &'static str, by: f32) -> Result<(), String> {
    let encoder = Wrong { clip: clip(), wrong, device, by, count: AtomicU64::new(0) };
    let accelerator = Accelerator::new(Box::new(encoder), "a card".into());
    let cpu = clip();
    let batch: Vec<PixelValues> = (0..16)
        .map(|i| PixelValues { size: 32, data: vec![i as f32 / 16.0; 3 * 32 * 32] })
        .collect();
    for _ in 0..images / 16 {
        let vectors = accelerator.embed_pixels(&cpu, &batch).map_err(|e| e.to_string())?;
        assert_eq!(vectors.len(), 16);
    }
    Ok(())
}

#[test]
fn a_watched_image_with_another_bit_stops_and_names_the_stage() {
    let first = run(16, Some(0), EXACT, 0.0).unwrap_err();
    assert!(first.contains("a card: image 1 of this run"), "{first}");
    assert!(first.ends_with("the stage block.0"), "{first}");
    let later = run(1024, Some(1000), EXACT, 0.0).unwrap_err();
    assert!(later.contains("image 1001 of this run"), "{later}");
    run(1024, Some(1001), EXACT, 0.0).expect("others are not looked at");
    run(1024, None, EXACT, 0.0).expect("the same bits");
}

#[test]
fn an_inexact_device_may_be_off_by_a_bit_and_not_by_much() {
    run(16, Some(0), "gpu", 0.0).expect("a bit");
    let far = run(16, Some(0), "gpu", 0.1).unwrap_err();
    assert!(far.contains("from the CPU's"), "{far}");
    let nan = run(16, Some(0), "gpu", f32::NAN).unwrap_err();
    assert!(nan.contains("NaN"), "{nan}");
}
