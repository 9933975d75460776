//! The images of one product, each address once.

use std::collections::HashSet;

/// The most of one product; more is a mistake or an attack.
const MOST: usize = 2000;

/// Addresses in their order.
#[derive(Debug, Default)]
pub(super) struct Images {
    list: Vec<String>,
    seen: HashSet<String>,
    /// One more than [`MOST`] came.
    too_many: bool,
}

impl Images {
    pub(super) fn add(&mut self, address: String) {
        if self.seen.contains(&address) {
            return;
        }
        if self.list.len() == MOST {
            self.too_many = true;
            return;
        }
        self.seen.insert(address.clone());
        self.list.push(address);
    }

    /// # Errors
    /// There are more than a product has.
    pub(super) fn finish(self) -> Result<Vec<String>, String> {
        match self.too_many {
            true => Err(format!("it has more than {MOST} images")),
            false => Ok(self.list),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_once_and_not_too_many() {
        let images = |count: usize| {
            let mut images = Images::default();
            (0..count * 2).for_each(|i| images.add(format!("{}.jpg", i % count)));
            images.finish()
        };
        assert_eq!(images(3).unwrap(), ["0.jpg", "1.jpg", "2.jpg"]);
        assert_eq!(images(MOST).unwrap().len(), MOST);
        assert!(images(100_000).unwrap_err().contains("2000"));
    }
}
