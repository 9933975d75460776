//! `config.json` of a `CLIPModel`. Defaults are those of HF's `CLIPTextConfig`/`CLIPVisionConfig`.

use serde::Deserialize;
use serde_json::Value;

use super::{
    error::ConfigError,
    model::{Activation, ClipConfig, TextConfig, VisionConfig},
};

const FILE: &str = "config.json";
/// Larger values are refused: no CLIP has them, and they would ask for absurd allocations.
const MAX_DIM: usize = 1 << 16;
const MAX_VOCAB: usize = 1 << 20;

impl ClipConfig {
    /// Shape of `openai/clip-vit-base-patch32`.
    pub fn vit_b_32() -> Self {
        ClipConfig {
            text: RawTower::default().into_text().expect("HF defaults are valid"),
            vision: RawTower::default().into_vision().expect("HF defaults are valid"),
            projection_dim: 512,
        }
    }

    /// Reads HF's `config.json`.
    ///
    /// # Errors
    /// Anything but a `CLIPModel` with a ViT and a known activation; sizes that do not fit.
    pub fn from_json(json: &[u8]) -> Result<Self, ConfigError> {
        let raw: RawConfig = serde_json::from_slice(json)
            .map_err(|source| ConfigError::Json { file: FILE, source })?;
        raw.check_architecture()?;
        // HF lets the older `*_config_dict` win over `*_config`.
        let text = raw.text_config_dict.or(raw.text_config).unwrap_or_default();
        let vision = raw.vision_config_dict.or(raw.vision_config).unwrap_or_default();
        let projection_dim = raw.projection_dim.unwrap_or(512);
        bounded("projection_dim", projection_dim, MAX_DIM)?;
        Ok(ClipConfig { text: text.into_text()?, vision: vision.into_vision()?, projection_dim })
    }

    /// The `config.json` that [`ClipConfig::from_json`] and `transformers` read back as `self`.
    pub fn to_json(&self) -> String {
        let act = |a: Activation| match a {
            Activation::QuickGelu => "quick_gelu",
            Activation::Gelu => "gelu",
        };
        // Shortest decimal of the f32, not its long f64 expansion.
        let eps = |e: f32| e.to_string().parse::<f64>().unwrap_or(1e-5);
        let (t, v) = (&self.text, &self.vision);
        let value = serde_json::json!({
            "architectures": ["CLIPModel"],
            "model_type": "clip",
            "projection_dim": self.projection_dim,
            "logit_scale_init_value": 2.6592,
            "text_config": {
                "model_type": "clip_text_model",
                "vocab_size": t.vocab_size,
                "hidden_size": t.hidden_size,
                "intermediate_size": t.intermediate_size,
                "num_hidden_layers": t.layers,
                "num_attention_heads": t.heads,
                "max_position_embeddings": t.max_positions,
                "hidden_act": act(t.activation),
                "layer_norm_eps": eps(t.layer_norm_eps),
                "projection_dim": self.projection_dim,
                "bos_token_id": 49406,
                "eos_token_id": t.eos_token_id,
            },
            "vision_config": {
                "model_type": "clip_vision_model",
                "hidden_size": v.hidden_size,
                "intermediate_size": v.intermediate_size,
                "num_hidden_layers": v.layers,
                "num_attention_heads": v.heads,
                "image_size": v.image_size,
                "patch_size": v.patch_size,
                "num_channels": 3,
                "hidden_act": act(v.activation),
                "layer_norm_eps": eps(v.layer_norm_eps),
                "projection_dim": self.projection_dim,
            },
        });
        format!("{value:#}\n")
    }
}

#[derive(Deserialize)]
struct RawConfig {
    architectures: Option<Vec<String>>,
    model_type: Option<String>,
    projection_dim: Option<usize>,
    text_config: Option<RawTower>,
    text_config_dict: Option<RawTower>,
    vision_config: Option<RawTower>,
    vision_config_dict: Option<RawTower>,
}

impl RawConfig {
    fn check_architecture(&self) -> Result<(), ConfigError> {
        let found = match (&self.architectures, self.model_type.as_deref()) {
            (Some(names), _) if names.iter().any(|n| n == "CLIPModel") => return Ok(()),
            (None, Some("clip")) => return Ok(()),
            (Some(names), kind) => {
                format!("{} (model_type {:?})", names.join(", "), kind.unwrap_or("none"))
            }
            (None, Some(kind)) => format!("model_type {kind:?}"),
            (None, None) => "a config.json without architectures and model_type".into(),
        };
        Err(ConfigError::Architecture { found })
    }
}

#[derive(Deserialize, Default)]
struct RawTower {
    vocab_size: Option<usize>,
    hidden_size: Option<usize>,
    intermediate_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    num_attention_heads: Option<usize>,
    max_position_embeddings: Option<usize>,
    hidden_act: Option<String>,
    layer_norm_eps: Option<f32>,
    eos_token_id: Option<Value>,
    image_size: Option<usize>,
    patch_size: Option<usize>,
    num_channels: Option<usize>,
}

impl RawTower {
    fn activation(&self, tower: &str) -> Result<Activation, ConfigError> {
        match self.hidden_act.as_deref().unwrap_or("quick_gelu") {
            "quick_gelu" => Ok(Activation::QuickGelu),
            "gelu" => Ok(Activation::Gelu),
            other => Err(unsupported(&format!("{tower}.hidden_act"), other, "quick_gelu, gelu")),
        }
    }

    fn eps(&self, tower: &str) -> Result<f32, ConfigError> {
        let eps = self.layer_norm_eps.unwrap_or(1e-5);
        if eps.is_finite() && eps > 0.0 {
            return Ok(eps);
        }
        Err(unsupported(&format!("{tower}.layer_norm_eps"), eps, "a positive number"))
    }

    fn into_text(self) -> Result<TextConfig, ConfigError> {
        let tower = "text_config";
        let config = TextConfig {
            vocab_size: self.vocab_size.unwrap_or(49408),
            hidden_size: self.hidden_size.unwrap_or(512),
            intermediate_size: self.intermediate_size.unwrap_or(2048),
            layers: self.num_hidden_layers.unwrap_or(12),
            heads: self.num_attention_heads.unwrap_or(8),
            max_positions: self.max_position_embeddings.unwrap_or(77),
            activation: self.activation(tower)?,
            layer_norm_eps: self.eps(tower)?,
            eos_token_id: match &self.eos_token_id {
                None | Some(Value::Null) => 49407,
                Some(value) => {
                    value.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or_else(|| {
                        unsupported("text_config.eos_token_id", value, "one token id")
                    })?
                }
            },
        };
        bounded("text_config.vocab_size", config.vocab_size, MAX_VOCAB)?;
        bounded("text_config.max_position_embeddings", config.max_positions, MAX_DIM)?;
        if config.max_positions < 2 {
            return Err(unsupported(
                "text_config.max_position_embeddings",
                config.max_positions,
                "at least 2 (begin and end of text)",
            ));
        }
        check_block(
            tower,
            config.hidden_size,
            config.intermediate_size,
            config.layers,
            config.heads,
        )?;
        Ok(config)
    }

    fn into_vision(self) -> Result<VisionConfig, ConfigError> {
        let tower = "vision_config";
        if let Some(channels) = self.num_channels
            && channels != 3
        {
            return Err(unsupported("vision_config.num_channels", channels, "3"));
        }
        let config = VisionConfig {
            hidden_size: self.hidden_size.unwrap_or(768),
            intermediate_size: self.intermediate_size.unwrap_or(3072),
            layers: self.num_hidden_layers.unwrap_or(12),
            heads: self.num_attention_heads.unwrap_or(12),
            image_size: self.image_size.unwrap_or(224),
            patch_size: self.patch_size.unwrap_or(32),
            activation: self.activation(tower)?,
            layer_norm_eps: self.eps(tower)?,
        };
        bounded("vision_config.image_size", config.image_size, 4096)?;
        bounded("vision_config.patch_size", config.patch_size, config.image_size)?;
        check_block(
            tower,
            config.hidden_size,
            config.intermediate_size,
            config.layers,
            config.heads,
        )?;
        Ok(config)
    }
}

fn check_block(
    tower: &str,
    hidden: usize,
    intermediate: usize,
    layers: usize,
    heads: usize,
) -> Result<(), ConfigError> {
    bounded(&format!("{tower}.hidden_size"), hidden, MAX_DIM)?;
    bounded(&format!("{tower}.intermediate_size"), intermediate, MAX_DIM)?;
    bounded(&format!("{tower}.num_hidden_layers"), layers, 1024)?;
    bounded(&format!("{tower}.num_attention_heads"), heads, hidden)?;
    if !hidden.is_multiple_of(heads) {
        return Err(unsupported(
            &format!("{tower}.num_attention_heads"),
            heads,
            &format!("a divisor of hidden_size ({hidden})"),
        ));
    }
    Ok(())
}

fn bounded(field: &str, value: usize, max: usize) -> Result<(), ConfigError> {
    if (1..=max).contains(&value) {
        return Ok(());
    }
    Err(unsupported(field, value, &format!("1 to {max}")))
}

fn unsupported(field: &str, found: impl ToString, supported: &str) -> ConfigError {
    ConfigError::Unsupported {
        file: FILE,
        field: field.into(),
        found: found.to_string(),
        supported: supported.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openai_config_with_null_dicts_is_vit_b_32() {
        let json = br#"{"architectures":["CLIPModel"],"model_type":"clip","projection_dim":512,
            "text_config":{"eos_token_id":2,"hidden_act":"quick_gelu"},"text_config_dict":null,
            "vision_config":{"patch_size":32},"vision_config_dict":null}"#;
        let mut expected = ClipConfig::vit_b_32();
        expected.text.eos_token_id = 2;
        assert_eq!(ClipConfig::from_json(json).unwrap(), expected);
    }

    #[test]
    fn json_round_trip() {
        let mut config = ClipConfig::vit_b_32();
        config.text.activation = Activation::Gelu;
        config.vision.patch_size = 14;
        assert_eq!(ClipConfig::from_json(config.to_json().as_bytes()).unwrap(), config);
    }

    #[test]
    fn other_architectures_are_named() {
        let json = br#"{"architectures":["SiglipModel"],"model_type":"siglip"}"#;
        let message = ClipConfig::from_json(json).unwrap_err().to_string();
        assert!(message.contains("SiglipModel") && message.contains("CLIPModel"), "{message}");
    }

    #[test]
    fn absurd_sizes_are_refused() {
        for json in [
            r#"{"model_type":"clip","text_config":{"hidden_size":0}}"#,
            r#"{"model_type":"clip","vision_config":{"hidden_size":4294967296}}"#,
            r#"{"model_type":"clip","vision_config":{"num_attention_heads":7}}"#,
            r#"{"model_type":"clip","vision_config":{"patch_size":225}}"#,
            r#"{"model_type":"clip","text_config":{"hidden_act":"relu"}}"#,
            r#"{"model_type":"clip","text_config":{"eos_token_id":[1,2]}}"#,
        ] {
            assert!(ClipConfig::from_json(json.as_bytes()).is_err(), "{json}");
        }
    }
}
