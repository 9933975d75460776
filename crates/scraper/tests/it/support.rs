//! A tiny model, drawn images, and the program itself.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::OnceLock,
};

use clip_core::synthetic::{self, Dtype};
use serde_json::Value;

pub(crate) const DIM: usize = 16;

/// One layer per tower, 32x32 pixels: a real model in every way but its size.
pub(crate) use clip_core::synthetic::small_shape as tiny_config;

pub(crate) fn tiny_weights() -> &'static [u8] {
    static WEIGHTS: OnceLock<Vec<u8>> = OnceLock::new();
    WEIGHTS.get_or_init(|| synthetic::safetensors(&tiny_config(), 7, Dtype::F32).unwrap())
}

pub(crate) const PREPROCESSOR: &str =
    r#"{"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}"#;

/// A model folder named `tiny` below `parent`.
pub(crate) fn tiny_model(parent: &Path) -> PathBuf {
    let folder = parent.join("tiny");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.json"), tiny_config().to_json()).unwrap();
    fs::write(folder.join("preprocessor_config.json"), PREPROCESSOR).unwrap();
    fs::write(folder.join("model.safetensors"), tiny_weights()).unwrap();
    folder
}

/// A PNG that no other seed gives.
pub(crate) fn png(seed: u32) -> Vec<u8> {
    let (width, height) = (48u32, 40u32);
    let pixels: Vec<u8> = (0..width * height)
        .flat_map(|i| {
            let (x, y) = (i % width, i / width);
            [x * (seed % 7 + 1) + seed, y * (seed % 5 + 2), (x ^ y) * (seed % 11 + 1) + seed / 3]
        })
        .map(|v| v as u8)
        .collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    bytes
}

/// The program, in `folder`, with an environment that knows no hub.
pub(crate) fn scraper(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scraper"));
    command
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("HF_HUB_OFFLINE", "1")
        .stdin(Stdio::null());
    command
}

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.stdout.clone()).unwrap()
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stderr: {}\nstdout: {}", self.stderr, self.text());
        self
    }
}

pub(crate) fn ran(command: &mut Command) -> Ran {
    finished(command.output().unwrap())
}

pub(crate) fn finished(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
