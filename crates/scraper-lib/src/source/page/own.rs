//! Which of a page's products is its own.

use std::collections::HashMap;

use super::{
    budget::Blown,
    graph::Graph,
    place::{self, Match, Place},
    report::{Origin, Report},
};

/// Properties that lead to other products.
const RELATED: &[&str] = &[
    "isrelatedto",
    "issimilarto",
    "isaccessoryorsparepartfor",
    "isconsumablefor",
    "itemlistelement",
    "item",
    "haspart",
    "containsplace",
    "hasoffercatalog",
    "makesoffer",
];
/// Items that hold lists of products.
const LISTS: &[&str] = &[
    "itemlist",
    "listitem",
    "offercatalog",
    "collectionpage",
    "searchresultspage",
    "productcollection",
];

/// What a product on a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// Of nothing else.
    Top,
    /// What reviews are about.
    Reviewed,
    /// What variants are of.
    Group,
    Variant,
    /// In a list, or related to another.
    Listed,
}

/// The page's product and the others that are the same article.
#[derive(Debug, PartialEq)]
pub(super) struct Own {
    pub(super) at: usize,
    pub(super) variants: Vec<usize>,
}

/// What was found among the products of one sort of evidence.
#[derive(Debug, PartialEq)]
pub(super) enum Choice {
    None,
    /// Several products of which none is the page's own.
    Listing,
    Own(Own),
}

pub(super) fn choose(
    graph: &Graph<'_>,
    origin: Origin,
    place: &Place,
    report: &mut Report,
) -> Result<Choice, Blown> {
    let roles = roles(graph, origin)?;
    let of = |role| {
        let mut found: Vec<usize> =
            roles.iter().filter(|(_, known)| **known == role).map(|(at, _)| *at).collect();
        found.sort_unstable();
        found
    };
    let mut top = of(Role::Top);
    if top.is_empty() {
        top = of(Role::Group);
    }
    if top.is_empty() {
        top = of(Role::Reviewed);
    }
    // The same product is told in several blocks at times.
    let listed = of(Role::Listed);
    if top.is_empty() {
        // A list may hold the page's own product, where it says so.
        let own = listed.iter().filter(|at| address(graph, **at, place) >= Match::Good);
        let own: Vec<usize> = own.copied().collect();
        return Ok(match (own.as_slice(), listed.len()) {
            ([at], _) => Choice::Own(Own { at: *at, variants: Vec::new() }),
            (_, 0 | 1) => Choice::None,
            _ => Choice::Listing,
        });
    }
    if let [at] = top.as_slice() {
        return Ok(single(graph, *at, origin, place, listed.len(), report));
    }
    Ok(several(graph, &top, origin, place, report))
}

/// One product: the page's, unless it says that it is another page's.
fn single(
    graph: &Graph<'_>,
    at: usize,
    origin: Origin,
    place: &Place,
    listed: usize,
    report: &mut Report,
) -> Choice {
    let own = Choice::Own(Own { at, variants: Vec::new() });
    let name = graph.text(at, "name");
    let named = name.as_deref().map_or(Match::No, |name| place.name(name));
    let has_address = graph.text(at, "url").is_some();
    let addressed = address(graph, at, place);
    let foreign = has_address && addressed == Match::No && named == Match::No;
    if foreign && (place.has_names() || listed > 1) {
        let name = name.unwrap_or_default();
        report.refuse("product", origin, &name, "its address and name are another page's");
        return Choice::None;
    }
    own
}

fn several(
    graph: &Graph<'_>,
    top: &[usize],
    origin: Origin,
    place: &Place,
    report: &mut Report,
) -> Choice {
    let name = |at: usize| graph.text(at, "name").map(|name| place::words(&name));
    let own = |at: usize, others: &[usize]| {
        let variants = others.iter().copied().filter(|other| *other != at).collect();
        Choice::Own(Own { at, variants })
    };
    // By address: of several with the page's path, they are variants of one.
    let best = top.iter().map(|at| address(graph, *at, place)).max().unwrap_or(Match::No);
    if best >= Match::Good {
        let good: Vec<usize> =
            top.iter().copied().filter(|at| address(graph, *at, place) >= Match::Good).collect();
        let exact = good.iter().copied().find(|at| address(graph, *at, place) == best);
        let alike = good.iter().copied().filter(|at| same(graph, exact, *at)).collect::<Vec<_>>();
        return exact.map_or(Choice::Listing, |at| own(at, &alike));
    }
    // One article, told several times or in several sizes.
    let first = top.first().copied();
    if let Some(at) = first
        && top.iter().all(|other| same(graph, Some(at), *other))
    {
        return own(at, top);
    }
    // The others say that they are of other pages.
    let without: Vec<usize> =
        top.iter().copied().filter(|at| graph.text(*at, "url").is_none()).collect();
    if let [at] = without.as_slice() {
        return own(*at, &[]);
    }
    // By name.
    let named: Vec<(usize, Match)> = top
        .iter()
        .filter_map(|at| Some((*at, place.name(&name(*at)?))))
        .filter(|(_, found)| *found > Match::No)
        .collect();
    if let Some(best) = named.iter().map(|(_, found)| *found).max() {
        let best: Vec<usize> =
            named.iter().filter(|(_, found)| *found == best).map(|(at, _)| *at).collect();
        if let [at] = best.as_slice() {
            return own(*at, &[]);
        }
        // "Dress – S", "Dress – M" on the page of "Dress".
        if best.len() == top.len()
            && let Some(at) = best.first()
            && name(*at).is_some_and(|name| place.name(&name) >= Match::Good)
        {
            return own(*at, &best);
        }
        if let Some(at) = best.first()
            && best.iter().all(|other| same(graph, Some(*at), *other))
        {
            return own(*at, &best);
        }
    }
    let names: Vec<String> = top.iter().take(3).filter_map(|at| graph.text(*at, "name")).collect();
    let reason = "several products, none of which is the page's by address or name";
    report.refuse("product", origin, &names.join(", "), reason);
    Choice::Listing
}

/// Whether two products are one article by their names or their group.
fn same(graph: &Graph<'_>, a: Option<usize>, b: usize) -> bool {
    let Some(a) = a else { return false };
    if a == b {
        return true;
    }
    let text = |at, name| graph.text(at, name).map(|text| place::words(&text));
    let equal = |name| text(a, name).is_some() && text(a, name) == text(b, name);
    let urls = graph.text(a, "url").is_none()
        || graph.text(b, "url").is_none()
        || graph.text(a, "url").map(|url| url.split(['?', '#']).next().map(str::to_owned))
            == graph.text(b, "url").map(|url| url.split(['?', '#']).next().map(str::to_owned));
    let group =
        |at| graph.nested(at, "isvariantof").ok().and_then(|groups| groups.first().copied());
    (equal("name") && urls)
        || equal("inproductgroupwithid")
        || equal("productgroupid")
        || group(a).is_some() && group(a) == group(b)
}

fn address(graph: &Graph<'_>, at: usize, place: &Place) -> Match {
    let mut addresses: Vec<String> = graph.texts(at, "url").take(3).collect();
    addresses.extend(graph.texts(at, "mainentityofpage").take(1));
    addresses.extend(graph.item(at).and_then(|item| item.id.clone()));
    for page in graph.nested(at, "mainentityofpage").unwrap_or_default() {
        addresses.extend(graph.item(page).and_then(|item| item.id.clone()));
    }
    let addresses = addresses.iter().filter(|address| {
        // "#product" is of every page.
        !address.starts_with('#') && !address.starts_with("_:")
    });
    addresses.map(|address| place.address(address, graph.base)).max().unwrap_or(Match::No)
}

/// The products of one sort of evidence, and what they are.
fn roles(graph: &Graph<'_>, origin: Origin) -> Result<HashMap<usize, Role>, Blown> {
    let mut roles = HashMap::new();
    for (at, item) in graph.items() {
        if item.origin != Some(origin) || !item.is_product() || graph.resolve(at) != at {
            continue;
        }
        let mut role = Role::Top;
        for (parent, via) in graph.path(at) {
            let here = match via {
                via if RELATED.contains(&via) => Role::Listed,
                "hasvariant" => Role::Variant,
                "isvariantof" => Role::Group,
                "itemreviewed" => Role::Reviewed,
                _ if LISTS.iter().any(|kind| parent.is(kind)) => Role::Listed,
                _ if parent.is_product() => Role::Listed,
                _ => Role::Top,
            };
            role = role.max(here);
        }
        roles.insert(at, role);
    }
    // What references say.
    for (at, item) in graph.items() {
        let lists = LISTS.iter().any(|kind| item.is(kind));
        let mut named = Vec::new();
        for via in RELATED {
            if item.has(via) {
                // `item` is a list's; elsewhere it is any word.
                if *via != "item" || lists {
                    named.extend(graph.nested(at, via)?.into_iter().map(|to| (to, Role::Listed)));
                }
            }
        }
        named.extend(graph.nested(at, "hasvariant")?.into_iter().map(|to| (to, Role::Variant)));
        named.extend(graph.nested(at, "isvariantof")?.into_iter().map(|to| (to, Role::Group)));
        for (to, role) in named {
            if let Some(known) = roles.get_mut(&to) {
                *known = role.max(*known);
            }
        }
    }
    Ok(roles)
}
