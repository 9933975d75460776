//! The stages of 20 drawn inputs under the real weights, recorded by the first run that has them.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Model;
use crate::process::root;

/// Where they are.
pub(super) const RECORDED: &str = "tests/goldens/conformance.json";

/// Drawn files: each decoder, each conversion of colours that differs.
const FILES: [&str; 12] = [
    "jpeg/photo-420-q75.jpg",
    "jpeg/progressive-422.jpg",
    "jpeg/cmyk.jpg",
    "jpeg/exif-6.jpg",
    "jpeg/grey.jpg",
    "jpeg/tall-pass-order.jpg",
    "jpeg/own-440-noninterleaved.jpg",
    "png/exif-3.png",
    "png/rgba8-gradient.png",
    "webp/lossy-q50.webp",
    "gif/interlaced.gif",
    "bmp/rle8.bmp",
];

/// And texts: short and cut, many scripts.
pub(super) const TEXTS: [&str; 8] = [
    "a photo of a cat",
    "a red dress",
    "hello world",
    "Größe 42, blau-weiß gestreift",
    "赤いドレス",
    "👗👠 -30%!!!",
    "it's the women's long-sleeved midi wrap dress with a floral print, v-neck, ruffled hem, tie belt, \
     side pockets, concealed zip, in viscose crepe, machine washable, made in Portugal, model is 178 cm \
     tall and wears a size S, also available in black, navy, forest green, burgundy and polka dots",
    "",
];

/// `tests/goldens/conformance.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Recorded {
    /// Digest of the weights.
    weights: String,
    /// Version of the numerics.
    numerics: u64,
    /// Name and digest of each stage, by input.
    inputs: BTreeMap<String, Vec<(String, String)>>,
}

/// Compares the digests with those of an earlier run in `file`. Where there is none, they are written
/// for a maintainer to commit, if the vectors are `right`.
pub(super) fn check(model: &Model, file: &Path, right: bool) -> Result<String> {
    if !right && !file.exists() {
        return Ok("SKIPPED: nothing is recorded of vectors that are not as published".to_owned());
    }
    let files: Vec<_> = FILES.iter().map(|name| root().join("tests/corpus").join(name)).collect();
    let lines = model.embed("--trace", &files, &TEXTS)?;
    let names = FILES.iter().chain(&TEXTS);
    let found = recorded(names.copied().zip(&lines))?;
    judge(file, &found)
}

fn judge(file: &Path, found: &Recorded) -> Result<String> {
    let count = found.inputs.len();
    let Ok(json) = fs::read(file) else {
        fs::write(file, serde_json::to_string_pretty(found)? + "\n")?;
        return Ok(format!("RECORDED {count} inputs in {}: commit it", file.display()));
    };
    let before: Recorded = serde_json::from_slice(&json).context(RECORDED)?;
    if (&before.weights, before.numerics) != (&found.weights, found.numerics) {
        bail!(
            "recorded of weights {} under numerics {}, these are {} under {}: remove {RECORDED} where \
             that is meant",
            before.weights,
            before.numerics,
            found.weights,
            found.numerics
        );
    }
    for (input, stages) in &found.inputs {
        let recorded = before.inputs.get(input).context("an input is not recorded")?;
        let differs = stages.iter().zip(recorded).find(|(a, b)| a != b);
        if let Some(((stage, _), _)) = differs {
            bail!("{input:?} differs from what was recorded, first at {stage}");
        }
    }
    Ok(format!("{count} inputs as recorded"))
}

fn recorded<'a>(lines: impl Iterator<Item = (&'a str, &'a Value)>) -> Result<Recorded> {
    let mut all = Recorded { weights: String::new(), numerics: 0, inputs: BTreeMap::new() };
    for (name, line) in lines {
        let stages = line["trace"].as_array().with_context(|| format!("{name:?}: {line}"))?;
        let text = |stage: &Value, key: &str| stage[key].as_str().unwrap_or_default().to_owned();
        let stages = stages.iter().map(|stage| (text(stage, "name"), text(stage, "sha256")));
        all.inputs.insert(name.to_owned(), stages.collect());
        all.weights = text(&line["provenance"], "weights");
        all.numerics = line["provenance"]["numerics"].as_u64().unwrap_or_default();
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(last: &str, weights: &str) -> Value {
        json!({"provenance": {"weights": weights, "numerics": 7}, "trace": [
            {"name": "tokens", "sha256": "aa"}, {"name": "embedding", "sha256": last},
        ]})
    }

    #[test]
    fn the_first_run_records_and_later_ones_compare() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.json");
        let of = |line: &Value| recorded([("a", line)].into_iter()).unwrap();
        let first = of(&line("bb", "w"));
        assert!(judge(&file, &first).unwrap().starts_with("RECORDED 1"));
        assert_eq!(judge(&file, &first).unwrap(), "1 inputs as recorded");
        let other = judge(&file, &of(&line("cc", "w"))).unwrap_err().to_string();
        assert!(other.contains("\"a\" differs") && other.ends_with("at embedding"), "{other}");
        let other = judge(&file, &of(&line("bb", "v"))).unwrap_err().to_string();
        assert!(other.contains("weights w under numerics 7, these are v"), "{other}");
        let failed = json!({"error": {"message": "no"}});
        assert!(recorded([("a", &failed)].into_iter()).is_err());
    }
}
