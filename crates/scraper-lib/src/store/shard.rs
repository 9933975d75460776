//! A fixed share of the products, for machines that work without a common database.

use std::{fmt, str::FromStr};

use sha2::{Digest, Sha256};

/// Share `index` of `count`, from 1. Which share a product is in depends on its source and id
/// alone: the same on every machine, night after night.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    count: u64,
}

/// Text that names no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no shard: write 2/4 for the second of four")]
pub struct ShardError(String);

impl Shard {
    pub fn holds(&self, source: &str, product: &str) -> bool {
        let mut digest = Sha256::new();
        digest.update(source);
        digest.update([0]);
        digest.update(product);
        let digest: [u8; 32] = digest.finalize().into();
        let number = digest.iter().take(8).fold(0, |n, &byte| n << 8 | u64::from(byte));
        number % self.count == self.index - 1
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let parse = || {
            let (index, count) = text.split_once('/')?;
            let (index, count) = (index.trim().parse().ok()?, count.trim().parse().ok()?);
            (1..=count).contains(&index).then_some(Shard { index, count })
        };
        parse().ok_or_else(|| ShardError(text.to_owned()))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_product_is_in_one_shard_and_always_the_same() {
        let shards: Vec<Shard> = (1..=4).map(|i| format!("{i}/4").parse().unwrap()).collect();
        let mut sizes = [0; 4];
        for id in 0..2000 {
            let holding: Vec<usize> =
                (0..4).filter(|&i| shards[i].holds("shop", &id.to_string())).collect();
            assert_eq!(holding.len(), 1);
            sizes[holding[0]] += 1;
        }
        assert!(sizes.iter().all(|size| (400..600).contains(size)), "{sizes:?}");
        // Moving products between shards would lose them in a merge: pinned.
        assert!(shards[3].holds("", "p001") && shards[2].holds("shop", "p001"));
    }

    #[test]
    fn slips_are_refused() {
        for text in ["", "1", "0/4", "5/4", "1/0", "-1/4", "a/b", "1/4/2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
        assert_eq!("2/4".parse::<Shard>().unwrap().to_string(), "2/4");
    }
}
