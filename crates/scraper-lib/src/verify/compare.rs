//! Our vectors against others' of the same image bytes.

use std::fmt;

use clip_core::{
    Embedding, NormalizedEmbedding,
    config::PreprocessConfig,
    image::{Alpha, Exif, Limits, Normalize, PixelValues, Processor, Profile, Resize},
};
use serde::Serialize;

use crate::{Error, model::LoadedModel};

/// A vector of unit length has a norm this close to 1.
const UNIT: f64 = 1e-3;

/// By so much vectors of unit length differ between engines that add in another order.
const NOISE: f64 = 1e-6;

/// An image and the vector that someone else computed for it.
#[derive(Debug, Clone)]
pub struct Reference {
    /// Where it is.
    pub image: String,
    /// The image file.
    pub bytes: Vec<u8>,
    /// What the other side computed.
    pub values: Vec<f32>,
}

/// How close one preprocessing comes.
#[derive(Debug, Clone, Serialize)]
pub struct Fit {
    /// The preprocessing.
    pub profile: Profile,
    /// Largest absolute difference of any value.
    pub max_delta: f64,
    /// Least cosine of any image.
    pub min_cosine: f64,
    /// The image with the largest difference.
    pub worst: String,
}

/// The numbers in which the other side computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision.
    F32,
    /// Every value is one of a half (IEEE 754 binary16).
    F16,
    /// Every value is a bfloat16.
    Bf16,
}

impl Precision {
    /// Of all values together: by chance a few may be short, not hundreds.
    fn of(references: &[Reference]) -> Self {
        let all = |short: fn(f32) -> bool| {
            references.iter().flat_map(|reference| &reference.values).all(|&value| short(value))
        };
        // Zeros and ones are numbers of any precision.
        let told = references.iter().flat_map(|reference| &reference.values);
        if told.filter(|value| value.fract() != 0.0).take(LEAST).count() < LEAST {
            return Precision::F32;
        }
        if all(|value| value.to_bits() & 0xffff == 0) {
            Precision::Bf16
        } else if all(is_half) {
            Precision::F16
        } else {
            Precision::F32
        }
    }
}

/// Values that must agree before they tell a precision.
const LEAST: usize = 8;

/// Whether a half holds the value: 11 significant bits, from 2^-24 to 65504.
fn is_half(value: f32) -> bool {
    const LEAST_NORMAL: f32 = f32::from_bits((127 - 14) << 23);
    // The distance of the halves below that.
    const STEP: f32 = f32::from_bits((127 - 24) << 23);
    let magnitude = value.abs();
    if magnitude < LEAST_NORMAL {
        return (magnitude / STEP).fract() == 0.0;
    }
    magnitude <= 65504.0 && value.to_bits().trailing_zeros() >= 13
}

/// What came of a comparison.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// Images.
    pub compared: usize,
    /// Largest difference of a value that passes.
    pub tolerance: f64,
    /// The other side's vectors are of unit length; so ours are compared in that form.
    pub normalized: bool,
    /// Where it is not `f32`, the cosine is judged instead of single values.
    pub precision: Precision,
    /// The model's own preprocessing.
    pub own: Fit,
    /// The preprocessing that comes closest: `own`, a preset, or a variant of parts.
    pub best: Fit,
    /// Images that could not be compared, and why.
    pub skipped: Vec<String>,
}

impl Comparison {
    /// Compares the vectors of `references` with those of `model`, under its own preprocessing
    /// and all others.
    ///
    /// # Errors
    /// Nothing to compare, vectors of another length, or of both forms.
    pub fn of(
        model: &LoadedModel,
        preprocess: &PreprocessConfig,
        limits: Limits,
        references: &[Reference],
        tolerance: f64,
        mut skipped: Vec<String>,
    ) -> Result<Self, Error> {
        let own = model.clip.processor().profile();
        let profiles = profiles(own);
        let processors: Vec<Processor> =
            profiles.iter().map(|&profile| Processor::new(preprocess, profile, limits)).collect();
        let normalized = form(references)?;
        let precision = Precision::of(references);
        let mut fits: Vec<Fit> = profiles
            .iter()
            .map(|&profile| Fit { profile, max_delta: 0.0, min_cosine: 1.0, worst: String::new() })
            .collect();
        let mut compared = 0;
        for reference in references {
            let vectors = match vectors(model, &processors, &reference.bytes) {
                Ok(vectors) => vectors,
                Err(e) => {
                    skipped.push(format!("{}: {e}", reference.image));
                    continue;
                }
            };
            compared += 1;
            for (fit, vector) in fits.iter_mut().zip(vectors) {
                fit.add(reference, vector, normalized)?;
            }
        }
        let Some(own) = fits.first().filter(|_| compared > 0).cloned() else {
            return Err(Error::Usage(format!(
                "no image could be compared{}",
                skipped.first().map_or_else(String::new, |first| format!(": {first}"))
            )));
        };
        let least = fits.iter().map(|fit| fit.max_delta).fold(f64::INFINITY, f64::min);
        // The first of equals: the model's own, then presets. Last bits tell nothing.
        let fits_too = |fit: &&Fit| fit.max_delta <= 4.0 * least + NOISE;
        let best = fits.iter().find(fits_too).unwrap_or(&own).clone();
        Ok(Comparison { compared, tolerance, normalized, precision, own, best, skipped })
    }

    /// Whether the model's own preprocessing gives the other side's vectors.
    pub fn passed(&self) -> bool {
        self.fits(&self.own)
    }

    fn fits(&self, fit: &Fit) -> bool {
        // Not `>`: NaN does not pass.
        match self.precision {
            Precision::F32 => fit.max_delta <= self.tolerance,
            _ => 1.0 - fit.min_cosine <= self.tolerance,
        }
    }
}

impl Fit {
    fn add(
        &mut self,
        reference: &Reference,
        ours: Embedding,
        normalized: bool,
    ) -> Result<(), Error> {
        if ours.values().len() != reference.values.len() {
            return Err(Error::Usage(format!(
                "{}: the other side's vector has {} values, this model's {}: another model, or \
                 its hidden states instead of the projected embedding",
                reference.image,
                reference.values.len(),
                ours.values().len()
            )));
        }
        let unit = ours.normalized();
        let theirs = Embedding::from_raw(reference.values.clone()).normalized();
        let cosine = f64::from(unit.cosine(&theirs)).min(1.0);
        let ours = match normalized {
            true => NormalizedEmbedding::into_values(unit),
            false => ours.into_values(),
        };
        let delta = ours
            .iter()
            .zip(&reference.values)
            .map(|(a, b)| f64::from((a - b).abs()))
            .fold(0.0, |max: f64, delta| if delta.is_nan() { f64::NAN } else { max.max(delta) });
        // A NaN is worse than anything, and stays.
        let worse = delta > self.max_delta || delta.is_nan();
        if !self.max_delta.is_nan() && (worse || self.worst.is_empty()) {
            self.worst.clone_from(&reference.image);
            self.max_delta = delta;
        }
        self.min_cosine = self.min_cosine.min(cosine);
        Ok(())
    }
}

/// Whether all vectors are of unit length, or none.
fn form(references: &[Reference]) -> Result<bool, Error> {
    let unit = |reference: &&Reference| {
        let norm: f64 = reference.values.iter().map(|v| f64::from(v * v)).sum();
        (norm.sqrt() - 1.0).abs() < UNIT
    };
    let count = references.iter().filter(unit).count();
    if count != 0 && count != references.len() {
        return Err(Error::Usage(format!(
            "{count} of {} vectors of the other side are of unit length and the others are not",
            references.len()
        )));
    }
    Ok(count > 0)
}

/// `own`, the presets, then every combination of parts; none twice.
fn profiles(own: Profile) -> Vec<Profile> {
    let mut all = vec![own];
    let mut add = |profile| {
        if !all.contains(&profile) {
            all.push(profile);
        }
    };
    Profile::PRESETS.iter().for_each(|(_, preset)| add(*preset));
    for resize in [Resize::Pillow, Resize::Pillow13, Resize::Torchvision] {
        for exif in [Exif::Apply, Exif::Ignore] {
            for alpha in [Alpha::Drop, Alpha::White] {
                for normalize in [Normalize::Slow, Normalize::Fast] {
                    add(Profile { resize, exif, alpha, normalize, ..own });
                }
            }
        }
    }
    all
}

/// One vector per processor; equal pixels are embedded once.
fn vectors(
    model: &LoadedModel,
    processors: &[Processor],
    bytes: &[u8],
) -> Result<Vec<Embedding>, clip_core::Error> {
    let mut different: Vec<PixelValues> = Vec::new();
    let mut which = Vec::with_capacity(processors.len());
    for processor in processors {
        let pixels = processor.process(bytes)?;
        let known = different.iter().position(|known| known.data == pixels.data);
        which.push(known.unwrap_or(different.len()));
        if known.is_none() {
            different.push(pixels);
        }
    }
    let embedded = model.clip.embed_pixels(&different)?;
    Ok(which.into_iter().filter_map(|at| embedded.get(at).cloned()).collect())
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self.normalized {
            true => "of unit length (normalised)",
            false => "raw (not normalised)",
        };
        writeln!(f, "{} images compared; the other side's vectors are {form}", self.compared)?;
        let half = match self.precision {
            Precision::F32 => None,
            Precision::F16 => Some("f16"),
            Precision::Bf16 => Some("bf16"),
        };
        if let Some(half) = half {
            writeln!(
                f,
                "  precision         the other side computes in half precision ({half}), which \
                 changes every value: the cosine counts"
            )?;
        }
        let tolerance = format!("   (tolerance {:.0e})", self.tolerance);
        let (of_delta, of_cosine) = match half {
            None => (tolerance.as_str(), ""),
            Some(_) => ("", tolerance.as_str()),
        };
        writeln!(f, "  max |difference|  {:.3e}{of_delta}", self.own.max_delta)?;
        writeln!(f, "  minimum cosine    {:.9}{of_cosine}", self.own.min_cosine)?;
        writeln!(f, "  worst image       {}", self.own.worst)?;
        for reason in &self.skipped {
            writeln!(f, "  not compared      {reason}")?;
        }
        let Fit { profile, max_delta, .. } = &self.best;
        match (profile == &self.own.profile, self.fits(&self.best)) {
            (true, true) => writeln!(f, "  preprocessing     {profile} fits best")?,
            (true, false) => {
                writeln!(
                    f,
                    "  preprocessing     no other fits better than {profile}: other weights?"
                )?;
            }
            (false, _) => writeln!(
                f,
                "  preprocessing     {profile} fits better (max |difference| {max_delta:.3e}) than \
                 {}",
                self.own.profile
            )?,
        }
        let verdict = match self.passed() {
            true => "The vectors are the same within the tolerance.",
            false => "The vectors DIFFER.",
        };
        write!(f, "{verdict}")
    }
}

// `half` comes with the feature.
#[cfg(all(test, feature = "pytorch"))]
mod tests;
