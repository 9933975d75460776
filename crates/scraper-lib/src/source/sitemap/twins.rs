//! Pages of the same product. A page may say that another one stands for it, see
//! [`Found::same_as`](crate::source::Found::same_as); both are one product then, with the key of
//! that other page and the images of all. So that the key never depends on which page is read first,
//! such products are held until all pages are read; all others go on at once.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::{listed::Listed, read::Reading};
use crate::source::{
    Product, SourceError, SourceItem,
    distinct::hash,
    key::page_key,
    page::{Reason, SameAs, alike, picture_key},
};

/// What is remembered of a product that went on at once.
#[derive(Debug)]
struct Own {
    listed: Listed,
    title: Option<String>,
    pictures: HashSet<String>,
    /// Hashes of its images' addresses.
    images: Vec<u64>,
}

/// A product whose page says that another one stands for it; its id is that of its own page.
#[derive(Debug)]
struct Held {
    same_as: SameAs,
    product: Product,
}

/// Pages that were read so far.
#[derive(Debug, Default)]
pub(super) struct Twins {
    own: HashMap<String, Own>,
    /// By address: their order must not depend on which came first.
    held: BTreeMap<String, Held>,
    /// Pages that are there and could not be read.
    unread: HashSet<String>,
}

/// What is to be done once all pages are read.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) items: Vec<SourceItem>,
    /// Products that went on already, and have more images.
    pub(super) more: Vec<More>,
}

/// More images of the product of a page.
#[derive(Debug)]
pub(super) struct More {
    pub(super) listed: Listed,
    pub(super) images: Vec<String>,
    /// [`hash`]es of the images that went on already.
    pub(super) before: Vec<u64>,
}

impl Twins {
    /// Notes what was read of a page; what can go on comes back.
    pub(super) fn sort(
        &mut self,
        listed: &Listed,
        item: SourceItem,
        same_as: Option<&SameAs>,
    ) -> Option<SourceItem> {
        let page = &listed.url;
        match (item, same_as) {
            (Ok(product), Some(same_as)) => {
                let held = Held { same_as: same_as.clone(), product };
                self.held.insert(page.to_string(), held);
                None
            }
            (Ok(product), None) => {
                let pictures = product.images.iter().map(|image| picture_key(image)).collect();
                let images = product.images.iter().map(|image| hash(image)).collect();
                let (listed, title) = (listed.clone(), product.title.clone());
                let own = Own { listed, title, pictures, images };
                self.own.insert(page_key(page), own);
                Some(Ok(product))
            }
            (Err(e), _) => {
                if !e.is_expected() {
                    self.unread.insert(page_key(page));
                }
                Some(Err(e))
            }
        }
    }

    /// The key of the page that stands for `held` at last: others may stand for the one it names.
    fn root<'a>(held: &'a Held, named: &HashMap<&'a str, &'a str>) -> &'a str {
        let mut seen = BTreeSet::from([held.product.id.as_str()]);
        let mut at = held.same_as.key.as_str();
        while let Some(next) = named.get(at) {
            if !seen.insert(at) {
                // A circle: each stands for all, and the first by name is taken.
                return seen.into_iter().next().unwrap_or(at);
            }
            at = next;
        }
        at
    }

    /// Puts what was held together.
    pub(super) fn settle(self, how: Reading) -> Settled {
        let Twins { own, held, unread } = self;
        let named: HashMap<&str, &str> = held
            .values()
            .map(|held| (held.product.id.as_str(), held.same_as.key.as_str()))
            .filter(|(key, _)| !own.contains_key(*key))
            .collect();
        let roots: Vec<String> =
            held.values().map(|held| Self::root(held, &named).to_owned()).collect();
        let mut groups: BTreeMap<String, Members> = BTreeMap::new();
        for (root, member) in roots.into_iter().zip(held) {
            groups.entry(root).or_default().push(member);
        }
        let mut settled = Settled::default();
        for (key, members) in groups {
            if let Some(own) = own.get(&key) {
                settled.join(&key, own, members);
            } else if unread.contains(&key) || how == Reading::Some {
                settled.leave(&key, members);
            } else {
                settled.found(&key, members);
            }
        }
        settled
    }
}

type Members = Vec<(String, Held)>;

impl Settled {
    /// Twins of a page that was read itself.
    fn join(&mut self, key: &str, own: &Own, members: Members) {
        let (mut images, mut known) = (Vec::new(), own.pictures.clone());
        for (page, member) in members {
            if !member.is_same(own.title.as_deref(), key) {
                self.items.push(Ok(member.product)); // of its own after all
                continue;
            }
            let new = member.product.images.into_iter();
            images.extend(new.filter(|image| known.insert(picture_key(image))));
            self.same(&page, key);
        }
        if !images.is_empty() {
            let (listed, before) = (own.listed.clone(), own.images.clone());
            self.more.push(More { listed, images, before });
        }
    }

    /// Twins of a page that nobody lists, or that shows no product: the first stands for it, with the
    /// key of that page only where their addresses differ in parameters alone.
    fn found(&mut self, key: &str, members: Members) {
        let named = members.iter().find(|(_, member)| path(&member.product.id) == path(key));
        let Some((_, first)) = members.first() else { return };
        let id = named.map_or(first.product.id.as_str(), |_| key).to_owned();
        let mut product: Option<Product> = None;
        let mut known = HashSet::new();
        for (page, member) in members {
            let title = product.as_ref().map_or(&member.product.title, |first| &first.title);
            if !member.is_same(title.clone().as_deref(), key) {
                self.items.push(Ok(member.product)); // of its own after all
                continue;
            }
            let mut new = member.product;
            new.images.retain(|image| known.insert(picture_key(image)));
            match &mut product {
                None => product = Some(Product { id: id.clone(), ..new }),
                Some(first) => {
                    first.images.extend(new.images);
                    self.same(&page, &id);
                }
            }
        }
        self.items.extend(product.map(Ok));
    }

    /// Twins of a page that could not be read: what is known of their product is better than a part
    /// of it.
    fn leave(&mut self, key: &str, members: Members) {
        for (page, member) in members {
            let reason = format!(
                "the same product as {}, which was not read this time; the next run reads both",
                member.same_as.page
            );
            tracing::debug!("{page} belongs to {key}");
            let kind = SourceError::UNREADABLE;
            self.items.push(Err(SourceError::Page { page, kind, reason }));
        }
    }

    fn same(&mut self, page: &str, key: &str) {
        let (page, product) = (page.to_owned(), key.to_owned());
        self.items.push(Err(SourceError::Twin { page, product }));
    }
}

fn path(key: &str) -> &str {
    key.split('?').next().unwrap_or_default()
}

impl Held {
    /// Whether it is to be believed that it is the product with this title and key: some shops name
    /// one and the same canonical page on all theirs.
    fn is_same(&self, title: Option<&str>, key: &str) -> bool {
        match self.same_as.reason {
            Reason::Languages | Reason::Variant => true,
            Reason::Canonical if path(&self.product.id) == path(key) => true,
            Reason::Canonical => match (self.product.title.as_deref(), title) {
                (Some(ours), Some(theirs)) => alike(ours, theirs),
                _ => true,
            },
        }
    }
}

#[cfg(test)]
mod tests;
