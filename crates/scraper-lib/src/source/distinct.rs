//! Any source under a name, with each id once.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use tokio::sync::mpsc::Sender;

use super::{Base, Running, Source, SourceError, SourceItem, through::through};

/// Gives the products of a source its name, and tells of ids that come twice instead of letting
/// one product overwrite another. Remembers 16 bytes of each product.
pub struct Distinct {
    name: String,
    inner: Box<dyn Source>,
}

impl Distinct {
    /// `inner` under a name; empty where it is the only source.
    pub fn new(name: &str, inner: Box<dyn Source>) -> Self {
        Distinct { name: name.to_owned(), inner }
    }
}

impl std::fmt::Debug for Distinct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Distinct").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Source for Distinct {
    fn describe(&self) -> String {
        match self.name.as_str() {
            "" => self.inner.describe(),
            name => format!("{name} ({})", self.inner.describe()),
        }
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn base(&self) -> Base {
        self.inner.base()
    }

    fn run(self: Box<Self>, out: Sender<SourceItem>) -> Running {
        let place = self.describe();
        let Distinct { name, inner } = *self;
        let mut seen = HashMap::new();
        let once = move |item: SourceItem| {
            let mut product = match item {
                Ok(product) => product,
                Err(e) => return Some(Err(e)),
            };
            product.source.clone_from(&name);
            let (id, content) = (hash(&product.id), hash(&format!("{product:?}")));
            match seen.get(&id) {
                // Whole only now.
                Some(_) if product.completes.is_some() => {}
                // Lists of a shop move while they are read page by page.
                Some(known) if *known == content => return None,
                Some(_) => {
                    let (place, id) = (place.clone(), product.id);
                    return Some(Err(SourceError::Repeated { place, id }));
                }
                None => {}
            }
            seen.insert(id, content);
            Some(Ok(product))
        };
        Box::pin(through(inner, out, once))
    }
}

/// Of a text; the same only within this process.
pub(super) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::source::Product;

    struct Fixed(Vec<(&'static str, &'static str)>);

    impl Source for Fixed {
        fn describe(&self) -> String {
            "a list".into()
        }

        fn base(&self) -> Base {
            Base::Web
        }

        fn run(self: Box<Self>, out: Sender<SourceItem>) -> Running {
            Box::pin(async move {
                for (id, title) in self.0 {
                    let title = Some(title.to_owned());
                    let product = Product { id: id.to_owned(), title, ..Product::default() };
                    if out.send(Ok(product)).await.is_err() {
                        break;
                    }
                }
                Ok(())
            })
        }
    }

    #[tokio::test]
    async fn the_first_of_an_id_counts_and_the_others_are_told_of() {
        let fixed = Fixed(vec![("1", "a"), ("2", "b"), ("1", "a"), ("1", "c"), ("1", "a")]);
        let (out, mut items) = mpsc::channel(16);
        Box::new(Distinct::new("shop", Box::new(fixed))).run(out).await.unwrap();
        let mut found = Vec::new();
        while let Some(item) = items.recv().await {
            found.push(item.map(|p| (p.source, p.id)).map_err(|e| e.to_string()));
        }
        let ok = |id: &str| Ok(("shop".to_owned(), id.to_owned()));
        assert_eq!(found[..2], [ok("1"), ok("2")]);
        assert_eq!(found.len(), 3, "what is the same is no news: {found:?}");
        assert!(found[2].as_ref().unwrap_err().contains("product 1 comes a second time"));
    }
}
