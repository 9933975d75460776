//! The parameters of Hugging Face's `CLIPModel`: the one place that knows their names.
//!
//! Whoever reads, packs, checks or makes a checkpoint asks this table.

use std::collections::HashMap;

use crate::{
    config::ClipConfig,
    towers::{Tower, Towers},
};

/// What a tensor is to the tower that uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Values that are used as they are: biases, norms, positions, the class token.
    Vector,
    /// Weights of a matrix product `[n, k]`. The patch convolution `[n, 3, p, p]` is one over
    /// flattened patches.
    Matrix,
    /// Rows that are looked up: the token embedding.
    Table,
}

/// The two tensors of a linear layer or a LayerNorm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Affine {
    /// The matrix, or gamma.
    Weight,
    /// The bias, or beta.
    Bias,
}

/// A layer inside an encoder block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BlockPart {
    /// The norm before attention.
    Norm1,
    /// The norm before the MLP.
    Norm2,
    /// The projection to queries.
    Query,
    /// The projection to keys.
    Key,
    /// The projection to values.
    Value,
    /// The projection of the heads' output.
    Out,
    /// The MLP's first layer.
    Fc1,
    /// The MLP's second layer.
    Fc2,
}

/// Which parameter of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TensorId {
    /// The logarithm of the factor of `logits_per_image`.
    LogitScale,
    /// From a tower's width to that of the embedding.
    Projection(Tower),
    /// One row per token.
    TokenEmbedding,
    /// The vision tower's first row.
    ClassEmbedding,
    /// The convolution over patches.
    PatchEmbedding,
    /// One row per position.
    PositionEmbedding(Tower),
    /// The vision tower's norm before the blocks.
    PreNorm(Affine),
    /// A tower's norm after the blocks.
    FinalNorm(Tower, Affine),
    /// A tensor of block number `.1`.
    Block(Tower, usize, BlockPart, Affine),
}

impl BlockPart {
    const LINEAR: [BlockPart; 6] = [
        BlockPart::Query,
        BlockPart::Key,
        BlockPart::Value,
        BlockPart::Out,
        BlockPart::Fc1,
        BlockPart::Fc2,
    ];
    const NORMS: [BlockPart; 2] = [BlockPart::Norm1, BlockPart::Norm2];

    fn name(self) -> &'static str {
        match self {
            BlockPart::Norm1 => "layer_norm1",
            BlockPart::Norm2 => "layer_norm2",
            BlockPart::Query => "self_attn.q_proj",
            BlockPart::Key => "self_attn.k_proj",
            BlockPart::Value => "self_attn.v_proj",
            BlockPart::Out => "self_attn.out_proj",
            BlockPart::Fc1 => "mlp.fc1",
            BlockPart::Fc2 => "mlp.fc2",
        }
    }
}

impl TensorId {
    /// The name in a checkpoint, as `transformers` saves it.
    pub fn name(self) -> String {
        let affine = |name: &str, affine| match affine {
            Affine::Weight => format!("{name}.weight"),
            Affine::Bias => format!("{name}.bias"),
        };
        let model = |tower| match tower {
            Tower::Text => "text_model",
            Tower::Vision => "vision_model",
        };
        match self {
            TensorId::LogitScale => "logit_scale".into(),
            TensorId::Projection(Tower::Text) => "text_projection.weight".into(),
            TensorId::Projection(Tower::Vision) => "visual_projection.weight".into(),
            TensorId::TokenEmbedding => "text_model.embeddings.token_embedding.weight".into(),
            TensorId::ClassEmbedding => "vision_model.embeddings.class_embedding".into(),
            TensorId::PatchEmbedding => "vision_model.embeddings.patch_embedding.weight".into(),
            TensorId::PositionEmbedding(tower) => {
                format!("{}.embeddings.position_embedding.weight", model(tower))
            }
            // This is how transformers spells it.
            TensorId::PreNorm(part) => affine("vision_model.pre_layrnorm", part),
            TensorId::FinalNorm(Tower::Text, part) => affine("text_model.final_layer_norm", part),
            TensorId::FinalNorm(Tower::Vision, part) => affine("vision_model.post_layernorm", part),
            TensorId::Block(tower, layer, block_part, part) => affine(
                &format!("{}.encoder.layers.{layer}.{}", model(tower), block_part.name()),
                part,
            ),
        }
    }

    /// Whose it is; the logit scale is neither's.
    pub fn tower(self) -> Option<Tower> {
        match self {
            TensorId::LogitScale => None,
            TensorId::TokenEmbedding => Some(Tower::Text),
            TensorId::ClassEmbedding | TensorId::PatchEmbedding | TensorId::PreNorm(_) => {
                Some(Tower::Vision)
            }
            TensorId::Projection(tower)
            | TensorId::PositionEmbedding(tower)
            | TensorId::FinalNorm(tower, _)
            | TensorId::Block(tower, ..) => Some(tower),
        }
    }

    /// Whether a model with these towers has it.
    pub fn is_of(self, towers: Towers) -> bool {
        self.tower().map_or(towers == Towers::Both, |tower| towers.need(tower))
    }

    /// What it is to its tower.
    pub fn role(self) -> Role {
        match self {
            TensorId::TokenEmbedding => Role::Table,
            TensorId::PatchEmbedding | TensorId::Projection(_) => Role::Matrix,
            TensorId::Block(_, _, part, Affine::Weight) if BlockPart::LINEAR.contains(&part) => {
                Role::Matrix
            }
            _ => Role::Vector,
        }
    }
}

/// One parameter of a model, and its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// Which one.
    pub id: TensorId,
    /// Rows first; empty for a single value.
    pub shape: Vec<usize>,
}

impl ClipConfig {
    /// Every parameter of the model.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let (t, v, p) = (&self.text, &self.vision, self.projection_dim);
        let mut all = Vec::new();
        let mut add = |id, shape: &[usize]| all.push(TensorSpec { id, shape: shape.to_vec() });
        add(TensorId::LogitScale, &[]);
        add(TensorId::Projection(Tower::Text), &[p, t.hidden_size]);
        add(TensorId::Projection(Tower::Vision), &[p, v.hidden_size]);
        add(TensorId::TokenEmbedding, &[t.vocab_size, t.hidden_size]);
        add(TensorId::PositionEmbedding(Tower::Text), &[t.max_positions, t.hidden_size]);
        add(TensorId::ClassEmbedding, &[v.hidden_size]);
        add(TensorId::PatchEmbedding, &[v.hidden_size, 3, v.patch_size, v.patch_size]);
        add(TensorId::PositionEmbedding(Tower::Vision), &[v.positions(), v.hidden_size]);
        for affine in [Affine::Weight, Affine::Bias] {
            add(TensorId::FinalNorm(Tower::Text, affine), &[t.hidden_size]);
            add(TensorId::PreNorm(affine), &[v.hidden_size]);
            add(TensorId::FinalNorm(Tower::Vision, affine), &[v.hidden_size]);
        }
        for (tower, layers, d, inner) in [
            (Tower::Text, t.layers, t.hidden_size, t.intermediate_size),
            (Tower::Vision, v.layers, v.hidden_size, v.intermediate_size),
        ] {
            for layer in 0..layers {
                for part in BlockPart::LINEAR {
                    let (n, k) = match part {
                        BlockPart::Fc1 => (inner, d),
                        BlockPart::Fc2 => (d, inner),
                        _ => (d, d),
                    };
                    add(TensorId::Block(tower, layer, part, Affine::Weight), &[n, k]);
                    add(TensorId::Block(tower, layer, part, Affine::Bias), &[n]);
                }
                for part in BlockPart::NORMS {
                    for affine in [Affine::Weight, Affine::Bias] {
                        add(TensorId::Block(tower, layer, part, affine), &[d]);
                    }
                }
            }
        }
        all
    }
}

/// The parameters of one model by name.
#[derive(Debug)]
pub struct TensorTable {
    specs: Vec<TensorSpec>,
    by_name: HashMap<String, usize>,
}

impl TensorTable {
    /// Of a model of this shape.
    pub fn new(config: &ClipConfig) -> Self {
        let specs = config.tensors();
        let by_name = specs.iter().enumerate().map(|(i, spec)| (spec.id.name(), i)).collect();
        TensorTable { specs, by_name }
    }

    /// The parameter of this name.
    pub fn get(&self, name: &str) -> Option<&TensorSpec> {
        self.specs.get(*self.by_name.get(name)?)
    }

    /// Every parameter, in a fixed order.
    pub fn specs(&self) -> &[TensorSpec] {
        &self.specs
    }

    /// Why a tensor of this name and shape does not fit the model, if it does not.
    pub(crate) fn problem(&self, name: &str, shape: &[usize]) -> Option<String> {
        match self.get(name) {
            None => Some(format!("{name} {shape:?} is unknown")),
            Some(spec) if spec.shape != shape => {
                Some(format!("{name} is {shape:?}, not {:?}", spec.shape))
            }
            Some(_) => None,
        }
    }
}

/// Whether a tensor of a checkpoint counts. Position ids are saved by old versions of `transformers`;
/// they are 0, 1, 2 …, and may have any type and shape.
pub fn is_weight(name: &str) -> bool {
    !matches!(name, "text_model.embeddings.position_ids" | "vision_model.embeddings.position_ids")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn vit_b_32_has_openais_398_tensors() {
        let config = ClipConfig::vit_b_32();
        let table = TensorTable::new(&config);
        assert_eq!(table.specs().len(), 398);
        let names: HashSet<_> = table.specs().iter().map(|spec| spec.id.name()).collect();
        assert_eq!(names.len(), 398);
        let values: usize =
            table.specs().iter().map(|spec| spec.shape.iter().product::<usize>()).sum();
        assert_eq!(values, 151_277_313);
        let spec = table.get("vision_model.encoder.layers.11.mlp.fc1.bias").expect("is there");
        assert_eq!(spec.shape, [3072]);
        assert_eq!((spec.id.tower(), spec.id.role()), (Some(Tower::Vision), Role::Vector));
    }
}
