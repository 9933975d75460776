//! Where a vector comes from. Vectors of different provenance are never compared silently.

use serde::{Deserialize, Serialize};

/// [`Provenance::device`] of the engine whose bits are the numeric contract's.
pub const EXACT: &str = "exact";

/// [`Provenance::device`] of [`KernelPath::WasmUnfused`](crate::KernelPath::WasmUnfused): embeddings within
/// [`UNFUSED_DIFFERENCE`](crate::UNFUSED_DIFFERENCE) of the exact ones.
pub const UNFUSED: &str = "unfused";

/// Everything that decides the bits of an embedding besides the input itself.
///
/// Two vectors may be compared only if their provenance [agrees](Provenance::agrees).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Provenance {
    /// Model id as on the Hugging Face hub, or the folder's name for a local model.
    pub model: String,
    /// Commit of the hub repository, where known.
    pub revision: Option<String>,
    /// SHA-256 over names, shapes and f32 values of all tensors (hex); see [`Weights::digest`](crate::weights::Weights::digest).
    pub weights: String,
    /// [`Tokenizer::digest`](crate::text::Tokenizer::digest): it decides what a text is. `None`
    /// where it is not known, as in all that was made before this field was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// Preprocessing profile, e.g. `hf-endpoint` or `resize=pillow,exif=apply,alpha=drop,normalize=slow`.
    pub preprocessing: String,
    /// [`NUMERICS_VERSION`](crate::NUMERICS_VERSION) of the code that computed the vector.
    pub numerics: u32,
    /// [`EXACT`] for the contract's bits, [`UNFUSED`], or the accelerator's name (`gpu`, `cuda`, `metal`).
    pub device: String,
    /// What computed it where that was no CPU, with its driver and the result of its self-test. Does
    /// not decide the bits: `device` says which they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
}

impl Provenance {
    /// Whether vectors of the two may be compared. A tokenizer that one of them does not know
    /// counts as the other's, and the adapter does not count.
    pub fn agrees(&self, other: &Provenance) -> bool {
        self.device == other.device && self.is_of(other)
    }

    /// Whether a query of this provenance may search `stored` vectors: they [agree](Provenance::agrees),
    /// or only one of the two devices has the contract's bits and the other is close to them. The hits
    /// are not exact then.
    pub fn searches(&self, stored: &Provenance) -> bool {
        let close = self.device == EXACT || (self.device == UNFUSED && stored.device == EXACT);
        (close || self.device == stored.device) && self.is_of(stored)
    }

    /// The same model, preprocessing and numerics, on any device.
    fn is_of(&self, other: &Provenance) -> bool {
        // All by name, so that a new field is not forgotten here.
        let Provenance {
            model,
            revision,
            weights,
            tokenizer,
            preprocessing,
            numerics,
            device: _,
            adapter: _,
        } = self;
        let tokenizers = match (tokenizer, &other.tokenizer) {
            (Some(one), Some(two)) => one == two,
            _ => true,
        };
        tokenizers
            && *numerics == other.numerics
            && [model, weights, preprocessing]
                == [&other.model, &other.weights, &other.preprocessing]
            && *revision == other.revision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokenizer_counts_where_both_know_it() {
        let json = r#"{"model": "m", "revision": null, "weights": "w",
            "preprocessing": "hf-endpoint", "numerics": 1, "device": "exact"}"#;
        let old: Provenance = serde_json::from_str(json).unwrap();
        assert!(!serde_json::to_string(&old).unwrap().contains("tokenizer"));
        let of = |digest: &str| Provenance { tokenizer: Some(digest.into()), ..old.clone() };
        assert!(old.agrees(&of("t")) && of("t").agrees(&old) && of("t").agrees(&of("t")));
        assert!(!of("t").agrees(&of("u")));
        assert!(!of("t").agrees(&Provenance { weights: "v".into(), ..old.clone() }));
    }

    #[test]
    fn the_adapter_does_not_count_and_exact_queries_search_all() {
        let json = r#"{"model": "m", "revision": null, "weights": "w",
            "preprocessing": "hf-endpoint", "numerics": 1, "device": "exact"}"#;
        let exact: Provenance = serde_json::from_str(json).unwrap();
        let adapter = Some("a card".to_owned());
        assert!(exact.agrees(&Provenance { adapter: adapter.clone(), ..exact.clone() }));
        let close = Provenance { device: "gpu".into(), adapter, ..exact.clone() };
        assert!(!exact.agrees(&close) && exact.searches(&close) && !close.searches(&exact));
        let unfused = Provenance { device: UNFUSED.into(), ..exact.clone() };
        assert!(unfused.searches(&exact) && !unfused.searches(&close));
    }
}
