//! `preprocessor_config.json` or `processor_config.json` of HF's `CLIPImageProcessor`.

use serde::Deserialize;
use serde_json::Value;

use super::error::ConfigError;

const FILE: &str = "preprocessor_config.json";
const PROCESSOR: &str = "processor_config.json";

/// What the image processor is told to do. Only CLIP's own sequence is supported:
/// RGB, bicubic resize of the short side, centre crop, rescale by 1/255, normalise.
#[derive(Debug, Clone, PartialEq)]
pub struct PreprocessConfig {
    /// Short side after resizing, pixels (`size.shortest_edge`).
    pub shortest_edge: usize,
    /// Side of the centre crop, pixels; equals the vision tower's `image_size`.
    pub crop_size: usize,
    /// Mean per channel (RGB) of pixels in 0..=1, f64 as Python reads it.
    pub mean: [f64; 3],
    /// Standard deviation per channel (RGB).
    pub std: [f64; 3],
}

impl PreprocessConfig {
    /// CLIP's constants for a given image size (OpenAI's `clip-vit-*` repositories).
    pub fn clip(image_size: usize) -> Self {
        PreprocessConfig {
            shortest_edge: image_size,
            crop_size: image_size,
            mean: [0.48145466, 0.4578275, 0.40821073],
            std: [0.26862954, 0.26130258, 0.27577711],
        }
    }

    /// Reads HF's `preprocessor_config.json`; missing fields are CLIP's defaults for `image_size`.
    ///
    /// # Errors
    /// A step that CLIP does not have, or a crop that is not the model's `image_size`.
    pub fn from_json(json: &[u8], image_size: usize) -> Result<Self, ConfigError> {
        let invalid = |source| ConfigError::Json { file: FILE, source };
        Self::from_raw(FILE, serde_json::from_slice(json).map_err(invalid)?, image_size)
    }

    /// Reads what transformers 5 saves, `processor_config.json`: the settings of the image
    /// processor are the object `image_processor`. `None` without it, as in older files of that
    /// name. With it, the file wins over a `preprocessor_config.json` beside it
    /// (`ImageProcessingMixin.get_image_processor_dict`, transformers 5.23).
    ///
    /// # Errors
    /// As [`PreprocessConfig::from_json`].
    pub fn from_processor_json(
        json: &[u8],
        image_size: usize,
    ) -> Result<Option<Self>, ConfigError> {
        #[derive(Deserialize)]
        struct Outer {
            image_processor: Option<Raw>,
        }
        let invalid = |source| ConfigError::Json { file: PROCESSOR, source };
        let outer: Outer = serde_json::from_slice(json).map_err(invalid)?;
        outer.image_processor.map(|raw| Self::from_raw(PROCESSOR, raw, image_size)).transpose()
    }

    fn from_raw(file: &'static str, raw: Raw, image_size: usize) -> Result<Self, ConfigError> {
        let unsupported = |field: &str, found: String, supported: &str| ConfigError::Unsupported {
            file,
            field: field.into(),
            found,
            supported: supported.into(),
        };
        let mut config = PreprocessConfig::clip(image_size);
        for (name, step) in [
            ("do_resize", raw.do_resize),
            ("do_center_crop", raw.do_center_crop),
            ("do_rescale", raw.do_rescale),
            ("do_normalize", raw.do_normalize),
        ] {
            if step == Some(false) {
                return Err(unsupported(name, "false".into(), "true"));
            }
        }
        if let Some(resample) = raw.resample
            && resample != 3
        {
            return Err(unsupported("resample", resample.to_string(), "3 (bicubic)"));
        }
        if let Some(factor) = raw.rescale_factor
            && factor != 1.0 / 255.0
        {
            return Err(unsupported("rescale_factor", factor.to_string(), "1/255"));
        }
        if let Some(size) = &raw.size {
            config.shortest_edge = edge(size, &["shortest_edge"])
                .map_err(|supported| unsupported("size", size.to_string(), &supported))?;
        }
        if let Some(size) = &raw.crop_size {
            config.crop_size = edge(size, &["height", "width"])
                .map_err(|supported| unsupported("crop_size", size.to_string(), &supported))?;
        }
        if let Some(mean) = raw.image_mean {
            config.mean = mean;
        }
        if let Some(std) = raw.image_std {
            config.std = std;
        }
        // Others would make values that are not finite; pixels are 0 to 1.
        if !config.mean.iter().all(|m| m.abs() <= 256.0) {
            let found = format!("{:?}", config.mean);
            return Err(unsupported("image_mean", found, "numbers from -256 to 256"));
        }
        if !config.std.iter().all(|s| (1e-6..=256.0).contains(&s.abs())) {
            let found = format!("{:?}", config.std);
            return Err(unsupported("image_std", found, "numbers from 1e-6 to 256"));
        }
        if config.crop_size != image_size {
            let supported = format!("the vision tower's image_size, {image_size}");
            return Err(unsupported("crop_size", config.crop_size.to_string(), &supported));
        }
        if !(config.crop_size..=4096).contains(&config.shortest_edge) {
            let supported = format!("{} to 4096", config.crop_size);
            return Err(unsupported(
                "size.shortest_edge",
                config.shortest_edge.to_string(),
                &supported,
            ));
        }
        Ok(config)
    }
}

#[derive(Deserialize)]
struct Raw {
    do_resize: Option<bool>,
    do_center_crop: Option<bool>,
    do_rescale: Option<bool>,
    do_normalize: Option<bool>,
    resample: Option<i64>,
    rescale_factor: Option<f64>,
    size: Option<Value>,
    crop_size: Option<Value>,
    image_mean: Option<[f64; 3]>,
    image_std: Option<[f64; 3]>,
}

/// A plain number, or an object whose `keys` are present and agree; else what is supported.
fn edge(value: &Value, keys: &[&str]) -> Result<usize, String> {
    let found: Option<Vec<u64>> = match value {
        Value::Object(map) => keys.iter().map(|k| map.get(*k).and_then(Value::as_u64)).collect(),
        other => other.as_u64().map(|n| vec![n]),
    };
    match found.as_deref() {
        Some([first, rest @ ..])
            if rest.iter().all(|n| n == first) && (1..=4096).contains(first) =>
        {
            Ok(*first as usize)
        }
        _ => Err(format!("a number of pixels up to 4096, or {keys:?} with one value")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openai_and_newer_forms_agree() {
        let old = br#"{"crop_size":224,"do_center_crop":true,"do_normalize":true,"do_resize":true,
            "feature_extractor_type":"CLIPFeatureExtractor","resample":3,"size":224,
            "image_mean":[0.48145466,0.4578275,0.40821073],
            "image_std":[0.26862954,0.26130258,0.27577711]}"#;
        let new = br#"{"crop_size":{"height":224,"width":224},"size":{"shortest_edge":224},
            "rescale_factor":0.00392156862745098,"do_convert_rgb":true}"#;
        let clip = PreprocessConfig::clip(224);
        assert_eq!(PreprocessConfig::from_json(old, 224).unwrap(), clip);
        assert_eq!(PreprocessConfig::from_json(new, 224).unwrap(), clip);
    }

    #[test]
    fn other_steps_are_refused() {
        for json in [
            r#"{"resample":2}"#,
            r#"{"do_center_crop":false}"#,
            r#"{"size":{"height":224,"width":224}}"#,
            r#"{"crop_size":{"height":224,"width":225}}"#,
            r#"{"crop_size":336}"#,
            r#"{"image_std":[0,1,1]}"#,
            r#"{"image_mean":[1e308,0,0]}"#,
            r#"[]"#,
        ] {
            assert!(PreprocessConfig::from_json(json.as_bytes(), 224).is_err(), "{json}");
        }
    }

    #[test]
    fn what_transformers_5_saves() {
        let read = |json: &str| PreprocessConfig::from_processor_json(json.as_bytes(), 32);
        let json = r#"{"processor_class": "CLIPProcessor", "image_processor": {
            "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "resample": 3,
            "size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}}"#;
        let config = read(json).unwrap().unwrap();
        assert_eq!((config.mean, config.shortest_edge), ([0.5; 3], 36));
        assert_eq!(read(r#"{"processor_class": "CLIPProcessor"}"#).unwrap(), None);
        assert_eq!(read(r#"{"image_processor": null}"#).unwrap(), None);
        let error = read(r#"{"image_processor": {"resample": 2}}"#).unwrap_err().to_string();
        assert!(error.starts_with("processor_config.json: resample"), "{error}");
    }
}
