//! Which of Hugging Face's pipelines to reproduce.
//!
//! The same image gives other pixels in the Inference Endpoints toolkit, in transformers 4 and
//! in transformers 5. The differences are independent choices; the presets are the pipelines
//! that were measured.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Bicubic resize: whose integer arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Resize {
    /// Pillow up to 12: horizontal pass first, 22-bit weights.
    Pillow,
    /// Pillow 13: as `Pillow`, but vertical first where that is less work.
    Pillow13,
    /// torchvision on CPU tensors (antialias): 16-bit weights.
    Torchvision,
}

/// Whether the camera's orientation tag turns the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exif {
    /// It does, as `ImageOps.exif_transpose`.
    Apply,
    /// It does not.
    Ignore,
}

/// What happens to transparency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Alpha {
    /// Pillow's `convert("RGB")`: the alpha channel is forgotten.
    Drop,
    /// Composited on white, as transformers 5 does.
    White,
}

/// Rounding of `(pixel / 255 - mean) / std`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Normalize {
    /// NumPy: rescaled in f64, rounded to f32, then normalised.
    Slow,
    /// torchvision: mean and std multiplied by 255 in f32, no rescaling.
    Fast,
}

/// What becomes of a damaged file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Damage {
    /// What Pillow makes pixels of without an error is an image, with its pixels; the result says that
    /// it is damaged. What Pillow refuses is refused.
    AsPillow,
    /// A file of which Pillow would have to lose or make up a part is refused.
    Strict,
}

/// How an entry point of Hugging Face prepares images.
///
/// As text (`Display`, `FromStr`, serde): a preset's name, or
/// `resize=pillow,exif=apply,alpha=drop,normalize=slow` where parts left out are those of
/// `hf-endpoint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Profile {
    /// Whose arithmetic resizes.
    pub resize: Resize,
    /// Whether orientation counts.
    pub exif: Exif,
    /// What becomes of transparency.
    pub alpha: Alpha,
    /// Whose arithmetic normalises.
    pub normalize: Normalize,
    /// What becomes of damaged files. Undamaged ones have the same pixels either way.
    pub damage: Damage,
}

impl Profile {
    /// The Inference Endpoints toolkit (transformers 4, Pillow ≤ 12): EXIF applied, alpha dropped.
    pub const HF_ENDPOINT: Profile = Profile {
        resize: Resize::Pillow,
        exif: Exif::Apply,
        alpha: Alpha::Drop,
        normalize: Normalize::Slow,
        damage: Damage::AsPillow,
    };
    /// `CLIPImageProcessor` (slow) of transformers 4 on a PIL image.
    pub const TRANSFORMERS4: Profile = Profile { exif: Exif::Ignore, ..Profile::HF_ENDPOINT };
    /// `AutoImageProcessor` of transformers 5 on a PIL image, torchvision installed.
    pub const TRANSFORMERS5: Profile = Profile {
        resize: Resize::Torchvision,
        exif: Exif::Ignore,
        alpha: Alpha::White,
        normalize: Normalize::Fast,
        damage: Damage::AsPillow,
    };
    /// transformers 5 on a PIL image without torchvision, Pillow 13.
    pub const TRANSFORMERS5_PIL: Profile = Profile {
        resize: Resize::Pillow13,
        exif: Exif::Ignore,
        alpha: Alpha::White,
        normalize: Normalize::Slow,
        damage: Damage::AsPillow,
    };

    /// Name and value of each preset.
    pub const PRESETS: [(&'static str, Profile); 4] = [
        ("hf-endpoint", Profile::HF_ENDPOINT),
        ("transformers4", Profile::TRANSFORMERS4),
        ("transformers5", Profile::TRANSFORMERS5),
        ("transformers5-pil", Profile::TRANSFORMERS5_PIL),
    ];
}

impl Default for Profile {
    fn default() -> Self {
        Profile::HF_ENDPOINT
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = Profile::PRESETS.iter().find(|(_, p)| p == self) {
            return f.pad(name);
        }
        let resize = match self.resize {
            Resize::Pillow => "pillow",
            Resize::Pillow13 => "pillow13",
            Resize::Torchvision => "torchvision",
        };
        let exif = match self.exif {
            Exif::Apply => "apply",
            Exif::Ignore => "ignore",
        };
        let alpha = match self.alpha {
            Alpha::Drop => "drop",
            Alpha::White => "white",
        };
        let normalize = match self.normalize {
            Normalize::Slow => "slow",
            Normalize::Fast => "fast",
        };
        write!(f, "resize={resize},exif={exif},alpha={alpha},normalize={normalize}")?;
        match self.damage {
            // Left out: so these profiles were called before there was a choice.
            Damage::AsPillow => Ok(()),
            Damage::Strict => f.write_str(",damage=strict"),
        }
    }
}

/// Text that names no profile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown preprocessing profile, at `{at}`: use hf-endpoint, transformers4, transformers5, \
     transformers5-pil, or parts like resize=pillow|pillow13|torchvision,exif=apply|ignore,\
     alpha=drop|white,normalize=slow|fast,damage=as-pillow|strict"
)]
pub struct ProfileError {
    /// The part that was not understood.
    pub at: String,
}

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        let text = text.trim();
        if let Some((_, preset)) = Profile::PRESETS.iter().find(|(name, _)| *name == text) {
            return Ok(*preset);
        }
        let mut profile = Profile::HF_ENDPOINT;
        let mut seen = Vec::new();
        for part in text.split(',').map(str::trim) {
            match part {
                "resize=pillow" => profile.resize = Resize::Pillow,
                "resize=pillow13" => profile.resize = Resize::Pillow13,
                "resize=torchvision" => profile.resize = Resize::Torchvision,
                "exif=apply" => profile.exif = Exif::Apply,
                "exif=ignore" => profile.exif = Exif::Ignore,
                "alpha=drop" => profile.alpha = Alpha::Drop,
                "alpha=white" => profile.alpha = Alpha::White,
                "normalize=slow" => profile.normalize = Normalize::Slow,
                "normalize=fast" => profile.normalize = Normalize::Fast,
                "damage=as-pillow" => profile.damage = Damage::AsPillow,
                "damage=strict" => profile.damage = Damage::Strict,
                _ => return Err(ProfileError { at: part.into() }),
            }
            // Twice the same part is a slip, not a choice.
            let key = part.split('=').next();
            if seen.contains(&key) {
                return Err(ProfileError { at: part.into() });
            }
            seen.push(key);
        }
        Ok(profile)
    }
}

impl From<Profile> for String {
    fn from(profile: Profile) -> String {
        profile.to_string()
    }
}

impl TryFrom<String> for Profile {
    type Error = ProfileError;

    fn try_from(text: String) -> Result<Self, ProfileError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back() {
        for resize in [Resize::Pillow, Resize::Pillow13, Resize::Torchvision] {
            for exif in [Exif::Apply, Exif::Ignore] {
                for alpha in [Alpha::Drop, Alpha::White] {
                    for normalize in [Normalize::Slow, Normalize::Fast] {
                        for damage in [Damage::AsPillow, Damage::Strict] {
                            let profile = Profile { resize, exif, alpha, normalize, damage };
                            assert_eq!(profile.to_string().parse(), Ok(profile));
                            let json = serde_json::to_string(&profile).unwrap();
                            assert_eq!(serde_json::from_str::<Profile>(&json).unwrap(), profile);
                        }
                    }
                }
            }
        }
        assert_eq!(Profile::HF_ENDPOINT.to_string(), "hf-endpoint");
        assert_eq!("exif=ignore".parse(), Ok(Profile::TRANSFORMERS4));
    }

    #[test]
    fn slips_are_refused() {
        for text in ["", "pillow", "exif=yes", "exif=apply,exif=ignore", "hf-endpoint,alpha=white"]
        {
            assert!(text.parse::<Profile>().is_err(), "{text}");
        }
    }
}
