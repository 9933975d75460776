//! A picture step by step, and the texts of tokens. In a module of its own with the decoders: who
//! only embeds does not download it.

use std::sync::Mutex;

use clip_core::{
    Error,
    image::{ImageInfo, Prepared, RgbImage},
    text::Tokenizer,
    trace::{self, Stage},
};
use serde::Serialize;

use crate::{Failure, answer, images::processor, json, lock};

/// The picture that was decoded last.
static PICTURE: Mutex<Option<Picture>> = Mutex::new(None);

struct Picture {
    decoded: RgbImage,
    prepared: Option<Prepared>,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let RgbImage { width, height, .. } = self.decoded;
        write!(f, "Picture({width}x{height})")
    }
}

/// Answer of [`decode`]: what the file says about itself, as in `scraper inspect`.
#[derive(Debug, Serialize)]
struct Facts {
    bytes: usize,
    sha256: String,
    format: String,
    width: u32,
    height: u32,
    mode: &'static str,
    alpha: bool,
    frames: Option<u32>,
    orientation: u8,
}

/// Answer of [`prepare`].
#[derive(Debug, Serialize)]
struct Traced {
    stages: Vec<Stage>,
}

/// Answer of [`tokens`].
#[derive(Debug, Serialize)]
struct Tokens {
    ids: Vec<u32>,
    pieces: Vec<String>,
}

/// Decodes an image file and keeps the picture; JSON of [`Facts`].
#[unsafe(no_mangle)]
pub extern "C" fn decode() -> i32 {
    answer(|file| {
        // Two large pictures at a time would be one too many.
        *lock(&PICTURE) = None;
        let decoded = processor(|p| Ok(p.decode(file).map_err(Error::from)?))?;
        let ImageInfo { format, width, height, mode, orientation, alpha, frames } = decoded.info;
        *lock(&PICTURE) = Some(Picture { decoded: decoded.rgb, prepared: None });
        json(&Facts {
            bytes: file.len(),
            sha256: trace::sha256(file),
            format: format.to_string(),
            width,
            height,
            mode,
            alpha,
            frames,
            orientation,
        })
    })
}

/// Keeps a picture that another decoder has read (RGBA, 8 bits; alpha is dropped).
#[unsafe(no_mangle)]
pub extern "C" fn take_rgba(width: u32, height: u32) -> i32 {
    answer(|rgba| {
        let data = rgba.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
        let decoded = RgbImage { width, height, data };
        *lock(&PICTURE) = Some(Picture { decoded, prepared: None });
        Ok(Vec::new())
    })
}

fn picture<T>(work: impl FnOnce(&mut Picture) -> Result<T, Failure>) -> Result<T, Failure> {
    match &mut *lock(&PICTURE) {
        Some(picture) => work(picture),
        None => Err(Failure::new("internal", "no picture was decoded")),
    }
}

/// Resizes, crops and normalises the picture; its stages as JSON.
#[unsafe(no_mangle)]
pub extern "C" fn prepare() -> i32 {
    answer(|_| {
        picture(|picture| {
            let prepared = processor(|p| Ok(p.prepare(&picture.decoded).map_err(Error::from)?))?;
            let stages = prepared.trace(&picture.decoded).stages;
            picture.prepared = Some(prepared);
            json(&Traced { stages })
        })
    })
}

/// RGBA of the picture: 0 as decoded, 1 resized, 2 cropped.
#[unsafe(no_mangle)]
pub extern "C" fn rgba(stage: u32) -> i32 {
    answer(|_| {
        picture(|picture| {
            let rgb = match (stage, &picture.prepared) {
                (0, _) => &picture.decoded,
                (1, Some(prepared)) => &prepared.resized,
                (2, Some(prepared)) => &prepared.cropped,
                _ => return Err(Failure::new("internal", "the picture is not prepared")),
            };
            let mut rgba = Vec::new();
            if rgba.try_reserve_exact(rgb.data.len() / 3 * 4).is_err() {
                return Err(Failure::new("memory", "there is no memory to show this picture"));
            }
            rgba.extend(rgb.data.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]));
            Ok(rgba)
        })
    })
}

/// Token ids of a text, at most `max`, and what each stands for: JSON of [`Tokens`].
#[unsafe(no_mangle)]
pub extern "C" fn tokens(max: usize) -> i32 {
    answer(|text| {
        let text = std::str::from_utf8(text).map_err(|e| Failure::new("input", e))?;
        let tokenizer = Tokenizer::clip();
        let ids = tokenizer.encode(text, max);
        let pieces = tokenizer.pieces(&ids);
        json(&Tokens { ids, pieces })
    })
}
