//! Files to a [`Clip`] with its provenance.

use std::{path::PathBuf, sync::Arc};

use clip_core::{
    Clip, NUMERICS_VERSION, Options, Provenance, Towers,
    config::{ClipConfig, PreprocessConfig},
    image::{Limits, Profile},
    text::Tokenizer,
};

use super::{ModelError, ModelFile, ModelFiles, Weights, mmap};

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
    let weights = safetensors(&files.weights)?;
    let mut engine = Options {
        towers: options.towers,
        preprocess,
        profile: options.profile,
        limits: options.limits,
        tokenizer,
        path: None,
        release: None,
    };
    let clip = match &weights {
        ModelFile::Builtin { bytes, .. } => Clip::load(config, bytes, engine),
        ModelFile::Path(path) => {
            let map = mmap::map(path);
            let map = map.map_err(|source| ModelError::Read { path: path.clone(), source })?;
            let map = Arc::new(map);
            engine.release = Some(mmap::releaser(&map));
            Clip::load(config, &map, engine)
        }
    };
    let clip = clip.map_err(|e| weights.error(e))?;
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
    let file = &files.config;
    let config = ClipConfig::from_json(&file.read()?).map_err(|e| file.error(e))?;
    let image_size = config.vision.image_size;
    let preprocess = match &files.preprocessor {
        Some(file) => {
            PreprocessConfig::from_json(&file.read()?, image_size).map_err(|e| file.error(e))?
        }
        None => PreprocessConfig::clip(image_size),
    };
    Ok((config, preprocess))
}

/// The checkpoint's own tokenizer; CLIP's where it brings none.
pub(super) fn tokenizer(files: &ModelFiles) -> Result<Tokenizer, ModelError> {
    let file = |path: &PathBuf| ModelFile::Path(path.clone());
    match (&files.tokenizer, &files.vocab_merges) {
        (Some(path), _) => {
            let json = file(path);
            Tokenizer::from_tokenizer_json(&json.read()?).map_err(|e| json.error(e))
        }
        (None, Some((vocab, merges))) => {
            let (vocab, merges) = (file(vocab), file(merges));
            Tokenizer::from_vocab_and_merges(&vocab.read()?, &merges.read()?)
                .map_err(|e| vocab.error(e))
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
pub(super) fn safetensors(weights: &Weights) -> Result<ModelFile, ModelError> {
    match weights {
        Weights::Safetensors(file) => Ok(file.clone()),
        Weights::Pytorch(path) => super::pytorch::converted(path).map(ModelFile::Path),
    }
}

#[cfg(not(feature = "pytorch"))]
pub(super) fn safetensors(weights: &Weights) -> Result<ModelFile, ModelError> {
    match weights {
        Weights::Safetensors(file) => Ok(file.clone()),
        Weights::Pytorch(path) => Err(ModelError::Pytorch {
            path: path.clone(),
            reason: "this program was built without the feature `pytorch`".into(),
        }),
    }
}
