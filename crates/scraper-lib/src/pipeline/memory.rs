//! How much memory pictures may take while they are decoded, over all decoders.
//!
//! Nobody knows a picture's size before its header is read, and only the decoder reads that rightly.
//! So it is tried under a low limit of pixels first, which it checks before it allocates, and then
//! under higher ones: each is paid for in advance. No bit of any result depends on it.

use std::sync::{Condvar, Mutex, PoisonError};

use clip_core::image::{ImageError, ImageInfo, Limits, PixelValues, Processor};

/// Bytes that a pixel takes at most while it is decoded, resized and turned, but for rare kinds.
const PIXEL: u64 = 8;
/// Pixels of the first try: nearly all product images.
const USUAL: u64 = 4_000_000;

/// A budget in bytes.
pub(crate) struct Memory {
    all: u64,
    free: Mutex<u64>,
    freed: Condvar,
    /// First come, first served: small pictures do not overtake a large one for ever.
    turn: Mutex<()>,
    /// Rising limits, and what each costs.
    steps: Vec<(Processor, u64)>,
}

impl Memory {
    /// `bytes` for all decoders; a picture that needs more is decoded alone.
    pub(crate) fn new(bytes: u64, processor: &Processor) -> Self {
        let all = bytes.max(1);
        let limits = processor.limits();
        let mut steps = Vec::new();
        let mut pixels = USUAL;
        while pixels < limits.max_pixels {
            steps.push((processor.with_limits(Limits { max_pixels: pixels, ..limits }), pixels));
            pixels = pixels.saturating_mul(2);
        }
        steps.push((processor.clone(), limits.max_pixels));
        let cost = |pixels: u64| pixels.saturating_mul(PIXEL).min(all);
        let steps = steps.into_iter().map(|(step, pixels)| (step, cost(pixels))).collect();
        Memory { all, free: Mutex::new(all), freed: Condvar::new(), turn: Mutex::new(()), steps }
    }

    /// [`Processor::process_with_info`], when there is memory for it.
    ///
    /// # Errors
    /// Those of [`Processor::process`].
    pub(crate) fn process(&self, bytes: &[u8]) -> Result<(PixelValues, ImageInfo), ImageError> {
        // Its decoder has a limit of its own, which it reports as damage.
        let gif = bytes.starts_with(b"GIF8");
        let mut end = Err(ImageError::Empty);
        for (processor, cost) in &self.steps {
            let _paid = self.pay(*cost);
            end = processor.process_with_info(bytes);
            match &end {
                Err(ImageError::TooLarge { option: "max_pixels", .. }) => {}
                Err(_) if gif => {}
                _ => break,
            }
        }
        end
    }

    fn pay(&self, cost: u64) -> Paid<'_> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let enough = self.freed.wait_while(free, |free| *free < cost);
        *enough.unwrap_or_else(PoisonError::into_inner) -= cost;
        Paid { memory: self, cost }
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").field("all", &self.all).finish_non_exhaustive()
    }
}

/// Given back when dropped, also by a panic.
struct Paid<'a> {
    memory: &'a Memory,
    cost: u64,
}

impl Drop for Paid<'_> {
    fn drop(&mut self) {
        *self.memory.free.lock().unwrap_or_else(PoisonError::into_inner) += self.cost;
        self.memory.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        thread,
    };

    use clip_core::{config::PreprocessConfig, image::Profile};

    use super::*;

    fn processor(max_pixels: u64) -> Processor {
        let limits = Limits { max_pixels, ..Limits::default() };
        Processor::new(&PreprocessConfig::clip(32), Profile::HF_ENDPOINT, limits)
    }

    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(png::ColorType::Grayscale);
        let row = (0..width * height).map(|i| (i % 251) as u8).collect::<Vec<_>>();
        encoder.write_header().unwrap().write_image_data(&row).unwrap();
        bytes
    }

    #[test]
    fn a_large_picture_pays_for_its_size_and_has_the_same_bits() {
        let plain = processor(100_000_000);
        // The last fits into no budget of this size, and is decoded alone.
        for bytes in [1 << 30, 40 << 20, 1] {
            let memory = Memory::new(bytes, &plain);
            for (width, height) in [(50, 40), (2500, 2000), (4100, 2200)] {
                let file = png(width, height);
                assert_eq!(memory.process(&file).unwrap(), plain.process_with_info(&file).unwrap());
                assert_eq!(*memory.free.lock().unwrap(), memory.all, "given back");
            }
        }
        let small = Memory::new(1 << 30, &processor(6_000_000));
        let error = small.process(&png(4100, 2200)).unwrap_err();
        assert!(error.to_string().contains("6000000 pixels"), "the limit of the user: {error}");
        assert!(small.process(b"GIF89a").is_err() && small.process(b"").is_err());
    }

    #[test]
    fn no_more_is_decoded_at_once_than_there_is_memory_for() {
        let memory = Memory::new(100, &processor(1));
        let (now, most) = (AtomicU64::new(0), AtomicU64::new(0));
        thread::scope(|scope| {
            for cost in [30, 60, 100, 50, 50, 20, 90, 10] {
                let (memory, now, most) = (&memory, &now, &most);
                scope.spawn(move || {
                    for _ in 0..20 {
                        let _paid = memory.pay(cost);
                        most.fetch_max(
                            now.fetch_add(cost, Ordering::SeqCst) + cost,
                            Ordering::SeqCst,
                        );
                        thread::yield_now();
                        now.fetch_sub(cost, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 100, "{most:?}");
        assert_eq!(*memory.free.lock().unwrap(), 100);
    }
}
