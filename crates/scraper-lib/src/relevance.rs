//! What a text must reach to be found by meaning: as much as texts that mean nothing do.
//!
//! Some product is always nearest, also to `asdfghjkl`. How near it is depends on the model and the
//! catalogue, so it is measured: [`NONSENSE`] is embedded, and of each text the best score of any image
//! is taken, less the text's product with the mean of all images (texts differ in how near they are to
//! images as such). The [`Relevance::floor`] lies two standard deviations above the mean of these.
//!
//! It needs the model's text tower. The storefront finds the floor in the manifest of the export;
//! `scraper search` measures it with the text tower that it has loaded for the query.

use clip_core::{Clip, NormalizedEmbedding, index::Mean};
use serde::{Deserialize, Serialize};

use crate::{Error, store::StoreError};

/// Texts that describe no product in any language.
pub const NONSENSE: [&str; 12] = [
    "asdfghjkl",
    "qwxz vbnp",
    "zzkrtl",
    "jfkdls ghjty",
    "xqzv",
    "wvutsr qponm",
    "plmokn ijb",
    "hgzu trew",
    "ggggggg",
    "0x7f 9c3a",
    "#!?% --",
    "lkjh poiu mnbv",
];

/// What an export says of relevance.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Relevance {
    /// A product is found by the meaning of a text if its best cosine less the text's dot product with
    /// the mean of all images is at least this.
    pub floor: f32,
}

/// Measures it, over all vectors of a catalogue.
#[derive(Debug)]
pub struct Learner {
    /// Each with its best score so far.
    texts: Vec<(NormalizedEmbedding, f32)>,
}

impl Learner {
    /// Needs the text tower.
    ///
    /// # Errors
    /// The engine's reason.
    pub fn new(clip: &Clip) -> Result<Self, Error> {
        let text = |text: &&str| Ok((clip.embed_text(text)?.normalized(), f32::NEG_INFINITY));
        Ok(Learner { texts: NONSENSE.iter().map(text).collect::<Result<_, Error>>()? })
    }

    /// Takes in a vector of unit length.
    ///
    /// # Errors
    /// It has another length than the texts'.
    pub fn add(&mut self, values: &[f32]) -> Result<(), Error> {
        let image = NormalizedEmbedding::from_unit(values.to_vec());
        for (text, best) in &mut self.texts {
            let (found, wanted) = (values.len(), text.values().len());
            if found != wanted {
                let what = format!("a vector has {found} values, the model's have {wanted}");
                return Err(StoreError::Damaged(what).into());
            }
            *best = best.max(text.cosine(&image));
        }
        Ok(())
    }

    /// Takes the best score of each text among all vectors from elsewhere.
    ///
    /// # Errors
    /// The first of `best`.
    pub(crate) fn learn<E>(
        mut self,
        best: impl Fn(&NormalizedEmbedding) -> Result<f32, E>,
    ) -> Result<Self, E> {
        for (text, known) in &mut self.texts {
            *known = best(text)?;
        }
        Ok(self)
    }

    /// The floor, with the mean of the same vectors.
    pub fn finish(self, mean: &Mean) -> Relevance {
        self.relevance(&NormalizedEmbedding::from_unit(mean.values()))
    }

    /// The same, with the values of the mean.
    pub(crate) fn relevance(&self, base: &NormalizedEmbedding) -> Relevance {
        let above: Vec<f64> =
            self.texts.iter().map(|(text, best)| f64::from(best - text.cosine(base))).collect();
        let count = above.len().max(1) as f64;
        let mean = above.iter().sum::<f64>() / count;
        let variance = above.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
        Relevance { floor: (mean + 2.0 * variance.sqrt()) as f32 }
    }
}
