//! Pages as sitemaps list them, variants with their page.

use std::collections::HashMap;

use reqwest::Url;

use crate::source::address;

/// Variants that are read together with their page, at most.
const MOST_VARIANTS: usize = 100;

/// A page that a sitemap lists.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::source) struct Listed {
    pub(in crate::source) url: Url,
    /// When it last changed, as written.
    pub(in crate::source) lastmod: Option<String>,
    /// Images that the sitemap has for it, for a page that tells of none.
    pub(in crate::source) images: Vec<String>,
    /// Pages of the same product: their images are its own too.
    pub(in crate::source) variants: Vec<Listed>,
}

impl Listed {
    /// Of which nothing else is known.
    pub(in crate::source) fn page(url: Url) -> Self {
        Listed { url, lastmod: None, images: Vec::new(), variants: Vec::new() }
    }
}

/// Puts variants (`/p/1?color=red`) to their page, where it is listed too.
pub(super) fn with_variants(pages: Vec<Listed>) -> Vec<Listed> {
    let mut plain: HashMap<Url, usize> = HashMap::new();
    for (at, page) in pages.iter().enumerate() {
        plain.entry(page.url.clone()).or_insert(at);
    }
    let owner = |page: &Listed| plain.get(&address::without_variant(&page.url)?).copied();
    let owners: Vec<Option<usize>> = pages.iter().map(owner).collect();
    let mut kept: Vec<Option<Listed>> = pages.into_iter().map(Some).collect();
    for (at, owner) in owners.into_iter().enumerate() {
        // Those beyond stay pages of their own: they say themselves whose they are.
        let has_room = |owner: &Listed| owner.variants.len() < MOST_VARIANTS;
        let Some(owner) =
            owner.filter(|owner| kept.get(*owner).and_then(Option::as_ref).is_some_and(has_room))
        else {
            continue;
        };
        let variant = kept.get_mut(at).and_then(Option::take);
        if let (Some(owner), Some(variant)) =
            (kept.get_mut(owner).and_then(Option::as_mut), variant)
        {
            owner.variants.push(variant);
        }
    }
    kept.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_variant_is_dropped() {
        let page = |query: &str| Listed::page(Url::parse(&format!("https://s/p{query}")).unwrap());
        let variants = (0..130).map(|size| page(&format!("?size={size}")));
        let pages = with_variants(std::iter::once(page("")).chain(variants).collect());
        assert_eq!(pages[0].variants.len(), MOST_VARIANTS);
        let all: usize = pages.iter().map(|page| 1 + page.variants.len()).sum();
        assert_eq!(all, 131);
    }
}
