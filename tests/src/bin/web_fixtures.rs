//! `web_fixtures FOLDER`: what the browser tests need from the native side. Writes the synthetic
//! checkpoints and the small real model as folders, one of them also with a weight moved by one ulp, and
//! `expected.json`: the digests of every stage of the whole corpus, computed here, on this
//! machine's fastest path and (for the inputs of the parity set) on plain loops.

use std::{collections::BTreeMap, fs, path::Path};

use clip_core::{Clip, KernelPath, synthetic::Dtype, trace::Stage};
use clip_tests::{goldens::Golden, parity, tokens};
use serde::{Deserialize, Serialize};

/// The corpus files, by `goldens/images.json`: those with a digest under the first preset can be
/// embedded, the others are errors of this kind.
#[derive(Deserialize)]
struct Images {
    files: BTreeMap<String, Vec<Option<String>>>,
    errors: BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Expected {
    /// Native kernel paths that were compared with the goldens.
    paths: BTreeMap<&'static str, String>,
    /// Stages of every image and text, on the second shape.
    stages: BTreeMap<String, Vec<Stage>>,
    /// The texts among them.
    texts: Vec<String>,
    /// Kind of error of the images that cannot be embedded.
    errors: BTreeMap<String, String>,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = std::env::args().nth(1).ok_or("give the folder to write")?;
    let out = Path::new(&out);
    let second = Golden::second_shape();
    let file = second.checkpoint(Dtype::F32).into_owned();
    write_model(&out.join("second_shape"), &second, &file)?;
    let moved = parity::move_one_weight(file);
    write_model(&out.join("second_shape_moved"), &second, &moved)?;
    let vit = Golden::vit_b_32();
    write_model(&out.join("vit_b_32"), &vit, &vit.checkpoint(Dtype::F16))?;
    let tiny = Golden::tiny();
    write_model(&out.join("tiny"), &tiny, &tiny.checkpoint(Dtype::F16))?;

    let clip = second.load(None);
    // The slow paths say the same, where their time allows.
    let golden = parity::expected();
    let mut paths = BTreeMap::new();
    for path in KernelPath::available() {
        let got = parity::digests(&second, &second.load(Some(path)))?;
        let lines = parity::differences(&golden, &got);
        if !lines.is_empty() {
            return Err(format!("{}: {}", path.name(), lines.join("\n")).into());
        }
        paths.insert(path.name(), format!("{0} of {0} equal", got.len()));
    }
    let expected = Expected { paths, ..expected(&clip)? };
    println!("{} inputs on {}", expected.stages.len(), clip.path().name());
    fs::write(out.join("expected.json"), serde_json::to_string(&expected)?)?;
    Ok(())
}

fn write_model(folder: &Path, golden: &Golden, weights: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("config.json"), golden.config.to_json())?;
    let size = golden.config.vision.image_size;
    let preprocessor = format!(r#"{{"size": {size}, "crop_size": {size}}}"#);
    fs::write(folder.join("preprocessor_config.json"), preprocessor)?;
    fs::write(folder.join("model.safetensors"), weights)
}

fn expected(clip: &Clip) -> Result<Expected, Box<dyn std::error::Error>> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let images: Images = serde_json::from_slice(&fs::read(tests.join("goldens/images.json"))?)?;
    let mut stages = BTreeMap::new();
    for name in images.files.iter().filter(|(_, d)| matches!(d[..], [Some(_), ..])).map(|f| f.0) {
        let bytes = fs::read(tests.join("corpus").join(name))?;
        let (_, trace) = clip.trace_image(&bytes).map_err(|e| format!("{name}: {e}"))?;
        stages.insert(name.clone(), trace.stages);
    }
    let mut texts = tokens::texts();
    texts.push("a long red dress with flowers ".repeat(334)[..10_000].to_owned());
    for text in &texts {
        stages.insert(text.clone(), clip.trace_text(text)?.1.stages);
    }
    Ok(Expected { paths: BTreeMap::new(), stages, texts, errors: images.errors })
}
