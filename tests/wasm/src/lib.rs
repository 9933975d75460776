//! Checks that a host without Rust can call: bytes in through [`input`], text out through
//! [`output`]. The module imports nothing, so any wasm engine runs it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use clip_core::{
    KernelPath,
    config::PreprocessConfig,
    image::{Limits, Processor, Profile},
    trace::sha256_f32,
};
use clip_tests::{goldens::Golden, parity, tokens};

static INPUT: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static OUTPUT: Mutex<String> = Mutex::new(String::new());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(text: String) -> usize {
    let mut output = lock(&OUTPUT);
    *output = text;
    output.len()
}

/// Makes room for `len` bytes of input and returns its address.
#[unsafe(no_mangle)]
pub extern "C" fn input(len: usize) -> *mut u8 {
    let mut input = lock(&INPUT);
    input.clear();
    input.resize(len, 0);
    input.as_mut_ptr()
}

/// Address of the last answer; its length is what the check returned.
#[unsafe(no_mangle)]
pub extern "C" fn output() -> *const u8 {
    lock(&OUTPUT).as_ptr()
}

/// SHA-256 of the pixel values of the input image under preset number `preset`, or `error KIND`.
#[unsafe(no_mangle)]
pub extern "C" fn pixel_values(preset: usize) -> usize {
    let Some((_, profile)) = Profile::PRESETS.get(preset) else {
        return answer(format!("error: no preset {preset}"));
    };
    let processor = Processor::new(&PreprocessConfig::clip(224), *profile, Limits::default());
    answer(match processor.process(&lock(&INPUT)) {
        Ok(pixels) => sha256_f32(&pixels.data),
        Err(error) => format!("error {}", error.kind()),
    })
}

/// Empty, or the token checks that fail.
#[unsafe(no_mangle)]
pub extern "C" fn wrong_tokens() -> usize {
    let mut wrong = tokens::wrong_texts();
    wrong.extend(tokens::wrong_random_groups());
    wrong.extend(tokens::wrong_blocks());
    answer(wrong.join("\n"))
}

/// Names of the kernel paths that this engine can run, slowest first.
#[unsafe(no_mangle)]
pub extern "C" fn paths() -> usize {
    answer(KernelPath::available().iter().map(|p| p.name()).collect::<Vec<_>>().join(" "))
}

/// Empty, or the inputs of a model (0: second shape, 1: ViT-B/32, 2: tiny) whose bits differ from the
/// golden ones on path number `path` of [`paths`].
#[unsafe(no_mangle)]
pub extern "C" fn wrong_bits(model: usize, path: usize) -> usize {
    let Some(golden) =
        ["second_shape", "vit_b_32", "tiny"].get(model).and_then(|m| Golden::named(m))
    else {
        return answer(format!("no model {model}"));
    };
    let Some(path) = KernelPath::available().get(path).copied() else {
        return answer(format!("no path {path}"));
    };
    let clip = golden.load(Some(path));
    answer(match parity::digests(&golden, &clip) {
        Ok(got) if got.len() < 20 => format!("only {} inputs", got.len()),
        Ok(got) => parity::differences(&parity::expected(), &got).join("\n"),
        Err(error) => error,
    })
}
