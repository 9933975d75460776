//! Records that a store cannot hold: told as failures, while the rest goes on.

use std::collections::HashSet;

use super::{StoreError, Write};
use crate::report::FailureNote;

/// What a store has refused since it was asked last.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    notes: Vec<FailureNote>,
    /// Products that are not in the store: nothing can be kept of their images.
    products: HashSet<(String, String)>,
}

impl Refusals {
    pub(super) fn take(&mut self) -> Vec<FailureNote> {
        std::mem::take(&mut self.notes)
    }

    /// Applies `writes` in one transaction. If one of them is to blame for its failure, it is found
    /// by halves, noted, and left out.
    ///
    /// # Errors
    /// What is not about a record: a full disk, a lost connection …
    pub(super) fn around(
        &mut self,
        writes: &[Write],
        apply: &mut dyn FnMut(&[Write]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        if let [first, ..] = writes
            && !self.products.is_empty()
            && (writes.len() > 1 || self.is_orphan(first))
            && writes.iter().any(|write| self.is_orphan(write))
        {
            // One by one, because only some of them can be stored.
            return match writes {
                [orphan] => {
                    self.note(orphan, "its product could not be stored".into());
                    Ok(())
                }
                writes => writes.chunks(1).try_for_each(|one| self.around(one, apply)),
            };
        }
        match apply(writes) {
            Err(e) if e.is_about_a_record() => match writes {
                [] => Ok(()),
                [one] => {
                    self.note(one, e.to_string());
                    Ok(())
                }
                writes => {
                    let (first, second) = writes.split_at(writes.len() / 2);
                    self.around(first, apply)?;
                    self.around(second, apply)
                }
            },
            result => result,
        }
    }

    /// Whether it is about an image whose product was refused.
    fn is_orphan(&self, write: &Write) -> bool {
        let (Write::Image { key, .. } | Write::Unchanged { key } | Write::Failure { key, .. }) =
            write
        else {
            return false;
        };
        self.products.contains(&(key.source.clone(), key.product.clone()))
    }

    fn note(&mut self, write: &Write, message: String) {
        let (product, image) = match write {
            Write::Product(product) => {
                self.products.insert((product.source.clone(), product.id.clone()));
                (product.id.clone(), String::new())
            }
            Write::Image { key, .. } | Write::Unchanged { key } | Write::Failure { key, .. } => {
                (key.product.clone(), key.address.clone())
            }
            Write::Source { name, .. } => (name.clone(), String::new()),
            Write::SourceFailure { place, .. } => (place.clone(), String::new()),
            Write::Renamed { page, .. } | Write::Unread { page, .. } => {
                (page.clone(), String::new())
            }
            Write::Vector { .. } => (String::new(), String::new()),
        };
        let message = format!("the store cannot hold it: {message}");
        self.notes.push(FailureNote { product, image, kind: "store.record".into(), message });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{source::Product, store::ImageKey};

    fn product(id: &str) -> Write {
        Write::Product(Product { id: id.into(), ..Product::default() })
    }

    fn unchanged(id: &str) -> Write {
        let (source, product) = (String::new(), id.into());
        Write::Unchanged { key: ImageKey { source, product, position: 0, address: "a".into() } }
    }

    #[test]
    fn the_one_to_blame_is_found_and_the_rest_is_stored() {
        let writes: Vec<Write> = (0..20).map(|i| product(&i.to_string())).collect();
        let mut stored = Vec::new();
        let mut apply = |writes: &[Write]| {
            let ids = writes.iter().map(|write| match write {
                Write::Product(product) => product.id.clone(),
                _ => "image".into(),
            });
            let ids: Vec<String> = ids.collect();
            if ids.iter().any(|id| id == "7" || id == "13") {
                return Err(StoreError::Record("too much".into()));
            }
            stored.extend(ids);
            Ok(())
        };
        let mut refusals = Refusals::default();
        refusals.around(&writes, &mut apply).unwrap();
        refusals.around(&[unchanged("6"), unchanged("7"), unchanged("8")], &mut apply).unwrap();
        assert_eq!(stored.len(), 20, "{stored:?}");
        let notes = refusals.take();
        let blamed: Vec<&str> = notes.iter().map(|note| note.product.as_str()).collect();
        assert_eq!(blamed, ["7", "13", "7"]);
        assert!(notes.iter().all(|note| note.kind == "store.record"), "{notes:?}");
        assert!(refusals.take().is_empty());
        let full = &mut |_: &[Write]| Err(StoreError::Full);
        assert!(matches!(refusals.around(&writes, full), Err(StoreError::Full)));
    }
}
