//! The category of a page from its breadcrumbs.

use super::{
    budget::Blown,
    graph::{Datum, Graph},
    place::{self, Match, Place},
    report::Origin,
    survey::Survey,
};
use crate::source::text;

/// What shops call their first page.
const HOME: &[&str] = &[
    "home",
    "homepage",
    "home page",
    "start",
    "startseite",
    "startsida",
    "accueil",
    "inicio",
    "página inicial",
    "início",
    "hjem",
    "forside",
    "etusivu",
    "strona główna",
    "hlavní strana",
    "kezdőlap",
    "főoldal",
    "acasă",
    "главная",
    "ホーム",
    "トップ",
    "首页",
    "홈",
    "shop",
    "store",
    "главная страница",
    "anasayfa",
    "ana sayfa",
    "homepagina",
    "all",
    "all products",
    "products",
    "back",
    "zurück",
];
/// Levels that are kept, and the length of each.
const LEVELS: usize = 12;
const LONGEST: usize = 120;

/// "Women > Dresses", without the shop's first page and the product itself.
pub(super) fn category(
    graph: &Graph<'_>,
    survey: &Survey<'_>,
    place: &Place,
    title: Option<&str>,
) -> Result<Option<(String, Origin)>, Blown> {
    let mut best: Option<(Vec<String>, Origin)> = None;
    for (at, item) in graph.items() {
        let origin = item.origin.unwrap_or(Origin::JsonLd);
        if !item.is("breadcrumblist") {
            continue;
        }
        let path = listed(graph, at, place, title)?;
        // The longest says most; of equals the first.
        if best.as_ref().is_none_or(|(known, _)| path.len() > known.len()) {
            best = Some((path, origin));
        }
    }
    // data-vocabulary.org has each level for itself.
    if best.as_ref().is_none_or(|(path, _)| path.is_empty()) {
        let levels = graph.items().filter(|(_, item)| item.is("breadcrumb"));
        let names: Vec<String> = levels
            .filter_map(|(at, _)| graph.text(at, "title").or_else(|| graph.text(at, "name")))
            .collect();
        if !names.is_empty() {
            best = Some((trimmed(names, title), Origin::Microdata));
        }
    }
    if best.as_ref().is_none_or(|(path, _)| path.is_empty()) {
        best = seen(survey, graph, title)?.map(|path| (path, Origin::Html));
    }
    Ok(best.filter(|(path, _)| !path.is_empty()).map(|(path, origin)| (path.join(" > "), origin)))
}

fn listed(
    graph: &Graph<'_>,
    list: usize,
    place: &Place,
    title: Option<&str>,
) -> Result<Vec<String>, Blown> {
    let mut levels: Vec<(f64, String, bool)> = Vec::new();
    for (index, element) in graph.nested(list, "itemlistelement")?.into_iter().enumerate() {
        let inner = graph.nested(element, "item")?.first().copied();
        let name = graph
            .texts(element, "name")
            .chain(inner.into_iter().flat_map(|item| graph.texts(item, "name")))
            .next();
        let Some(name) = name.as_deref().and_then(text::plain) else { continue };
        let position = graph.text(element, "position").and_then(|text| text.parse().ok());
        let mut address = inner.and_then(|item| graph.item(item)?.id.clone());
        for value in graph.values(element, "item")? {
            if let Datum::Text(text) = value {
                address = Some(text.clone());
            }
        }
        let own = address.is_some_and(|address| place.address(&address, graph.base) >= Match::Good);
        levels.push((position.unwrap_or(index as f64 + 1.0), name, own));
    }
    levels.sort_by(|a, b| a.0.total_cmp(&b.0));
    // The last level may be the page itself.
    if levels.last().is_some_and(|(_, _, own)| *own) {
        levels.pop();
    }
    Ok(trimmed(levels.into_iter().map(|(_, name, _)| name).collect(), title))
}

/// Levels in an element that is called so, where no data says it: `<nav aria-label="breadcrumb">`.
fn seen(
    survey: &Survey<'_>,
    graph: &Graph<'_>,
    title: Option<&str>,
) -> Result<Option<Vec<String>>, Blown> {
    for node in survey.dom.elements() {
        if !matches!(node.name(), "nav" | "ol" | "ul" | "div" | "p") {
            continue;
        }
        let named = ["aria-label", "class", "id"].iter().filter_map(|name| node.attribute(name));
        if !named.map(str::to_ascii_lowercase).any(|name| {
            ["breadcrumb", "bread-crumb", "bread_crumb", "crumbs", "crumbtrail"]
                .iter()
                .any(|word| name.contains(word))
        }) {
            continue;
        }
        let mut names = Vec::new();
        for link in node.descendants().filter(|node| node.name() == "a").take(LEVELS + 2) {
            names.extend(text::some(&link.text(graph.meter)?));
        }
        let path = trimmed(names, title);
        if !path.is_empty() && path.iter().all(|name| name.len() <= LONGEST) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

fn trimmed(names: Vec<String>, title: Option<&str>) -> Vec<String> {
    let title = title.map(place::words).unwrap_or_default();
    let mut names: Vec<String> = names
        .iter()
        .map(|name| {
            name.trim_matches(|c: char| {
                c.is_whitespace() || matches!(c, '>' | '/' | '›' | '»' | '«' | '|' | '‹')
            })
        })
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    if names.first().is_some_and(|name| HOME.contains(&name.to_lowercase().as_str())) {
        names.remove(0);
    }
    if names.last().is_some_and(|name| place::words(name) == title) {
        names.pop();
    }
    names.dedup();
    names.truncate(LEVELS);
    names
}
