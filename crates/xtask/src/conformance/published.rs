//! Outputs of the real model that others have published, as a table, and how ours are held against it.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;

/// `tests/goldens/published.json`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    /// Whose outputs these are.
    pub(super) model: String,
    /// By name.
    pub(super) images: BTreeMap<String, Picture>,
    pub(super) cases: Vec<Case>,
}

/// Where an image is; what is there must have the digest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Picture {
    pub(super) url: String,
    pub(super) sha256: String,
}

/// What a vector is of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Input {
    Image(String),
    Text(String),
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Input::Image(name) | Input::Text(name)) = self;
        write!(f, "{name:?}")
    }
}

/// Numbers that somebody has printed of one vector.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) source: String,
    pub(super) of: Input,
    /// Largest difference that the printed digits leave room for.
    tolerance: f64,
    /// The vector is of unit length in what follows.
    #[serde(default)]
    unit: bool,
    /// Its first values.
    #[serde(default)]
    first: Vec<f64>,
    /// Its last values.
    #[serde(default)]
    last: Vec<f64>,
    /// The sum of all.
    sum: Option<f64>,
    /// Cosines with others, times `factor`.
    #[serde(default)]
    cosines: Vec<(Input, f64)>,
    #[serde(default = "one")]
    factor: f64,
}

fn one() -> f64 {
    1.0
}

/// Vectors as projected, or why there is none.
pub(super) type Vectors = BTreeMap<Input, Result<Vec<f32>, String>>;

/// What became of a case.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Verdict {
    /// Numbers that were compared.
    pub(super) compared: usize,
    /// The largest difference.
    pub(super) worst: f64,
    /// What differs by more than it may.
    pub(super) missed: Vec<String>,
    /// What could not be compared, and why.
    pub(super) skipped: Vec<String>,
}

impl Table {
    /// All that the cases speak of.
    pub(super) fn inputs(&self) -> Vec<&Input> {
        let all = self.cases.iter();
        let mut all: Vec<&Input> =
            all.flat_map(|c| c.cosines.iter().map(|(i, _)| i).chain([&c.of])).collect();
        all.sort();
        all.dedup();
        all
    }
}

impl Case {
    /// Compares the printed numbers with those of `vectors`.
    pub(super) fn judge(&self, vectors: &Vectors) -> Verdict {
        let mut verdict = Verdict::default();
        let own = match vector(vectors, &self.of) {
            Ok(vector) => vector,
            Err(why) => {
                verdict.skipped.push(format!("{}: {why}", self.of));
                return verdict;
            }
        };
        let values = if self.unit { unit(&own) } else { own.clone() };
        let mut compare = |what: String, printed: f64, found: Option<f64>| {
            verdict.compared += 1;
            let difference = found.map_or(f64::INFINITY, |found| (found - printed).abs());
            if difference.is_nan() || difference > self.tolerance {
                let found = found.map_or("nothing".into(), |found| format!("{found:.6}"));
                verdict.missed.push(format!("{what}: {printed} was published, {found} is ours"));
            }
            verdict.worst = verdict.worst.max(difference);
        };
        for (index, printed) in self.first.iter().enumerate() {
            compare(format!("{} [{index}]", self.of), *printed, values.get(index).copied());
        }
        for (index, printed) in self.last.iter().rev().enumerate() {
            let place = values.len().checked_sub(index + 1);
            let found = place.and_then(|place| values.get(place)).copied();
            compare(format!("{} [-{}]", self.of, index + 1), *printed, found);
        }
        if let Some(printed) = self.sum {
            compare(format!("sum of {}", self.of), printed, Some(values.iter().sum()));
        }
        let mut skipped = Vec::new();
        for (other, printed) in &self.cosines {
            match vector(vectors, other) {
                Ok(vector) => {
                    let pairs = unit(&own).into_iter().zip(unit(&vector));
                    let cosine = pairs.map(|(a, b)| a * b).sum::<f64>() * self.factor;
                    compare(format!("{} with {other}", self.of), *printed, Some(cosine));
                }
                Err(why) => skipped.push(format!("{other}: {why}")),
            }
        }
        verdict.skipped = skipped;
        verdict
    }
}

fn vector(vectors: &Vectors, input: &Input) -> Result<Vec<f64>, String> {
    let found = vectors.get(input).cloned().unwrap_or_else(|| Err("it is not here".to_owned()))?;
    Ok(found.into_iter().map(f64::from).collect())
}

fn unit(values: &[f64]) -> Vec<f64> {
    let norm = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    values.iter().map(|value| value / norm).collect()
}

#[cfg(test)]
mod tests {
    use clip_core::{
        Clip, Options,
        synthetic::{self, Dtype},
    };
    use serde_json::{Value, json};

    use super::*;

    /// Texts by the synthetic model, standing in for images too; one image is missing.
    fn vectors() -> Vectors {
        let config = synthetic::small_shape();
        let file = synthetic::safetensors(&config, 1, Dtype::F32).unwrap();
        let clip = Clip::load(config.clone(), &file, Options::new(&config)).unwrap();
        let embed = |text: &str| Ok(clip.embed_text(text).unwrap().into_values());
        Vectors::from([
            (Input::Text("a dress".into()), embed("a dress")),
            (Input::Image("dress.jpg".into()), embed("a red dress")),
            (Input::Image("gone.jpg".into()), Err("404".into())),
        ])
    }

    /// As it stands with `digits` behind the point.
    fn printed(value: f64, digits: usize) -> f64 {
        format!("{value:.digits$}").parse().unwrap()
    }

    /// What somebody would have published of the synthetic model; `lie` is added to one number.
    fn cases(lie: f64) -> Value {
        let vectors = vectors();
        let of = |input: &Input| vector(&vectors, input).unwrap();
        let text = of(&Input::Text("a dress".into()));
        let image = of(&Input::Image("dress.jpg".into()));
        let cosine: f64 = unit(&text).iter().zip(unit(&image)).map(|(a, b)| a * b).sum();
        let end = unit(&text)[text.len() - 2..].to_vec();
        json!({"model": "synthetic", "images": {}, "cases": [
            {"source": "raw", "of": {"text": "a dress"}, "tolerance": 0.0005,
             "first": [printed(text[0], 3), printed(text[1], 3) + lie],
             "sum": printed(text.iter().sum(), 3)},
            {"source": "unit", "of": {"text": "a dress"}, "tolerance": 0.0005, "unit": true,
             "last": [printed(end[0], 3), printed(end[1], 3)]},
            {"source": "cosines", "of": {"text": "a dress"}, "tolerance": 0.005, "factor": 10.0,
             "cosines": [[{"image": "dress.jpg"}, printed(10.0 * cosine, 2)],
                         [{"image": "gone.jpg"}, 0.1]]},
            {"source": "gone", "of": {"image": "gone.jpg"}, "tolerance": 1.0, "first": [0.0]},
        ]})
    }

    fn verdicts(cases: Value) -> Vec<Verdict> {
        let table: Table = serde_json::from_value(cases).unwrap();
        let vectors = vectors();
        table.cases.iter().map(|case| case.judge(&vectors)).collect()
    }

    #[test]
    fn what_is_printed_is_met_and_what_is_missing_is_skipped_by_name() {
        let found = verdicts(cases(0.0));
        assert!(found.iter().all(|verdict| verdict.missed.is_empty()), "{found:?}");
        assert_eq!(found.iter().map(|v| v.compared).collect::<Vec<_>>(), [3, 2, 1, 0]);
        assert_eq!(found[2].skipped, ["\"gone.jpg\": 404"]);
        assert_eq!(found[3].skipped.len(), 1);
        assert!(found[0].worst > 0.0 && found[0].worst <= 0.0005);
    }

    #[test]
    fn a_wrong_number_is_named() {
        let found = verdicts(cases(0.002));
        assert_eq!(found[0].missed.len(), 1);
        assert!(found[0].missed[0].starts_with("\"a dress\" [1]: "), "{:?}", found[0].missed);
        assert!(found[1..].iter().all(|verdict| verdict.missed.is_empty()));
    }

    #[test]
    fn a_vector_that_is_no_number_or_too_short_misses() {
        let table: Table = serde_json::from_value(cases(0.0)).unwrap();
        let mut vectors = vectors();
        let values = vec![f32::NAN; 1];
        vectors.insert(Input::Text("a dress".into()), Ok(values));
        assert_eq!(table.cases[0].judge(&vectors).missed.len(), 3);
        assert_eq!(table.cases[1].judge(&vectors).missed.len(), 2);
    }

    #[test]
    fn the_table_of_the_project_can_be_read() {
        let file = crate::process::root().join("tests/goldens/published.json");
        let table: Table = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        assert_eq!((table.cases.len(), table.images.len()), (14, 15));
        for input in table.inputs() {
            let Input::Image(name) = input else { continue };
            assert!(table.images.contains_key(name), "{name} has no address");
        }
        assert!(table.images.values().all(|image| image.sha256.len() == 64));
    }
}
