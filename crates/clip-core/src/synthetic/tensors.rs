//! The parameters of HF's `CLIPModel` and how each is drawn.
//!
//! The gains are tuned so that a random model tells inputs apart (sharp attention, weak position
//! and class embeddings) while f32 and f64 agree to 1e-6 on normalised embeddings. As in OpenAI's
//! release, weights and biases are f16 values.

use crate::config::ClipConfig;

/// Name, shape and distribution of one parameter.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) mean: f32,
    pub(super) std: f64,
    /// Values are rounded to f16.
    pub(super) exact16: bool,
}

impl Spec {
    /// Number of values; none if it overflows.
    pub(super) fn values(&self) -> Option<u64> {
        self.shape.iter().try_fold(1u64, |product, &n| product.checked_mul(n.try_into().ok()?))
    }
}

/// Every parameter of the model.
pub(super) fn specs(config: &ClipConfig) -> Vec<Spec> {
    let (text, vision, projection) = (&config.text, &config.vision, config.projection_dim);
    let mut list = List(Vec::new());
    // ln 100, where CLIP's training clips it.
    list.add("logit_scale", &[], 4.6052, 0.0, false);

    let width = text.hidden_size;
    let embeddings = "text_model.embeddings";
    list.weight(format!("{embeddings}.token_embedding.weight"), &[text.vocab_size, width], 0.5);
    list.weight(
        format!("{embeddings}.position_embedding.weight"),
        &[text.max_positions, width],
        0.2,
    );
    list.tower("text_model", text.layers, width, text.intermediate_size);
    // Genuine f32, so that "stored as f16 only where no bit is lost" has something to refuse.
    list.norm("text_model.final_layer_norm", width, false);
    list.weight("text_projection.weight", &[projection, width], per_root(1.0, width));

    let (width, patch) = (vision.hidden_size, vision.patch_size);
    let embeddings = "vision_model.embeddings";
    list.weight(format!("{embeddings}.class_embedding"), &[width], 0.3);
    let pixels = patch.saturating_mul(patch).saturating_mul(3);
    list.weight(
        format!("{embeddings}.patch_embedding.weight"),
        &[width, 3, patch, patch],
        per_root(1.0, pixels),
    );
    list.weight(
        format!("{embeddings}.position_embedding.weight"),
        &[vision.positions(), width],
        0.2,
    );
    list.norm("vision_model.pre_layrnorm", width, false);
    list.tower("vision_model", vision.layers, width, vision.intermediate_size);
    list.norm("vision_model.post_layernorm", width, false);
    list.weight("visual_projection.weight", &[projection, width], per_root(1.0, width));
    list.0
}

fn per_root(gain: f64, fan_in: usize) -> f64 {
    gain / (fan_in as f64).sqrt()
}

struct List(Vec<Spec>);

impl List {
    fn add(
        &mut self,
        name: impl Into<String>,
        shape: &[usize],
        mean: f32,
        std: f64,
        exact16: bool,
    ) {
        self.0.push(Spec { name: name.into(), shape: shape.to_vec(), mean, std, exact16 });
    }

    fn weight(&mut self, name: impl Into<String>, shape: &[usize], std: f64) {
        self.add(name, shape, 0.0, std, true);
    }

    fn norm(&mut self, name: &str, width: usize, exact16: bool) {
        self.add(format!("{name}.weight"), &[width], 1.0, 0.1, exact16);
        self.add(format!("{name}.bias"), &[width], 0.0, 0.05, exact16);
    }

    fn linear(&mut self, name: &str, out: usize, fan_in: usize, gain: f64) {
        self.weight(format!("{name}.weight"), &[out, fan_in], per_root(gain, fan_in));
        self.weight(format!("{name}.bias"), &[out], 0.02);
    }

    fn tower(&mut self, name: &str, layers: usize, width: usize, inner: usize) {
        for i in 0..layers {
            let layer = format!("{name}.encoder.layers.{i}");
            self.norm(&format!("{layer}.layer_norm1"), width, true);
            self.norm(&format!("{layer}.layer_norm2"), width, true);
            self.linear(&format!("{layer}.self_attn.q_proj"), width, width, 2.0);
            self.linear(&format!("{layer}.self_attn.k_proj"), width, width, 2.0);
            self.linear(&format!("{layer}.self_attn.v_proj"), width, width, 1.0);
            self.linear(&format!("{layer}.self_attn.out_proj"), width, width, 1.0);
            self.linear(&format!("{layer}.mlp.fc1"), inner, width, 1.4);
            self.linear(&format!("{layer}.mlp.fc2"), width, inner, 1.0);
        }
    }
}
