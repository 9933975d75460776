//! Files to a [`Clip`] with its provenance.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use clip_core::{
    Clip, NUMERICS_VERSION, Options, Provenance, Towers,
    config::{ClipConfig, PreprocessConfig},
    image::{Limits, Profile},
    text::Tokenizer,
};

use super::{ModelError, ModelFiles, Weights, mmap};

/// config.json and its like are a few KiB, tokenizer.json 2 MiB.
const MAX_JSON: u64 = 64 << 20;

/// What to load, and how pictures are prepared.
#[derive(Debug, Clone, Copy)]
pub struct LoadOptions {
    pub towers: Towers,
    pub profile: Profile,
    pub limits: Limits,
}

impl LoadOptions {
    /// `towers` under the default profile and limits.
    pub fn new(towers: Towers) -> Self {
        LoadOptions { towers, profile: Profile::HF_ENDPOINT, limits: Limits::default() }
    }
}

/// A model ready to embed, and what its vectors are to be labelled with.
#[derive(Debug)]
pub struct LoadedModel {
    pub clip: Clip,
    pub provenance: Provenance,
}

/// Loads the model. Blocking: reads every weight once.
///
/// # Errors
/// [`ModelError::Read`], [`ModelError::Pytorch`], or [`ModelError::Load`] with the file's path.
pub fn load(files: &ModelFiles, options: &LoadOptions) -> Result<LoadedModel, ModelError> {
    let (config, preprocess) = configs(files)?;
    let image_size = config.vision.image_size;
    let tokenizer = match options.towers {
        Towers::Vision => Tokenizer::clip(), // not used
        _ => tokenizer(files)?,
    };
    let preprocessing = label(&preprocess, options.profile, image_size);
    let weights = safetensors_path(&files.weights)?;
    let bytes =
        mmap::map(&weights).map_err(|source| ModelError::Read { path: weights.clone(), source })?;
    let bytes = Arc::new(bytes);
    let clip = Clip::load(
        config,
        &bytes,
        Options {
            towers: options.towers,
            preprocess,
            profile: options.profile,
            limits: options.limits,
            tokenizer,
            path: None,
            release: Some(mmap::releaser(&bytes)),
        },
    )
    .map_err(|e| at(&weights, e))?;
    let provenance = Provenance {
        model: files.model.clone(),
        revision: files.revision.clone(),
        weights: clip.weights_digest().to_owned(),
        preprocessing,
        numerics: NUMERICS_VERSION,
        device: "exact".into(),
    };
    Ok(LoadedModel { clip, provenance })
}

/// The model's shape and its preprocessing, without touching the weights.
///
/// # Errors
/// [`ModelError::Read`] or [`ModelError::Load`] with the file's path.
pub fn configs(files: &ModelFiles) -> Result<(ClipConfig, PreprocessConfig), ModelError> {
    let config = ClipConfig::from_json(&read(&files.config)?).map_err(|e| at(&files.config, e))?;
    let image_size = config.vision.image_size;
    let preprocess = match &files.preprocessor {
        Some(path) => {
            PreprocessConfig::from_json(&read(path)?, image_size).map_err(|e| at(path, e))?
        }
        None => PreprocessConfig::clip(image_size),
    };
    Ok((config, preprocess))
}

/// The checkpoint's own tokenizer; CLIP's where it brings none.
pub(super) fn tokenizer(files: &ModelFiles) -> Result<Tokenizer, ModelError> {
    match (&files.tokenizer, &files.vocab_merges) {
        (Some(path), _) => Tokenizer::from_tokenizer_json(&read(path)?).map_err(|e| at(path, e)),
        (None, Some((vocab, merges))) => {
            Tokenizer::from_vocab_and_merges(&read(vocab)?, &read(merges)?)
                .map_err(|e| at(vocab, e))
        }
        (None, None) => Ok(Tokenizer::clip()),
    }
}

/// The profile, and whatever of `preprocessor_config.json` is not CLIP's own.
fn label(preprocess: &PreprocessConfig, profile: Profile, image_size: usize) -> String {
    let mut label = profile.to_string();
    let clip = PreprocessConfig::clip(image_size);
    if preprocess.shortest_edge != clip.shortest_edge {
        label += &format!(",shortest_edge={}", preprocess.shortest_edge);
    }
    if preprocess.mean != clip.mean {
        label += &format!(",mean={:?}", preprocess.mean);
    }
    if preprocess.std != clip.std {
        label += &format!(",std={:?}", preprocess.std);
    }
    label
}

#[cfg(feature = "pytorch")]
pub(super) fn safetensors_path(weights: &Weights) -> Result<PathBuf, ModelError> {
    match weights {
        Weights::Safetensors(path) => Ok(path.clone()),
        Weights::Pytorch(path) => super::pytorch::converted(path),
    }
}

#[cfg(not(feature = "pytorch"))]
pub(super) fn safetensors_path(weights: &Weights) -> Result<PathBuf, ModelError> {
    match weights {
        Weights::Safetensors(path) => Ok(path.clone()),
        Weights::Pytorch(path) => Err(ModelError::Pytorch {
            path: path.clone(),
            reason: "this program was built without the feature `pytorch`".into(),
        }),
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    let fail = |source| ModelError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(fail)?.take(MAX_JSON).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

pub(super) fn at(path: &Path, source: impl Into<clip_core::Error>) -> ModelError {
    ModelError::Load { path: path.to_owned(), source: Box::new(source.into()) }
}
