//! Which addresses are the page's own, and what the page calls its product.

use reqwest::Url;

use super::survey::Survey;
use crate::source::address;

/// How sure it is that two addresses or names mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Match {
    No,
    /// The last part of the path, some words of the name.
    Weak,
    /// The path; a name within the other.
    Good,
    Exact,
}

/// The addresses and names of a page.
#[derive(Debug)]
pub(super) struct Place {
    /// Where it was read, its canonical address, that of OpenGraph.
    own: Vec<Url>,
    /// Headings and titles, as words.
    names: Vec<String>,
}

/// Parameters that mostly tell where a visitor came from, beyond those that always do. Enough to
/// recognise an address by, not to give a product its key.
const MOSTLY_TRACKING: &[&str] = &[
    "ref",
    "ref_",
    "referrer",
    "source",
    "cmpid",
    "cid",
    "campaign",
    "affid",
    "aff",
    "clickid",
    "irclickid",
    "awc",
    "epik",
    "sscid",
    "s_kwcid",
    "trk",
    "_pos",
    "_sid",
    "_ss",
    "_psq",
    "_fid",
    "_v",
    "pr_prod_strat",
    "pr_rec_id",
    "pr_rec_pid",
    "pr_ref_pid",
    "pr_seq",
    "sessionid",
    "phpsessid",
    "jsessionid",
    "sid",
];

/// An address without its fragment and what only tracks visitors.
fn bare(url: &Url) -> Url {
    let mut url = address::without_tracking(url.clone());
    url.set_fragment(None);
    address::without(&url, |name| name.is_empty() || MOSTLY_TRACKING.contains(&name)).unwrap_or(url)
}

/// Whether two addresses are of one site, at the same port.
pub(super) fn same_site(a: &Url, b: &Url) -> bool {
    a.port() == b.port() && address::same_site(a, b)
}

fn path(url: &Url) -> String {
    let path = url.path().trim_matches('/').to_lowercase();
    path.trim_end_matches(".html").trim_end_matches(".htm").to_owned()
}

fn addresses(a: &Url, b: &Url) -> Match {
    if !same_site(a, b) {
        return Match::No;
    }
    let (a, b) = (bare(a), bare(b));
    let (left, right) = (path(&a), path(&b));
    if left == right {
        return if a.query() == b.query() { Match::Exact } else { Match::Good };
    }
    let last = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let (left, right) = (last(&left), last(&right));
    if left.len() > 4 && left == right { Match::Weak } else { Match::No }
}

/// A name as lower-case words.
pub(super) fn words(name: &str) -> String {
    let spaced: String =
        name.to_lowercase().chars().map(|c| if c.is_alphanumeric() { c } else { ' ' }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How alike two names are, given as [`words`].
pub(super) fn names(a: &str, b: &str) -> Match {
    if a.is_empty() || b.is_empty() {
        return Match::No;
    }
    if a == b {
        return Match::Exact;
    }
    let (short, long) = if a.len() < b.len() { (a, b) } else { (b, a) };
    if short.len() >= 4 && format!(" {long} ").contains(&format!(" {short} ")) {
        return Match::Good;
    }
    let (mut common, mut all) = (0, 0);
    let known: Vec<&str> = long.split(' ').collect();
    for word in short.split(' ') {
        all += 1;
        common += usize::from(known.contains(&word));
    }
    if all >= 2 && common * 10 >= all * 7 { Match::Weak } else { Match::No }
}

impl Place {
    pub(super) fn of(survey: &Survey<'_>, page: &Url) -> Self {
        let mut own = vec![page.clone()];
        own.extend(canonical(survey, page));
        let graph = survey.meta(&["og:url"]).and_then(|url| survey.base.join(&url).ok());
        own.extend(graph.filter(|url| is_ours(url, page)));
        let mut known: Vec<String> = survey.headings.iter().map(|text| words(text)).collect();
        known.extend(survey.meta(&["og:title"]).map(|text| words(&text)));
        known.extend(survey.meta(&["twitter:title"]).map(|text| words(&text)));
        known.extend(survey.title.as_deref().map(words));
        known.retain(|name| !name.is_empty());
        Place { own, names: known }
    }

    /// How much an address is the page's.
    pub(super) fn address(&self, written: &str, base: &Url) -> Match {
        let Ok(url) = base.join(written.trim()) else { return Match::No };
        self.own.iter().map(|own| addresses(own, &url)).max().unwrap_or(Match::No)
    }

    /// How much a name is what the page calls its product.
    pub(super) fn name(&self, name: &str) -> Match {
        let name = words(name);
        self.names.iter().map(|known| names(known, &name)).max().unwrap_or(Match::No)
    }

    pub(super) fn has_names(&self) -> bool {
        !self.names.is_empty()
    }
}

/// Neither another site nor the site's first page.
fn is_ours(url: &Url, page: &Url) -> bool {
    same_site(url, page) && (url.path() != "/" || page.path() == "/")
}

/// `<link rel="canonical">`, where it is on the page's own site.
pub(super) fn canonical(survey: &Survey<'_>, page: &Url) -> Option<Url> {
    let url = survey.base.join(survey.link("canonical")?.trim()).ok()?;
    is_ours(&url, page).then_some(url)
}
