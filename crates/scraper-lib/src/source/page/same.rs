//! Which other page stands for the same product.

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::{place, survey::Survey};
use crate::source::{address, key::page_key};

/// Why a page is another one's twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// `<link rel="canonical">` (RFC 6596).
    Canonical,
    /// `<link rel="alternate" hreflang>`: the same in another language.
    Languages,
    /// `isVariantOf` or `inProductGroupWithID`, where only the choice of a variant is part of the
    /// address (`?color=red`).
    Variant,
}

/// Another page that stands for a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SameAs {
    /// Its address, on the same site.
    pub page: String,
    /// The key of a product of that page.
    pub key: String,
    /// Why.
    pub reason: Reason,
}

/// The page that stands for the one at `page`: the canonical one; of languages the one for all
/// (`x-default`), else the first by its address, provided that the page is among them; of variants
/// the page without the choice.
pub(super) fn same_as(survey: &Survey<'_>, page: &Url, is_variant: bool) -> Option<SameAs> {
    let canonical = place::canonical(survey, page).map(address::without_tracking);
    let own = canonical.clone().unwrap_or_else(|| page.clone());
    let other = |url: Url, reason| {
        let key = page_key(&url);
        (key != page_key(page)).then(|| SameAs { page: url.into(), key, reason })
    };
    if let Some(first) = languages(survey, page, &own) {
        // A page is canonical before it is one of several languages.
        let reason = match page_key(&first) == page_key(&own) {
            true => Reason::Canonical,
            false => Reason::Languages,
        };
        return other(first, reason);
    }
    if is_variant && let Some(plain) = address::without_variant(&own) {
        return other(plain, Reason::Variant);
    }
    canonical.and_then(|url| other(url, Reason::Canonical))
}

/// The page for all languages, if `own` is among those of the page.
fn languages(survey: &Survey<'_>, page: &Url, own: &Url) -> Option<Url> {
    let mut all = Vec::new();
    for (language, address) in &survey.alternates {
        let Ok(url) = survey.base.join(address.trim()) else { continue };
        if place::same_site(&url, page) && url.path() != "/" {
            all.push((!language.eq_ignore_ascii_case("x-default"), address::without_tracking(url)));
        }
    }
    let key = page_key(own);
    let is_among = all.iter().any(|(_, url)| page_key(url) == key);
    all.into_iter().min().map(|(_, url)| url).filter(|_| is_among)
}
