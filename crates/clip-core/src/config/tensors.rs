//! Names and shapes of a `CLIPModel`'s parameters, as `transformers` saves them.

use super::ClipConfig;

impl ClipConfig {
    /// Every parameter of the model: Hugging Face name and shape.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (t, v, p) = (&self.text, &self.vision, self.projection_dim);
        let mut all: Vec<(String, Vec<usize>)> = Vec::new();
        let mut add = |name: String, shape: &[usize]| all.push((name, shape.to_vec()));

        add("logit_scale".into(), &[]);
        add("text_projection.weight".into(), &[p, t.hidden_size]);
        add("visual_projection.weight".into(), &[p, v.hidden_size]);

        let text = "text_model.embeddings";
        add(format!("{text}.token_embedding.weight"), &[t.vocab_size, t.hidden_size]);
        add(format!("{text}.position_embedding.weight"), &[t.max_positions, t.hidden_size]);
        let vision = "vision_model.embeddings";
        add(format!("{vision}.class_embedding"), &[v.hidden_size]);
        let patch = [v.hidden_size, 3, v.patch_size, v.patch_size];
        add(format!("{vision}.patch_embedding.weight"), &patch);
        add(format!("{vision}.position_embedding.weight"), &[v.positions(), v.hidden_size]);

        // "pre_layrnorm" is how transformers spells it.
        for (norm, d) in [
            ("text_model.final_layer_norm", t.hidden_size),
            ("vision_model.pre_layrnorm", v.hidden_size),
            ("vision_model.post_layernorm", v.hidden_size),
        ] {
            add(format!("{norm}.weight"), &[d]);
            add(format!("{norm}.bias"), &[d]);
        }
        for (tower, layers, d, inner) in [
            ("text_model", t.layers, t.hidden_size, t.intermediate_size),
            ("vision_model", v.layers, v.hidden_size, v.intermediate_size),
        ] {
            for layer in 0..layers {
                let block = format!("{tower}.encoder.layers.{layer}");
                for (linear, n, k) in [
                    ("self_attn.q_proj", d, d),
                    ("self_attn.k_proj", d, d),
                    ("self_attn.v_proj", d, d),
                    ("self_attn.out_proj", d, d),
                    ("mlp.fc1", inner, d),
                    ("mlp.fc2", d, inner),
                ] {
                    add(format!("{block}.{linear}.weight"), &[n, k]);
                    add(format!("{block}.{linear}.bias"), &[n]);
                }
                for norm in ["layer_norm1", "layer_norm2"] {
                    add(format!("{block}.{norm}.weight"), &[d]);
                    add(format!("{block}.{norm}.bias"), &[d]);
                }
            }
        }
        all
    }
}
