//! Files to a [`Clip`] with its provenance.

use std::{path::PathBuf, sync::Arc};

use clip_core::{
    Clip, Encoder, NUMERICS_VERSION, Options, Provenance, Towers,
    config::{ClipConfig, PreprocessConfig},
    image::{Limits, Profile},
    text::Tokenizer,
    weights::Release,
};

use serde_json::Value;

use super::{Accelerator, ModelError, ModelFile, ModelFiles, Origin, Weights};
use crate::mmap;

/// What to load, and how images are prepared.
#[derive(Debug, Clone, Copy)]
pub struct LoadOptions {
    /// Image, text, or both.
    pub towers: Towers,
    /// How images are prepared.
    pub profile: Profile,
    /// Largest image that is decoded.
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
    /// The model, on the CPU.
    pub clip: Arc<Clip>,
    /// Labels its vectors.
    pub provenance: Provenance,
    /// Computes its images, where [`accelerate`](super::accelerate) found one.
    pub accelerator: Option<Accelerator>,
}

/// Loads the model. Blocking: reads every weight once.
///
/// # Errors
/// [`ModelError::Read`], [`ModelError::Pytorch`], or [`ModelError::Load`] with the file's path.
pub fn load(files: &ModelFiles, options: &LoadOptions) -> Result<LoadedModel, ModelError> {
    let config = config(files)?;
    let image_size = config.vision.image_size;
    let preprocess = match options.towers {
        // Not used; it labels vectors that were made before this file was asked for.
        Towers::Text => {
            preprocess(files, image_size)?.unwrap_or(PreprocessConfig::clip(image_size))
        }
        _ => required_preprocess(files, image_size)?,
    };
    let own = match options.towers {
        // Not used, and so no reason to fail; but vectors of texts are to fit those of pictures.
        Towers::Vision => tokenizer(files, &config).ok(),
        _ => {
            let own = tokenizer(files, &config)?;
            note_tokenizer(files);
            Some(own)
        }
    };
    let digest = own.as_ref().map(Tokenizer::digest);
    let tokenizer = own.unwrap_or_else(Tokenizer::clip);
    let preprocessing = label(&preprocess, options.profile, image_size);
    let engine = Options {
        towers: options.towers,
        preprocess,
        profile: options.profile,
        limits: options.limits,
        tokenizer,
        path: None,
        release: None,
    };
    let clip = with_weights(files, |file, bytes, release| {
        Clip::load(config, bytes, Options { release, ..engine }).map_err(|e| file.error(e))
    })?;
    let provenance = Provenance {
        model: files.model.clone(),
        revision: files.revision.clone(),
        weights: clip.weights_digest().to_owned(),
        tokenizer: digest,
        preprocessing,
        numerics: NUMERICS_VERSION,
        device: clip.device().into(),
        adapter: None,
    };
    Ok(LoadedModel { clip: Arc::new(clip), provenance, accelerator: None })
}

/// Gives the weights of `files` as a whole safetensors file to `work`, with what gives pages of it back
/// that are not needed any more.
pub(super) fn with_weights<T>(
    files: &ModelFiles,
    work: impl FnOnce(&ModelFile, &[u8], Option<Release>) -> Result<T, ModelError>,
) -> Result<T, ModelError> {
    let weights = safetensors(&files.weights)?;
    match &weights {
        ModelFile::Builtin { bytes, .. } => work(&weights, bytes, None),
        ModelFile::Path(path) => {
            let map = mmap::map(path);
            let map = map.map_err(|source| ModelError::Read { path: path.clone(), source })?;
            let map = Arc::new(map);
            work(&weights, &map, Some(mmap::releaser(&map)))
        }
    }
}

/// The model's shape.
///
/// # Errors
/// [`ModelError::Read`] or [`ModelError::Load`] with the file's path.
pub fn config(files: &ModelFiles) -> Result<ClipConfig, ModelError> {
    let file = &files.config;
    ClipConfig::from_json(&file.read()?).map_err(|e| file.error(e))
}

/// The model's shape and its preprocessing, without touching the weights.
///
/// # Errors
/// [`ModelError::Read`] or [`ModelError::Load`] with the file's path, [`ModelError::NoSettings`].
pub fn configs(files: &ModelFiles) -> Result<(ClipConfig, PreprocessConfig), ModelError> {
    let config = config(files)?;
    let preprocess = required_preprocess(files, config.vision.image_size)?;
    Ok((config, preprocess))
}

fn required_preprocess(
    files: &ModelFiles,
    image_size: usize,
) -> Result<PreprocessConfig, ModelError> {
    match (preprocess(files, image_size)?, files.origin) {
        (Some(found), _) => Ok(found),
        (None, Origin::Pinned) => {
            tracing::warn!(
                "preprocessor_config.json of {} is not in the cache: images are prepared as it is \
                 known to say",
                files.model
            );
            Ok(PreprocessConfig::clip(image_size))
        }
        (None, origin) => Err(ModelError::NoSettings {
            model: files.model.clone(),
            hub: matches!(origin, Origin::Hub { .. }),
        }),
    }
}

fn preprocess(
    files: &ModelFiles,
    image_size: usize,
) -> Result<Option<PreprocessConfig>, ModelError> {
    // In this order, as `CLIPImageProcessor.from_pretrained` of transformers 5 reads them.
    if let Some(file) = &files.processor {
        let nested = PreprocessConfig::from_processor_json(&file.read()?, image_size);
        if let Some(found) = nested.map_err(|e| file.error(e))? {
            return Ok(Some(found));
        }
    }
    let Some(file) = &files.preprocessor else { return Ok(None) };
    let own = PreprocessConfig::from_json(&file.read()?, image_size);
    own.map(Some).map_err(|e| file.error(e))
}

/// The settings of the image processor as JSON, in the form of `preprocessor_config.json`.
pub(super) fn preprocess_json(files: &ModelFiles) -> Result<Option<Value>, ModelError> {
    let json = |file: &ModelFile| -> Result<Option<Value>, ModelError> {
        Ok(serde_json::from_slice(&file.read()?).ok())
    };
    if let Some(file) = &files.processor
        && let Some(Value::Object(mut fields)) = json(file)?
        && let Some(nested @ Value::Object(_)) = fields.remove("image_processor")
    {
        return Ok(Some(nested));
    }
    files.preprocessor.as_ref().map_or(Ok(None), json)
}

/// Says it where CLIP's own tokenizer takes the place of a file.
fn note_tokenizer(files: &ModelFiles) {
    let found = files.tokenizer.is_some() || files.vocab_merges.is_some();
    if !found && files.origin != Origin::Builtin {
        tracing::warn!(
            "{} has no tokenizer.json here: texts are read with CLIP's own tokenizer, which has as \
             many tokens",
            files.model
        );
    }
}

/// The checkpoint's own tokenizer. Without one it is CLIP's if that is known, or if the number of
/// tokens says so.
pub(super) fn tokenizer(files: &ModelFiles, config: &ClipConfig) -> Result<Tokenizer, ModelError> {
    /// Of OpenAI's vocabulary.
    const TOKENS: usize = 49408;
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
        (None, None) => match files.origin {
            Origin::Builtin | Origin::Pinned => Ok(Tokenizer::clip()),
            Origin::Folder | Origin::Hub { whole: true } if config.text.vocab_size == TOKENS => {
                Ok(Tokenizer::clip())
            }
            origin => Err(ModelError::NoTokenizer {
                model: files.model.clone(),
                tokens: config.text.vocab_size,
                hub: matches!(origin, Origin::Hub { .. }),
            }),
        },
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
