//! How many failures a run may have and still count as well.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de::Error};

/// A number, or a share of all images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxFailures {
    Count(u64),
    /// 0 to 100.
    Percent(f64),
}

/// Text that is no limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no limit: write a number such as 20, or a share such as 2%")]
pub struct MaxFailuresError(String);

impl MaxFailures {
    /// Whether `failed` of `all` are fine.
    pub fn covers(self, failed: u64, all: u64) -> bool {
        match self {
            MaxFailures::Count(count) => failed <= count,
            MaxFailures::Percent(percent) => failed as f64 * 100.0 <= percent * all as f64,
        }
    }
}

impl Default for MaxFailures {
    fn default() -> Self {
        MaxFailures::Count(0)
    }
}

impl FromStr for MaxFailures {
    type Err = MaxFailuresError;

    fn from_str(text: &str) -> Result<Self, MaxFailuresError> {
        let bad = || MaxFailuresError(text.to_owned());
        match text.trim().strip_suffix('%') {
            Some(share) => match share.trim().parse() {
                Ok(percent) if (0.0..=100.0).contains(&percent) => {
                    Ok(MaxFailures::Percent(percent))
                }
                _ => Err(bad()),
            },
            None => text.trim().parse().map(MaxFailures::Count).map_err(|_| bad()),
        }
    }
}

/// From text, `"30%"`, or a number.
impl<'de> Deserialize<'de> for MaxFailures {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a number such as 20, or a share such as \"30%\"")]
        enum Written {
            Count(u64),
            Text(String),
        }
        match Written::deserialize(from)? {
            Written::Count(count) => Ok(MaxFailures::Count(count)),
            Written::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

impl fmt::Display for MaxFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MaxFailures::Count(count) => write!(f, "{count}"),
            MaxFailures::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_refused() {
        for text in ["", "-1", "101%", "NaN%", "x", "%"] {
            assert!(text.parse::<MaxFailures>().is_err(), "{text}");
        }
        assert_eq!("2.5%".parse(), Ok(MaxFailures::Percent(2.5)));
        assert_eq!(" 7 ".parse(), Ok(MaxFailures::Count(7)));
    }
}
